"""Pictures decode to the pixels they promise."""

from __future__ import annotations

import base64
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile

from segloop.evaluation.pictures import (
    AGREEMENT,
    BACKGROUND,
    EXCLUDED,
    EXTRA,
    FOREGROUND,
    LONGEST_SIDE,
    MISSED,
    OTHER_CLASS,
    OUTLINE,
    Picture,
    difference_picture,
    image_picture,
    labels_picture,
    shared_numbers,
)


def decoded(picture: Picture) -> np.ndarray:
    kind, data = picture.uri.removeprefix("data:image/").split(";base64,")
    decode = {"png": imagecodecs.png_decode, "jpeg": imagecodecs.jpeg8_decode}[kind]
    pixels = decode(base64.b64decode(data))
    assert pixels.shape[:2] == (picture.height, picture.width)
    return pixels


def colours(pixels: np.ndarray) -> set[tuple[int, ...]]:
    return {tuple(int(value) for value in colour) for colour in np.unique(pixels.reshape(-1, 3), axis=0)}


def test_a_dim_image_is_stretched_to_full_contrast(sample_nuclei: Path) -> None:
    raw = tifffile.imread(sample_nuclei / "raw" / "000.tif")
    pixels = decoded(image_picture(raw[None] // 4))
    assert pixels.shape == raw.shape
    assert pixels.min() < 10
    assert pixels.max() > 245


@pytest.mark.parametrize("value", [0, 9, np.nan])
def test_a_constant_image_is_black(value: float) -> None:
    assert not decoded(image_picture(np.full((1, 12, 20), value))).any()


def test_an_image_with_few_bright_pixels_still_shows_them() -> None:
    image = np.zeros((1, 100, 100))
    image[0, 48:50, 48:52] = 50
    assert decoded(image_picture(image)).max() > 200


def test_three_channels_are_red_green_blue_and_two_magenta_green() -> None:
    ramp = np.tile(np.linspace(0, 1, 32), (32, 1))
    flat = np.zeros_like(ramp)
    red = decoded(image_picture(np.stack([ramp, flat, flat])))[16, -1]
    assert red[0] > 200
    assert red[1:].max() < 60
    magenta = decoded(image_picture(np.stack([ramp, flat])))[16, -1]
    assert magenta[[0, 2]].min() > 200
    assert magenta[1] < 60


def test_many_channels_are_shown_as_one_grey_picture() -> None:
    assert decoded(image_picture(np.random.default_rng(0).random((5, 16, 24)))).shape == (16, 24)


@pytest.mark.parametrize("shape", [(1000, 700), (300, 2000), (3000, 1)])
def test_large_pictures_are_scaled_down_in_proportion(shape: tuple[int, int]) -> None:
    labels = np.ones(shape, int)
    for picture in (
        image_picture(np.ones((1, *shape))),
        labels_picture(labels, coloured=True),
        difference_picture(labels, labels),
    ):
        assert max(picture.width, picture.height) == LONGEST_SIDE
        scale = LONGEST_SIDE / max(shape)
        assert (picture.height, picture.width) == tuple(max(1, round(side * scale)) for side in shape)


def test_scaling_down_keeps_labels_apart() -> None:
    labels = np.repeat(np.repeat(np.arange(1, 5).reshape(2, 2), 600, 0), 600, 1)
    pixels = decoded(labels_picture(labels, coloured=True))
    assert len(colours(pixels[::50, ::50])) == 4


def test_each_object_has_a_colour_that_does_not_depend_on_the_others(sample_nuclei: Path) -> None:
    labels = tifffile.imread(sample_nuclei / "seg" / "000.tif")
    whole = decoded(labels_picture(labels, coloured=True))
    alone = decoded(labels_picture(np.where(labels == 5, labels, 0), coloured=True))
    np.testing.assert_array_equal(alone[labels == 5], whole[labels == 5])
    assert colours(alone[labels == 0]) == {BACKGROUND}


def test_a_mask_has_one_colour() -> None:
    mask = np.zeros((8, 8), np.uint8)
    mask[2:4] = 255
    mask[5:7] = 1
    assert colours(decoded(labels_picture(mask, coloured=False))) == {BACKGROUND, FOREGROUND}


def test_the_difference_tells_agreement_missed_and_extra() -> None:
    truth, pred = np.array([[0, 1, 1, 0]]), np.array([[0, 0, 2, 2]])
    pixels = decoded(difference_picture(pred, truth))
    np.testing.assert_array_equal(pixels[0], [BACKGROUND, MISSED, AGREEMENT, EXTRA])


def test_the_difference_tells_the_wrong_class_where_values_are_classes() -> None:
    truth, pred = np.array([[1, 2, 0]]), np.array([[1, 1, 1]])
    pixels = decoded(difference_picture(pred, truth, classes=True))
    np.testing.assert_array_equal(pixels[0], [AGREEMENT, OTHER_CLASS, EXTRA])


def test_excluded_pixels_cover_everything() -> None:
    labels, valid = np.ones((2, 4), int), np.ones((2, 4), bool)
    valid[:, 2:] = False
    for picture in (
        labels_picture(labels, coloured=True, valid=valid),
        difference_picture(labels, labels, valid=valid),
    ):
        pixels = decoded(picture)
        assert colours(pixels[:, 2:]) == {EXCLUDED}
        assert EXCLUDED not in colours(pixels[:, :2])


def test_wrong_objects_are_outlined_and_others_are_not() -> None:
    labels = np.zeros((12, 24), int)
    labels[2:10, 2:10] = 1
    labels[2:10, 14:22] = 2
    pixels = decoded(difference_picture(labels, labels, wrong_pred=np.where(labels == 2, 2, 0)))
    assert colours(pixels[:, :12]) == {BACKGROUND, AGREEMENT}
    assert tuple(pixels[2, 17]) == OUTLINE
    assert tuple(pixels[5, 17]) == AGREEMENT


def test_matched_objects_share_a_number_and_others_have_their_own(sample_nuclei: Path) -> None:
    truth = tifffile.imread(sample_nuclei / "seg" / "000.tif").astype(int)
    pred = np.where(truth == 3, 0, truth * 7)
    pred[:4, :4] = 5000
    new_pred, new_truth, unmatched = shared_numbers(pred, truth)
    same = (truth > 0) & (truth != 3) & (pred != 5000)
    np.testing.assert_array_equal(new_pred[same], new_truth[same])
    assert np.unique(new_truth).size == np.unique(truth).size
    assert new_pred[0, 0] not in new_truth
    np.testing.assert_array_equal(unmatched > 0, pred == 5000)


def test_nothing_can_be_renumbered() -> None:
    empty = np.zeros((3, 3), np.uint16)
    for labels in shared_numbers(empty, empty):
        assert labels.shape == (3, 3)
        assert not labels.any()
