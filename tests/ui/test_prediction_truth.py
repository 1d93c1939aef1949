"""Results lie on top, are named after image and model, and are scored against truth of the same image."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels

from segloop.app.presenters.prediction.predicted_image import PredictedImage
from segloop.prediction.kept import Shown
from segloop.targets import NoParameters
from segloop.targets.output import LABELS, MASK, PROBABILITY
from segloop.ui.dock_layers import OWNER
from segloop.ui.prediction.image_layers import add_to_viewer
from segloop.ui.prediction.layer_image import is_input
from segloop.ui.prediction.placement import placement
from segloop.ui.prediction.result_layers import ResultLayers
from segloop.ui.prediction.truth_layers import truth_layers
from segloop.ui.samples import IMAGE, fluorescence_nuclei

SHAPE = (30, 40)


def labels(name="truth", shape=SHAPE, **options):
    return Labels(np.ones(shape, np.uint8), name=name, **options)


def image(name="a", shape=SHAPE, **options):
    return Image(np.zeros(shape), name=name, **options)


@pytest.fixture
def viewer():
    return ViewerModel()


def result_of(viewer, source, model="nuclei-2d"):
    return ResultLayers(
        viewer, source, source.name, model, "YX", placement(source, "YX"), lambda function: function()
    )


def shown(*kinds):
    arrays = {kind: np.ones((1, 1, *SHAPE), np.uint8) for kind in kinds}
    if PROBABILITY in arrays:
        arrays[PROBABILITY] = np.zeros((1, 2, 1, *SHAPE), np.uint8)
    return Shown(arrays, ("foreground", "distance"), NoParameters(), "")


def names(viewer):
    return [layer.name for layer in viewer.layers]


ALL = (LABELS, MASK, PROBABILITY)


def test_results_lie_above_all_that_lies_on_their_image(viewer):
    source, truth = image("a"), labels("a truth")
    elsewhere = image("b", translate=(100, 0))
    for layer in (source, truth, elsewhere):
        viewer.add_layer(layer)
    points = viewer.add_points(np.zeros((1, 2)), name="mine")
    result_of(viewer, source).show(shown(*ALL), ALL)
    assert names(viewer) == [
        "a",
        "a truth",
        "a, probability by nuclei-2d",
        "a, mask by nuclei-2d",
        "a, by nuclei-2d",
        "b",
        "mine",
    ]
    assert points in viewer.layers


def test_an_output_shown_later_goes_below_the_objects(viewer):
    source = viewer.add_layer(image("a"))
    viewer.add_layer(labels("a truth"))
    result = result_of(viewer, source)
    result.show(shown(*ALL), [LABELS])
    result.show(shown(*ALL), [LABELS, MASK])
    assert names(viewer) == ["a", "a truth", "a, mask by nuclei-2d", "a, by nuclei-2d"]


def test_results_have_units_and_axis_labels_of_their_image_and_napari_does_not_warn(viewer):
    source = image("a", scale=(0.5, 0.25), units=("um", "um"), axis_labels=("y", "x"))
    viewer.add_layer(source)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result_of(viewer, source).show(shown(*ALL), ALL)
    assert {layer.units for layer in viewer.layers} == {source.units}
    assert {layer.axis_labels for layer in viewer.layers} == {("y", "x")}
    assert viewer.layers.extent.units is not None


def test_the_layers_of_another_model_are_taken_over_with_its_name(viewer):
    source = viewer.add_layer(image("a"))
    older = result_of(viewer, source, "one")
    older.show(shown(*ALL), ALL)
    viewer.layers["a, mask by one"].name = "mine"
    newer = result_of(viewer, source, "two")
    newer.adopt(older)
    assert names(viewer) == ["a", "a, probability by two", "mine", "a, by two"]


@pytest.mark.parametrize(
    "other",
    [
        labels("other size", (40, 30)),
        labels("elsewhere", translate=(100, 0)),
        labels("other scale", scale=(2, 2)),
        labels("mirrored", scale=(-1, 1)),
        labels("of another sample", metadata={IMAGE: "sample/2"}),
        labels("Curation: ground truth", metadata={OWNER: "curation"}),
    ],
    ids=lambda layer: layer.name,
)
def test_truth_of_another_image_is_not_offered(viewer, other):
    source = viewer.add_layer(image("a"))
    mine = viewer.add_layer(labels())
    viewer.add_layer(other)
    result = result_of(viewer, source)
    result.show(shown(*ALL), ALL)
    assert truth_layers(viewer.layers, result) == [mine]


def test_truth_named_like_the_image_comes_first(viewer):
    source = viewer.add_layer(image("cells"))
    for name in ("b labels", "cells labels"):
        viewer.add_layer(labels(name))
    found = truth_layers(viewer.layers, result_of(viewer, source))
    assert [layer.name for layer in found] == ["cells labels", "b labels"]


def test_the_curation_docks_truth_counts_only_while_its_image_is_the_same(viewer):
    source = viewer.add_layer(image("Curation: raw", metadata={OWNER: "curation"}))
    truth = viewer.add_layer(labels("Curation: ground truth", metadata={OWNER: "curation"}))
    result = result_of(viewer, source)
    assert truth_layers(viewer.layers, result) == [truth]
    source.data = np.ones(SHAPE)
    assert truth_layers(viewer.layers, result) == []


def test_the_samples_truth_is_hidden_and_looks_unlike_a_result(viewer):
    layers = [getattr(viewer, f"add_{kind}")(data, **meta) for data, meta, kind in fluorescence_nuclei()]
    truth, raw = layers
    assert names(viewer) == [truth.name, raw.name] == ["nuclei 000, truth", "nuclei 000"]
    assert not truth.visible
    assert raw.visible
    assert viewer.layers.selection.active is raw
    colours = {tuple(truth.colormap.map(value)) for value in np.unique(truth.data)[1:10]}
    assert len(colours) == 1
    assert truth_layers(viewer.layers, result_of(viewer, raw)) == [truth]


@pytest.mark.parametrize(
    ("unit", "expected"), [(None, "micrometer"), ("nm", "micrometer"), ("pixel", "pixel")]
)
def test_an_opened_image_brings_units_that_agree_with_the_others(viewer, unit, expected):
    if unit is not None:
        viewer.add_layer(image("present", units=(unit, unit)))
    pixels = np.zeros((3, *SHAPE))
    opened = PredictedImage(
        "a", "m", "ZYX", (("", pixels),), False, (1.0, 0.5, 0.5), ("micrometer", "micrometer", "micrometer")
    )
    layer = add_to_viewer(viewer, opened)
    assert {str(each) for each in layer.units} == {expected}
    assert layer.axis_labels == ("z", "y", "x")
    assert viewer.layers.extent.units is not None


def test_results_left_to_the_user_are_no_inputs_but_painted_ones_are_truth(viewer):
    source = viewer.add_layer(image("a"))
    result = result_of(viewer, source)
    result.show(shown(*ALL), ALL)
    painted = viewer.layers["a, by nuclei-2d"]
    painted.paint((5, 5), 7)
    assert truth_layers(viewer.layers, result) == [painted]
    result.let_go()
    assert not any(is_input(layer) for layer in viewer.layers if layer is not source)
    assert not any(OWNER in layer.metadata for layer in viewer.layers)
