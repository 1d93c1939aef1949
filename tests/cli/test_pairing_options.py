"""Pairing at the command line: shown before anything is made, ruled by the user, predictions as labels."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from segloop.cli.command import run

NAMES = ("000", "105")


@pytest.fixture
def one_folder(tmp_path: Path, sample_nuclei: Path) -> Path:
    """Real raw images and segmentations side by side, named as people do."""
    folder = tmp_path / "mixed [1]"
    folder.mkdir()
    for name in NAMES:
        shutil.copy(sample_nuclei / "raw" / f"{name}.tif", folder / f"{name}_raw.tif")
        shutil.copy(sample_nuclei / "seg" / f"{name}.tif", folder / f"{name}_cp_masks.tif")
    return folder


def test_dry_run_prints_the_table_and_makes_nothing(
    one_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [
        "dataset",
        "create",
        str(tmp_path / "ds"),
        "--raw",
        str(one_folder),
        "--seg",
        str(one_folder),
    ]
    assert run([*arguments, "--dry-run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["raw", "image", "segmentation", "paired", "by"]
    assert f"{one_folder / '000_cp_masks.tif'}  same name without _raw and _cp_masks" in lines[1]
    assert not (tmp_path / "ds").exists()
    assert run(arguments) == 0
    said = capsys.readouterr().out
    assert "2 pairs by same name without _raw and _cp_masks." in said
    assert len(list((tmp_path / "ds" / "samples").iterdir())) == 2


def test_a_rule_pairs_what_names_do_not(
    one_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in NAMES:
        (one_folder / f"{name}_cp_masks.tif").rename(one_folder / f"{name}-v2-final.tif")
    sides = ["--raw", str(one_folder / "*_raw.tif"), "--seg", str(one_folder / "*-final.tif")]
    assert run(["dataset", "create", str(tmp_path / "ds"), *sides]) == 1
    assert "rule for pairing such as *_raw=*_mask" in capsys.readouterr().err
    rule = ["--pair", "*_raw=*-v2-final", "--dry-run", "--json"]
    assert run(["dataset", "create", str(tmp_path / "ds"), *sides, *rule]) == 0
    rows = json.loads(capsys.readouterr().out)["pairs"]
    assert [(Path(row["raw"]).name, Path(row["seg"]).name) for row in rows] == [
        (f"{name}_raw.tif", f"{name}-v2-final.tif") for name in NAMES
    ]


def test_a_folder_of_predictions_makes_a_dataset_and_is_scored_by_the_same_names(
    tmp_path: Path, sample_nuclei: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    predictions, raw = tmp_path / "predictions", tmp_path / "raw"
    for folder in (predictions, raw):
        folder.mkdir()
    for name in NAMES:
        shutil.copy(sample_nuclei / "raw" / f"{name}.tif", raw)
        shutil.copy(sample_nuclei / "seg" / f"{name}.tif", predictions / f"{name}.labels.tif")
        shutil.copy(sample_nuclei / "raw" / f"{name}.tif", predictions / f"{name}.probability.tif")
        (predictions / f"{name}.json").write_text("{}")
    assert run(["dataset", "create", str(tmp_path / "ds"), "--raw", str(raw), "--seg", str(predictions)]) == 0
    truth = sample_nuclei / "seg"
    assert run(["evaluate", str(predictions), str(truth), "--out", str(tmp_path / "scores"), "--json"]) == 1
    metrics = json.loads((tmp_path / "scores" / "metrics.json").read_text())
    assert (metrics["n_images"], metrics["semantic"]["dice"]) == (2, 1.0)
