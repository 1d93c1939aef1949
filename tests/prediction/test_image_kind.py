"""What is said of images that a model can't be right about."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segloop.artifacts.model.model import Model
from segloop.images.image import Image
from segloop.images.look import look_of
from segloop.images.read import open_image
from segloop.prediction.image_kind import look_remarks

CARD = Model.load("nuclei-2d").card


def dark_with_spots(bright: float = 200.0) -> np.ndarray:
    """An image (240, 300) of noise with squares that cover a tenth of it."""
    image = np.random.default_rng(0).normal(10, 2, (240, 300))
    spots = np.zeros((240, 300), bool)
    spots[5:240:40, 5:300:40] = True
    for axis in (0, 1):
        spots = np.logical_or.reduce([np.roll(spots, shift, axis) for shift in range(12)])
    return image + spots * bright


def remarks(array: Any, axes: str = "YX", channels: tuple[int, ...] = (0,)) -> list[str]:
    return look_remarks(CARD, Image.from_array(array, axes, name="a.tif"), channels)


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (np.zeros((50, 60), np.uint8), "`a.tif` has the same value everywhere"),
        (np.full((50, 60), np.nan, np.float32), "`a.tif` has the same value everywhere"),
        (np.eye(50, dtype=np.uint8), "`a.tif` has only 2 different values, so it may be a mask"),
        (np.random.default_rng(0).normal(500, 20, (300, 300)), "unlike the training images.* at 4[0-9] % of"),
        (np.clip(dark_with_spots(), 0, 150), r"overexposed: [0-9]+ % of its pixels have .* \(150\)"),
    ],
)
def test_what_is_wrong_is_said_with_the_number_that_it_rests_on(image: np.ndarray, said: str) -> None:
    (found,) = remarks(image)
    assert re.search(said, found), found


def test_of_images_like_those_learned_from_nothing_is_said(sample_nuclei: Path) -> None:
    for path in sorted((sample_nuclei / "raw").glob("*.tif")):
        assert look_remarks(CARD, open_image(path), (0,)) == [], path
    assert remarks(dark_with_spots()) == []
    assert remarks(255 - dark_with_spots()) == []  # will be inverted, which is said then
    assert remarks(np.stack([dark_with_spots(), dark_with_spots(), 0 * dark_with_spots()]), "ZYX") == []


def test_the_channel_is_named_where_there_are_several() -> None:
    both = np.stack([dark_with_spots(), np.zeros((240, 300))])
    assert remarks(both, "CYX") == []
    (found,) = remarks(both, "CYX", (1,))
    assert found.startswith("`a.tif`, channel Channel 1, has the same value everywhere")


@pytest.mark.parametrize("kind", ["usiigaci_phase", "isbi2012_em", "axon_sem"])
def test_other_kinds_of_microscopy_are_told(test_data: Path, kind: str) -> None:
    images = sorted((test_data / kind / "train" / "raw").glob("*.tif"))[:20]
    assert images
    for path in images:
        (remark,) = look_remarks(CARD, open_image(path), (0,))
        assert "looks unlike the training images" in remark


def test_of_a_large_image_only_some_blocks_are_read() -> None:
    read = []

    def block(z: slice, y: slice, x: slice) -> np.ndarray:
        read.append((z.stop - z.start) * (y.stop - y.start) * (x.stop - x.start))
        return np.arange(read[-1]).reshape(z.stop - z.start, y.stop - y.start, x.stop - x.start)

    look_of(block, (100, 50_000, 40_000))
    assert len(read) == 9
    assert sum(read) == 9 * 256 * 256
