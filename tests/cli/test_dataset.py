"""What ``segloop dataset create`` answers to a script."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from segloop.cli.command import run
from segloop.images.write import write_image


def make_images(folder: Path, **channel_names: tuple[str, str]) -> list[str]:
    """Write an image of two channels for each, with a segmentation; return the options that name them."""
    for stem, names in channel_names.items():
        pixels = np.zeros((2, 8, 8), np.uint8)
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
