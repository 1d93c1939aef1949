"""``segloop dataset crop``, and a dataset of its crops."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.cli.command import run


def test_crops_become_a_dataset_to_label(
    sample_nuclei: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw, out = str(sample_nuclei / "raw" / "0*.tif"), tmp_path / "crops"
    assert run(["dataset", "crop", str(out), "--raw", raw, "--size", "64", "--count", "2", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert len(data["crops"]) == 2 * len(list((sample_nuclei / "raw").glob("0*.tif")))
    made = tmp_path / "made"
    arguments = ["--raw", str(out / "raw"), "--blank", "--group-by", data["group_by"]]
    assert run(["dataset", "create", str(made), *arguments]) == 0
    assert f"with {len(data['crops'])} samples, all undecided." in capsys.readouterr().out
    dataset = CuratedDataset.open(made)
    assert len(dataset.sample_ids) == len(data["crops"])
    assert dataset.raw(dataset.sample(dataset.sample_ids[0])).shape[-2:] == (64, 64)


def test_what_to_do_next_is_said(
    sample_nuclei: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sources = ["--raw", str(sample_nuclei / "raw" / "000.tif"), "--seg", str(sample_nuclei / "seg")]
    assert run(["dataset", "crop", str(tmp_path / "crops"), *sources, "--grid", "--size", "128"]) == 0
    said = capsys.readouterr().out
    assert "--group-by" in said
    assert f"into {tmp_path / 'crops' / 'raw'}." in said
