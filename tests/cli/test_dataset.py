"""What ``segloop dataset create`` answers to a script."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.cli.command import run
from segloop.images.write import write_image


def make_images(folder: Path, **channel_names: tuple[str, str]) -> list[str]:
    """Write an image of two channels for each, with a segmentation; return the options that name them."""
    for stem, names in channel_names.items():
        pixels = np.arange(128, dtype=np.uint8).reshape(2, 8, 8)
        write_image(folder / "raw" / f"{stem}.tif", pixels, axes="CYX", channel_names=names)
        write_image(folder / "seg" / f"{stem}.tif", pixels[0], axes="YX")
    return ["--raw", str(folder / "raw"), "--seg", str(folder / "seg")]


def test_other_channel_names_are_a_warning_and_no_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = make_images(tmp_path, a=("DAPI", "GFP"), b=("GFP", "mCherry"))

    status = run(["dataset", "create", str(tmp_path / "d"), *folders, "--json"])

    said = capsys.readouterr()
    data = json.loads(said.out)
    assert status == 0
    assert "Warning: The channels of" in said.err
    assert (data["n_samples"], data["problems"], len(data["warnings"])) == (2, [], 1)


def test_a_file_that_is_left_out_is_a_failure_that_the_others_survive(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = make_images(tmp_path, a=("DAPI", "GFP"), b=("DAPI", "GFP"))
    (tmp_path / "seg" / "b.tif").unlink()

    status = run(["dataset", "create", str(tmp_path / "d"), *folders, "--json"])

    said = capsys.readouterr()
    data = json.loads(said.out)
    assert status == 1
    assert "b.tif" in said.err
    assert (data["n_samples"], len(data["problems"]), data["warnings"]) == (1, 1, [])


def segmentations(folder: Path) -> list[dict[str, str]]:
    """What a dataset's samples say of their segmentations: name and folder of each."""
    dataset = CuratedDataset.open(folder)
    return [
        {name: dataset.label_file(sample, name).path.parent.name for name in sample.segmentation_names}
        for sample in dataset.samples()
    ]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--seg", "{a}"], {"seg": "a"}),
        (["--seg", "{a}", "--seg2", "{b}"], {"seg": "a", "seg2": "b"}),
        (["--seg", "{a}", "--seg", "{b}", "--seg", "{c}"], {"seg": "a", "seg2": "b", "seg3": "c"}),
        (["--seg", "manual={a}", "--seg", "cellpose={b}/*.tif"], {"manual": "a", "cellpose": "b"}),
        (["--seg", "{x=y}"], {"seg": "x=y"}),
    ],
)
def test_segmentations_go_by_the_names_they_are_given(
    tmp_path: Path, options: list[str], expected: dict[str, str]
) -> None:
    labels = np.eye(8, dtype=np.uint8)
    for name in ("raw", "a", "b", "c", "x=y"):
        write_image(tmp_path / name / "1.tif", labels, axes="YX")
    filled = [option.replace("{", f"{tmp_path}/").replace("}", "") for option in options]

    assert run(["dataset", "create", str(tmp_path / "d"), "--raw", str(tmp_path / "raw"), *filled]) == 0
    assert segmentations(tmp_path / "d") == [expected]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--seg", "a=x", "--seg", "A=y"], "Two segmentations are named A"),
        (["--seg", "a b=x"], "can't be the name of a segmentation"),
        (["--seg", "x", "--seg", "seg=y"], "Two segmentations are named seg"),
    ],
)
def test_names_that_cannot_be_used_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], sentence: str
) -> None:
    assert run(["dataset", "create", str(tmp_path / "d"), "--raw", "raw", *options]) == 2
    assert sentence in capsys.readouterr().err
