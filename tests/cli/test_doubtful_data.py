"""What is doubtful about images and labels is said by create, check and evaluate, and axes may be given."""

from __future__ import annotations

import shutil
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.cli.command import run

NAMES = ("000", "105")


@pytest.fixture
def folders(tmp_path: Path, sample_nuclei: Path) -> Path:
    """Real raw images and labels in two folders."""
    for kind in ("raw", "seg"):
        (tmp_path / kind).mkdir()
        for name in NAMES:
            shutil.copy(sample_nuclei / kind / f"{name}.tif", tmp_path / kind)
    return tmp_path


def create(folder: Path, *more: str) -> int:
    sides = ["--raw", str(folder / "raw"), "--seg", str(folder / "seg")]
    return run(["dataset", "create", str(folder / "ds"), *sides, *more])


def test_a_jpeg_mask_is_named_in_create_check_and_evaluate(
    folders: Path, sample_nuclei: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folders / "seg" / "105.tif"
    mask = np.where(tifffile.imread(file) > 0, 255, 0).astype(np.uint8)
    file.unlink()
    (folders / "seg" / "105.jpg").write_bytes(imagecodecs.jpeg8_encode(mask, level=80))
    create(folders)
    assert "105.jpg has values around 0 and 255" in capsys.readouterr().err
    assert run(["dataset", "check", str(folders / "ds")]) == 1
    assert "105.jpg has values around 0 and 255" in capsys.readouterr().out
    run(["evaluate", str(folders / "seg"), str(sample_nuclei / "seg"), "--out", str(folders / "out")])
    assert "threshold it at 128" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("second", "sentence"),
    [
        (lambda raw: np.full_like(raw, 7), "Channel 1 has a single value within each image"),
        (lambda raw: raw, "Channel 0 and Channel 1 are equal in each image: choose one, such as Channel 0."),
    ],
    ids=["constant", "copy"],
)
def test_channels_that_say_nothing_are_named(
    folders: Path, capsys: pytest.CaptureFixture[str], second: object, sentence: str
) -> None:
    for name in NAMES:
        raw = tifffile.imread(folders / "raw" / f"{name}.tif")
        pixels = np.stack([raw, second(raw)])  # type: ignore[operator]
        tifffile.imwrite(folders / "raw" / f"{name}.tif", pixels, imagej=True, metadata={"axes": "CYX"})
    assert create(folders) == 0
    assert sentence in capsys.readouterr().err
    run(["dataset", "check", str(folders / "ds")])
    assert sentence in capsys.readouterr().out


def test_silent_channels_of_one_name_are_told_apart_by_number(
    folders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in NAMES:
        raw = tifffile.imread(folders / "raw" / f"{name}.tif")
        pixels = np.stack([raw, np.full_like(raw, 7), np.full_like(raw, 9), raw])
        names = {"axes": "CYX", "Channel": {"Name": ["DNA", "DNA", "DNA", "actin"]}}
        (folders / "raw" / f"{name}.tif").unlink()
        tifffile.imwrite(
            folders / "raw" / f"{name}.ome.tif", pixels, photometric="minisblack", metadata=names
        )
    assert create(folders) == 0
    said = [line for line in capsys.readouterr().err.splitlines() if "each image" in line]
    assert [line.removeprefix("Warning: ") for line in said] == [
        "Channel 1 (DNA) has a single value within each image: choose the other channels.",
        "Channel 2 (DNA) has a single value within each image: choose the other channels.",
        "Channel 0 (DNA) and channel actin are equal in each image: choose one, such as channel 0 (DNA).",
    ]


def test_guessed_axes_are_said_once_and_given_ones_are_kept(
    folders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in NAMES:
        raw = tifffile.imread(folders / "raw" / f"{name}.tif")
        pixels = np.stack([raw, raw[::-1], raw[:, ::-1]])
        tifffile.imwrite(folders / "raw" / f"{name}.tif", pixels, photometric="minisblack")
    with_stacks = create(folders)
    assert with_stacks == 1  # the labels are planes
    assert create(folders, "--axes", "CYX") == 0
    capsys.readouterr()
    dataset = CuratedDataset.open(folders / "ds")
    image = dataset.raw(dataset.sample(dataset.sample_ids[0]))
    assert (image.n_channels, image.n_slices) == (3, 1)
