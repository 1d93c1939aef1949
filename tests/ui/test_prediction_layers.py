"""Where results of layers go: the same place, whatever the axes."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Image, Labels

from segloop.ui.prediction.geometry import arrange, placement, possible_axes, take_down

SIZES = {"T": 2, "C": 3, "Z": 4, "Y": 5, "X": 6}


def layer(axes, **options):
    return Image(np.zeros([SIZES[axis] for axis in axes]), **options)


def result(axes):
    """A (T, Z, Y, X) result with the lengths that ``axes`` have."""
    shape = [SIZES[axis] if axis in axes else 1 for axis in "TZYX"]
    return np.arange(np.prod(shape)).reshape(shape)


def corners(of):
    """Return where the pixels' outer edges are in the world."""
    low = np.full(of.ndim, -0.5)
    return np.array([of.data_to_world(low), of.data_to_world(np.array(of.data.shape) + low)])


@pytest.mark.parametrize(
    "axes", ["YX", "ZYX", "TYX", "CYX", "TZYX", "CZYX", "ZCYX", "TCYX", "TCZYX", "TZCYX"]
)
def test_a_result_lies_over_its_source(axes):
    steps = [2.0, 3.0, 4.0, 5.0, 6.0][-len(axes) :]
    source = layer(axes, scale=steps, translate=[10 * step for step in steps])
    labels = Labels(arrange(result(axes), axes), **placement(source, axes))
    behind = source.ndim - labels.ndim
    assert np.allclose(corners(labels), corners(source)[:, behind:])


def test_every_voxel_comes_back_where_it_was():
    for axes in ("TZYX", "ZCYX", "TCZYX"):
        arranged = arrange(result(axes), axes)
        order = [axis for axis in axes if axis != "C"]
        assert np.array_equal(arranged.squeeze(), result(axes).squeeze())
        assert arranged.ndim == len(order) + ("C" in axes and not axes.startswith("C"))


def test_rotation_and_affine_are_kept():
    affine = np.eye(3)
    affine[0, 2] = 7
    source = layer("YX", rotate=30, shear=[0.5], affine=affine)
    labels = Labels(arrange(result("YX"), "YX"), **placement(source, "YX"))
    for point in ((0, 0), (3, 4)):
        assert np.allclose(labels.data_to_world(point), source.data_to_world(point))


def test_named_axes_settle_the_question():
    assert possible_axes(layer("ZYX")) == ("ZYX", "TYX", "CYX")
    assert possible_axes(layer("ZYX", axis_labels=["c", "y", "x"])) == ("CYX",)
    assert possible_axes(layer("TCZYX", axis_labels=["time", "channel", "z", "y", "x"])) == ("TCZYX",)


def test_pixel_size_counts_only_with_a_unit():
    assert take_down([layer("ZYX", scale=(2, 0.5, 0.5))], "ZYX").pixel_size_um == (None, None, None)
    in_nanometres = layer("ZYX", scale=(2000, 500, 250), units="nm")
    assert take_down([in_nanometres], "ZYX").pixel_size_um == (2.0, 0.5, 0.25)


def test_a_colour_image_has_its_samples_last():
    rgb = Image(np.zeros((5, 6, 3), np.uint8), rgb=True)
    assert take_down([rgb], "YX").axes == "YXS"
    assert take_down([rgb], "YX").image().channel_names == ("red", "green", "blue")
