"""What the dock says about model and images: only what was compared."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from fakes.models import card
from segloop.app.layers import LayerImage
from segloop.app.presenters.prediction.compatibility import Level, Remedy, check_images
from segloop.config.predict import PredictConfig
from segloop.core.context import Context


def layer(name="a", pixel_size=(None, 0.5, 0.5), shape=(20, 30)):
    axes = {2: "YX", 3: "ZYX"}[len(shape)]
    return LayerImage(name, (np.zeros(shape),), axes, ("nuclei",), pixel_size)


def check(card, *sources, **config):
    return check_images(card, sources, PredictConfig(**config), Context())


UNKNOWN = (None, None, None)


@pytest.mark.parametrize(
    ("model", "layers", "level", "words"),
    [
        (
            (None, 0.5, 0.5),
            [(None, 0.5, 0.5)],
            Level.ok,
            "Pixel size 0.5 µm; the model was trained at 0.5 µm.",
        ),
        ((None, 0.5, 0.5), [(None, 0.5, 0.25)], Level.warning, "0.25 um along X"),
        ((None, 0.5, 0.5), [UNKNOWN], Level.info, "The pixel size of `0` is not known"),
        ((None, 0.5, 0.5), [(None, 0.5, None)], Level.info, "The pixel size of `0` is not known"),
        ((None, 0.5, 0.5), [UNKNOWN, UNKNOWN, UNKNOWN], Level.info, "size of `0`, `1`, `2` is not known"),
        ((None, 0.5, 0.5), [(None, 0.5, 0.5), UNKNOWN], Level.info, "The pixel size of `1` is not known"),
        (UNKNOWN, [(None, 0.5, 0.5)], Level.info, "The model's pixel size is not known"),
        (UNKNOWN, [UNKNOWN, UNKNOWN], Level.info, "The model's pixel size is not known"),
    ],
)
def test_pixel_sizes_are_said_to_fit_only_where_two_numbers_were_compared(model, layers, level, words):
    found = check(card(model), *(layer(str(number), size) for number, size in enumerate(layers)))
    (remark,) = [remark for remark in found.remarks if "ixel" in remark.text]
    assert remark.level is level
    assert words in remark.text
    assert found.fits


def test_a_volume_needs_all_three_sizes():
    volume = layer("v", (None, 0.5, 0.5), (4, 20, 30))
    found = check(card((2, 0.5, 0.5), "ZYX"), volume)
    assert not any(remark.level is Level.ok and "ixel size" in remark.text for remark in found.remarks)


def test_a_stack_is_refused_with_a_remedy_that_helps():
    stack = layer("s", shape=(3, 20, 30))
    found = check(card(), stack)
    assert not found.fits
    assert found.remedies == (Remedy.slice_by_slice,)
    assert [remark.text for remark in found.remarks] == ["`s` is a stack of 3 slices, but the model is 2D."]
    assert check(card(), stack, slice_by_slice=True).fits


def test_of_a_folder_it_is_said_which_image_was_checked(tmp_path):
    for name in ("a", "b"):
        tifffile.imwrite(tmp_path / f"{name}.tif", np.zeros((20, 30), np.uint8))
    found = check(card(), str(tmp_path))
    assert found.remarks[0].text == "2 images, of which the first, a.tif, was checked"
    (tmp_path / "b.tif").unlink()
    assert check(card(), str(tmp_path)).remarks[0].text == "1 image"


def test_what_can_not_be_read_prevents_the_prediction(tmp_path):
    found = check(card(), str(tmp_path / "missing.tif"))
    assert not found.fits
    assert "missing.tif" in found.remarks[0].text
