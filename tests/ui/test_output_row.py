"""The outputs to tick follow from the model's target, whichever it is."""

from __future__ import annotations

import importlib
import sys

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from documented_packages import install
from segloop.prediction.kept import Shown
from segloop.targets import LABELS, MASK, PROBABILITY, NoParameters, Output, make_target
from segloop.ui.prediction.output_row import OutputRow
from segloop.ui.prediction.placement import placement
from segloop.ui.prediction.result_layers import ResultLayers


@pytest.fixture
def boundary_outputs(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(install(tmp_path)))
    importlib.import_module("boundary_target")
    yield make_target("boundary").outputs
    sys.modules.pop("boundary_target")


@pytest.fixture
def row(qtbot):
    row = OutputRow()
    qtbot.addWidget(row)
    row.show()
    return row


def on_screen(row):
    return [box.text() for box in row.boxes.values() if box.isVisible()]


def test_a_target_from_outside_offers_its_own_outputs(row, boundary_outputs, qtbot):
    row.offer(make_target("instance").outputs, [LABELS])
    assert on_screen(row) == ["objects", "mask", "probability"]

    row.offer(boundary_outputs, boundary_outputs[:1])

    assert on_screen(row) == ["boundaries", "probability"]
    boundary = boundary_outputs[0]
    assert row.boxes[boundary].toolTip() == "Where objects end"
    assert row.value() == [boundary]
    with qtbot.waitSignal(row.changed):
        QTest.keyClick(row.boxes[PROBABILITY], Qt.Key.Key_Space)
    assert row.value() == [boundary, PROBABILITY]


def test_offering_ticks_without_a_signal(row, qtbot):
    row.offer(make_target("instance").outputs, [LABELS])
    with qtbot.assertNotEmitted(row.changed):
        row.offer(make_target("instance").outputs, [MASK])
    assert row.value() == [MASK]


def test_many_outputs_take_several_lines_in_a_narrow_dock(row, qtbot):
    row.offer([Output(f"quite_a_long_name_{number}") for number in range(6)], [])
    row.resize(380, row.heightForWidth(380))
    qtbot.wait(20)
    boxes = list(row.boxes.values())
    assert all(row.rect().contains(box.geometry()) for box in boxes)
    assert len({box.y() for box in boxes}) > 1


def test_each_output_is_shown_as_its_target_says():
    viewer, pixels = ViewerModel(), np.ones((1, 1, 30, 40))
    source = viewer.add_layer(Image(np.zeros((30, 40)), name="a"))
    edges = Output("edges", "float32", layer="image")
    nuclei, organs = Output("nuclei", layer="mask"), Output("organs", "uint16")
    arrays = {output: pixels.astype(output.dtype) for output in (organs, nuclei, edges)}
    arrays[PROBABILITY] = np.zeros((1, 1, 1, 30, 40), np.uint8)
    view = ResultLayers(viewer, source, "a", "own", "YX", placement(source, "YX"), lambda act: act())

    view.show(Shown(arrays, ("edges",), NoParameters(), ""), list(arrays))

    names = ["a", "a, probability by own", "a, edges by own", "a, nuclei by own", "a, organs by own"]
    assert [layer.name for layer in viewer.layers] == names
    shown = [viewer.layers[name] for name in names[2:]]
    assert [type(layer) for layer in shown] == [Image, Labels, Labels]
    assert shown[0].data.dtype == "float32"
    assert shown[1].colormap.color_dict[None].tolist() == [1, 0, 1, 1]  # all in one colour
    view.update(Shown({edges: 2 * pixels}, (), NoParameters(), ""))
    assert (shown[0].data == 2).all()


def test_only_whole_numbers_can_be_shown_as_labels():
    with pytest.raises(ValueError, match="can only be shown as an image"):
        Output("edges", "float32", layer="mask")
    with pytest.raises(ValueError, match="letters"):
        Output("two words")
