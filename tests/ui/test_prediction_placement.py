"""Where results of layers go: the same place, whatever the axes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from napari.layers import Image, Labels

from segloop.ui.prediction.layer_image import possible_axes, read_layers
from segloop.ui.prediction.placement import arrange, lies_on, placement

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


SCALES = st.floats(0.05, 20).flatmap(lambda size: st.sampled_from([size, -size]))
ANGLES = st.floats(-180, 180)
SHEARS = st.floats(-2, 2)
OFFSETS = st.floats(-100, 100)
AXES = ["YX", "ZYX", "TYX", "CYX", "TZYX", "CZYX", "ZCYX", "TCYX"]


@st.composite
def transforms(draw, axes):
    """Any transform of napari's that leaves the channel and time axes alone."""
    ndim = len(axes)
    space = [number for number, axis in enumerate(axes) if axis in "ZYX"]

    def embed(matrix):
        whole = np.eye(ndim)
        whole[np.ix_(space, space)] = matrix
        return whole

    def rotation():
        matrix = np.eye(len(space))
        for first in range(len(space)):
            for second in range(first):
                angle = np.deg2rad(draw(ANGLES))
                turn = np.eye(len(space))
                turn[[first, second], [first, second]] = np.cos(angle)
                turn[first, second], turn[second, first] = np.sin(angle), -np.sin(angle)
                matrix = matrix @ turn
        return matrix

    options = {"scale": [draw(SCALES) for _ in axes], "translate": [draw(OFFSETS) for _ in axes]}
    if draw(st.booleans()):
        options["rotate"] = embed(rotation())
    if draw(st.booleans()):
        shear = np.eye(len(space)) + np.triu([[draw(SHEARS) for _ in space] for _ in space], 1)
        options["shear"] = embed(shear)
    if draw(st.booleans()):
        affine = np.eye(ndim + 1)
        affine[:-1, :-1] = embed(rotation() @ np.diag([draw(SCALES) for _ in space]) @ rotation())
        affine[:-1, -1] = [draw(OFFSETS) for _ in axes]
        options["affine"] = affine
    return options


@pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")  # napari's, of a stack that is turned
@pytest.mark.parametrize("axes", AXES)
@settings(max_examples=40)
@given(data=st.data())
def test_every_transform_of_the_source_is_the_results(axes, data):
    source = layer(axes, **data.draw(transforms(axes)))
    labels = Labels(arrange(result(axes), axes), **placement(source, axes))
    behind = source.ndim - labels.ndim
    point = np.array([data.draw(st.floats(0, SIZES[axis])) for axis in axes])
    on_labels = point[behind:].copy()
    if "C" in axes and behind == 0:  # the result's single plane lies over all channels
        channel = axes.index("C")
        on_labels[channel] = (point[channel] + 0.5) / SIZES["C"] - 0.5
    expected = np.array(source.data_to_world(point))[behind:]
    assert np.allclose(labels.data_to_world(on_labels), expected, rtol=1e-6, atol=1e-6)
    assert labels.units == source.units[behind:]
    assert labels.axis_labels == source.axis_labels[behind:]
    assert lies_on(labels, source, axes)


@pytest.mark.parametrize("scale", [(-1, 1), (1, -1), (-0.5, -0.5)])
def test_a_mirrored_layer_gets_a_mirrored_result(scale):
    source = layer("YX", scale=scale, rotate=20)
    labels = Labels(arrange(result("YX"), "YX"), **placement(source, "YX"))
    assert np.allclose(corners(labels), corners(source))


def test_the_scale_of_an_axis_aligned_result_reads_like_its_sources():
    source = layer("ZYX", scale=(2, -0.5, 0.5), translate=(1, 2, 3))
    place = placement(source, "ZYX")
    assert np.array_equal(place["scale"], (2, -0.5, 0.5))
    assert np.array_equal(place["translate"], (1, 2, 3))


@pytest.mark.parametrize(
    ("options", "same"),
    [
        ({}, True),
        ({"scale": (0.5, 0.5 + 1e-5)}, True),
        ({"scale": (1, 1)}, False),
        ({"scale": (-0.5, 0.5)}, False),
        ({"translate": (10, 0)}, False),
        ({"units": ("nm", "nm"), "scale": (500, 500)}, True),
        ({"units": ("nm", "nm")}, False),
    ],
)
def test_truth_lies_on_an_image_only_where_both_grids_agree(options, same):
    image = Image(np.zeros((30, 40)), scale=(0.5, 0.5), units=("um", "um"))
    options = {"scale": (0.5, 0.5), "units": ("um", "um"), **options}
    assert lies_on(Labels(np.zeros((30, 40), int), **options), image, "YX") is same


def test_labels_of_another_size_lie_on_another_image():
    image = Image(np.zeros((30, 40)))
    assert not lies_on(Labels(np.zeros((40, 30), int)), image, "YX")
    assert not lies_on(Labels(np.zeros((2, 30, 40), int)), image, "YX")
    assert lies_on(Labels(np.zeros((1, 30, 40), int)), image, "YX")
    channels = Image(np.zeros((3, 30, 40)))
    assert lies_on(Labels(np.zeros((30, 40), int)), channels, "CYX")
    assert not lies_on(Labels(np.zeros((3, 30, 40), int)), channels, "CYX")


def test_an_affine_counts_in_the_pixel_size():
    affine = np.diag([0.5, 0.25, 1])
    source = layer("YX", scale=(-2, 2), affine=affine, units="um")
    assert read_layers([source], "YX").pixel_size_um == (None, 1.0, 0.5)


def test_named_axes_settle_the_question():
    assert possible_axes(layer("ZYX")) == ("ZYX", "TYX", "CYX")
    assert possible_axes(layer("ZYX", axis_labels=["c", "y", "x"])) == ("CYX",)
    assert possible_axes(layer("TCZYX", axis_labels=["time", "channel", "z", "y", "x"])) == ("TCZYX",)


def test_pixel_size_counts_only_with_a_unit():
    assert read_layers([layer("ZYX", scale=(2, 0.5, 0.5))], "ZYX").pixel_size_um == (None, None, None)
    in_nanometres = layer("ZYX", scale=(2000, 500, 250), units="nm")
    assert read_layers([in_nanometres], "ZYX").pixel_size_um == (2.0, 0.5, 0.25)


def test_a_colour_image_has_its_samples_last():
    rgb = Image(np.zeros((5, 6, 3), np.uint8), rgb=True)
    assert read_layers([rgb], "YX").axes == "YXS"
    assert read_layers([rgb], "YX").image().channel_names == ("red", "green", "blue")
