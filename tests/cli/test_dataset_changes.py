"""``segloop dataset add`` and ``split``: a dataset grows and is divided otherwise, what is there stays."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from roifile import ImagejRoi

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.cli.command import run
from segloop.images.write import write_image


def write_pairs(folder: Path, *stems: str) -> list[str]:
    for stem in stems:
        labels = np.kron(np.eye(4, dtype=np.uint8), np.ones((4, 4), np.uint8))
        write_image(folder / "raw" / f"{stem}.tif", labels * 9, axes="YX")
        write_image(folder / "seg" / f"{stem}.tif", labels, axes="YX")
    return ["--raw", str(folder / "raw"), "--seg", str(folder / "seg")]


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    folders = write_pairs(tmp_path / "first", "a", "b", "c", "d")
    assert run(["dataset", "create", str(tmp_path / "d"), *folders, "--val", "0.5"]) == 0
    return tmp_path / "d"


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict]:
    capsys.readouterr()
    status = run([*arguments, "--json"])
    return status, json.loads(capsys.readouterr().out)


def test_new_samples_are_added_and_the_others_stay(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {sample.id: sample for sample in CuratedDataset.open(dataset).samples()}
    more = write_pairs(tmp_path / "more", "e", "f")
    status, data = answer(capsys, "dataset", "add", str(dataset), *more)
    assert (status, data["added"], data["n_samples"], data["problems"]) == (0, ["e", "f"], 6, [])
    after = {sample.id: sample for sample in CuratedDataset.open(dataset).samples()}
    assert {name: after[name] for name in before} == before
    assert {after[name].verdict.value for name in "ef"} == {"undecided"}


def test_what_is_there_already_is_said_and_the_rest_is_added(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = write_pairs(tmp_path / "first", "e")
    status, data = answer(capsys, "dataset", "add", str(dataset), *more, "--accept")
    assert (status, data["added"], len(data["problems"])) == (1, ["e"], 4)
    assert "a.tif is in d already" in data["problems"][0]
    assert CuratedDataset.open(dataset).sample("e").verdict.value == "accepted"


def test_another_dataset_is_added(dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = write_pairs(tmp_path / "second", "a", "x")
    assert run(["dataset", "create", str(tmp_path / "other"), *folders]) == 0
    status, data = answer(capsys, "dataset", "add", str(dataset), "--dataset", str(tmp_path / "other"))
    assert (status, data["added"], data["n_samples"], data["problems"]) == (0, ["a_2", "x"], 6, [])
    assert CuratedDataset.open(dataset).sample("x").verdict.value == "accepted"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "Name the images with --raw, or another dataset with --dataset."),
        (["--dataset", "other", "--raw", "images"], "Name the images with --raw, or another"),
        (["--dataset", "other", "--accept"], "With --dataset, only --json can be used"),
        (["--dataset", "other"], "other"),
    ],
)
def test_what_to_add_must_be_clear(
    dataset: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    assert run(["dataset", "add", str(dataset), *options]) != 0
    assert said in " ".join(capsys.readouterr().err.split())


def test_a_dry_run_adds_nothing(dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    more = write_pairs(tmp_path / "more", "e")
    status, data = answer(capsys, "dataset", "add", str(dataset), *more, "--dry-run")
    assert (status, len(data["pairs"])) == (0, 1)
    assert len(CuratedDataset.open(dataset).sample_ids) == 4


def test_imports_can_be_added_again_and_again(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for stem in ("e", "f"):
        folder = tmp_path / stem
        write_image(folder / "raw" / f"{stem}.tif", np.ones((16, 16), np.uint8), axes="YX")
        (folder / "rois").mkdir()
        ImagejRoi.frompoints([(2, 2), (2, 9), (9, 9), (9, 2)]).tofile(folder / "rois" / f"{stem}.roi")
        sources = ["--raw", str(folder / "raw"), "--seg", str(folder / "rois")]
        status, data = answer(capsys, "dataset", "add", str(dataset), *sources)
        assert (status, data["added"]) == (0, [stem])
    assert sorted(path.name for path in tmp_path.glob("d-imported*")) == ["d-imported", "d-imported-2"]


def test_samples_are_moved_to_another_split(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, before = answer(capsys, "dataset", "split", str(dataset))
    assert (status, before["moved"], before["test"]) == (0, [], [])
    status, after = answer(capsys, "dataset", "split", str(dataset), "a", "b", "--to", "test")
    assert (status, after["moved"], after["test"]) == (0, ["a", "b"], ["a", "b"])
    assert CuratedDataset.open(dataset).sample("a").split == "test"


@pytest.mark.parametrize("arguments", [["a"], ["--to", "val"]])
def test_half_a_move_is_refused(dataset: Path, arguments: list[str]) -> None:
    assert run(["dataset", "split", str(dataset), *arguments]) == 2


def test_a_sample_that_is_not_there_is_named(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["dataset", "split", str(dataset), "z", "--to", "val"]) == 1
    assert "has no sample z" in capsys.readouterr().err
