"""Correcting labels in napari's window, by mouse and keys; what counts is what is on disk afterwards."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QFileDialog

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.images.pairing import Pair
from segloop.images.write import write_image
from segloop.ui.napari_private import painted_region


@pytest.fixture(params=[1, 5], ids=["plane", "stack"])
def n_slices(request):
    return request.param


@pytest.fixture
def drawn(workspace, tmp_path, n_slices):
    """A dataset of an image with three objects, of which two are glued together."""
    labels = np.zeros((n_slices, 120, 160), np.uint16)
    labels[:, 20:60, 20:100] = 1
    labels[:, 80:110, 20:60] = 2
    labels[:, 80:110, 100:140] = 3
    data, axes = (labels, "ZYX") if n_slices > 1 else (labels[0], "YX")
    files = {
        name: write_image(tmp_path / name / "a.tif", data, axes=axes, pixel_size_um=(1.0, 0.5, 0.5))
        for name in ("raw", "seg")
    }
    pair = Pair("a", files["raw"], files["seg"])
    return CuratedDataset.create(workspace.datasets_dir / "drawn", [pair]).path


@pytest.fixture
def dock(drawn, open_dock, settle, canvas):
    dock = open_dock("Curation")
    settle(dock)
    canvas.scale = 0.5
    return dock


def on_disk(path):
    dataset = CuratedDataset.open(path)
    return dataset.labels(dataset.sample("a"), "seg")


def press(canvas, key, modifier=Qt.KeyboardModifier.NoModifier):
    canvas.native.setFocus()
    canvas.key(key, modifier)


def middle(dock):
    return dock.view.z


def test_a_stroke_with_naparis_brush_is_stored_and_undone_by_the_keyboard(dock, drawn, canvas, viewer):
    before = on_disk(drawn)
    press(canvas, Qt.Key.Key_L)
    layer = viewer.layers["Curation: seg, corrected"]
    assert viewer.layers.selection.active is layer
    assert (str(layer.mode), layer.selected_label) == ("paint", 4)

    canvas.drag([(70, 30), (70, 40), (70, 50)])
    painted = on_disk(drawn)
    z = middle(dock)
    assert (painted[z, 70, 30:51] == 4).all()
    assert np.array_equal(painted[z], np.asarray(layer.data[z] if painted.shape[0] > 1 else layer.data))
    others = [each for each in range(painted.shape[0]) if each != z]
    assert np.array_equal(painted[others], before[others])

    canvas.drag([(100, 70), (100, 80)])
    press(canvas, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert np.array_equal(on_disk(drawn), painted)
    press(canvas, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert np.array_equal(on_disk(drawn), before)
    assert not np.any(np.asarray(layer.data) == 4)


def test_two_glued_objects_are_cut_by_a_key_and_a_line(dock, drawn, canvas):
    press(canvas, Qt.Key.Key_C)
    canvas.drag([(10, 60), (40, 60), (70, 60)])
    labels = on_disk(drawn)
    assert set(np.unique(labels)) == {0, 1, 2, 3, 4}
    assert len(np.unique(labels[:, 20:60, 20:58])) == 1
    assert dock.viewer_app.canvas_message.text == "Cut, Ctrl+Z undoes it"


def test_objects_are_joined_by_a_line_and_deleted_by_a_click(dock, drawn, canvas):
    press(canvas, Qt.Key.Key_J)
    canvas.drag([(95, 40), (95, 80), (95, 120)])
    assert (on_disk(drawn)[:, 90, 110] == 2).all()
    press(canvas, Qt.Key.Key_D)
    canvas.click(40, 60)
    assert set(np.unique(on_disk(drawn))) == {0, 2}
    assert dock.viewer_app.canvas_message.text == "Object 1 deleted, Ctrl+Z undoes it"


def test_an_outline_is_moved_to_the_edges_by_a_key_and_a_click(dock, drawn, canvas):
    """The image of these objects is that of their labels, so they come back."""
    before = on_disk(drawn)
    press(canvas, Qt.Key.Key_H)
    canvas.click(40, 60)
    canvas.click(40, 60)
    assert (on_disk(drawn) == 1).sum() < (before == 1).sum()
    press(canvas, Qt.Key.Key_W)
    canvas.click(40, 60)
    after = on_disk(drawn)
    assert ((after == 1) & (before == 1)).sum() > 0.95 * ((after == 1) | (before == 1)).sum()
    assert np.array_equal(after > 1, before > 1)
    assert dock.viewer_app.canvas_message.text == "Outline of object 1 moved to the edges, Ctrl+Z undoes it"


def test_naparis_brush_paints_in_three_dimensions(dock, drawn, canvas, viewer, n_slices):
    before = on_disk(drawn)
    press(canvas, Qt.Key.Key_L)
    layer = viewer.layers["Curation: seg, corrected"]
    layer.n_edit_dimensions = layer.ndim
    canvas.drag([(70, 30), (70, 40)])
    painted = on_disk(drawn)
    assert (painted[:, 70, 30:41] == 4).all()
    if n_slices > 1:
        assert np.array_equal(painted, np.asarray(layer.data))
        sizes = (painted == 4).sum(axis=(1, 2))
        assert sizes[0] < sizes[middle(dock)]  # a ball
    press(canvas, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert np.array_equal(on_disk(drawn), before)


def test_moving_the_view_with_a_tool_deletes_nothing(dock, drawn, canvas):
    press(canvas, Qt.Key.Key_D)
    canvas.drag([(40, 60), (45, 70), (50, 80)])
    assert set(np.unique(on_disk(drawn))) == {0, 1, 2, 3}


def test_buttons_and_naparis_tools_take_turns(dock, drawn, canvas, viewer):
    panel = dock.panel.labels
    QTest.mouseClick(panel.correct, Qt.MouseButton.LeftButton)
    layer = viewer.layers["Curation: seg, corrected"]
    assert panel.correct.isChecked()
    assert not viewer.layers["Curation: ground truth"].visible
    QTest.mouseClick(panel.tools["delete"], Qt.MouseButton.LeftButton)
    assert panel.tools["delete"].isChecked()
    assert str(layer.mode) == "pan_zoom"
    press(canvas, Qt.Key.Key_2)  # napari's key for the brush, not the second base
    assert str(layer.mode) == "paint"
    assert not panel.tools["delete"].isChecked()
    QTest.mouseClick(panel.correct, Qt.MouseButton.LeftButton)
    QApplication.processEvents()
    assert "Curation: seg, corrected" not in viewer.layers
    assert viewer.layers["Curation: ground truth"].visible
    assert dock.panel.base.isVisible()


def test_the_ground_truth_shows_corrections_when_correcting_ends(dock, drawn, canvas, viewer, settle):
    press(canvas, Qt.Key.Key_D)
    canvas.click(40, 60)
    press(canvas, Qt.Key.Key_L)
    settle(dock)
    assert not np.any(np.asarray(viewer.layers["Curation: ground truth"].data) == 1)
    assert not np.any(np.asarray(viewer.layers["Curation: seg"].data) == 1)


def test_drawing_regions_ends_correcting(dock, canvas, viewer, settle):
    press(canvas, Qt.Key.Key_L)
    QTest.mouseClick(dock.panel.exclude.button, Qt.MouseButton.LeftButton)
    settle(dock)
    assert not dock.review.editor.active
    assert dock.panel.exclude.button.isChecked()


@pytest.mark.parametrize("mode", ["paint", "erase", "fill"])
def test_the_box_around_a_stroke_holds_all_that_it_changed(viewer, canvas, mode):
    data = np.zeros((80, 90), np.uint32)
    data[30:50, 30:50] = 5
    before = data.copy()
    layer = viewer.add_labels(data)
    viewer.reset_view()
    layer.brush_size, layer.selected_label = 7, 3
    boxes = []
    layer.events.paint.connect(lambda event: boxes.append(painted_region(event.value, data.shape)))
    layer.mode = mode
    canvas.drag([(40, 35), (42, 40), (45, 44)])
    assert len(boxes) == 1
    outside = np.ones(data.shape, bool)
    outside[boxes[0]] = False
    changed = layer.data != before
    assert changed.any()
    assert not changed[outside].any()
    assert np.count_nonzero(~outside) < data.size


def test_what_a_stroke_holds_that_is_not_known_is_looked_for_everywhere():
    assert painted_region([object()], (4, 5)) == (slice(0, 4), slice(0, 5))
    old = [((np.array([2, 3]), np.array([4, 1])), np.array([0, 0]), 7)]
    assert painted_region(old, (9, 9)) == (slice(2, 4), slice(1, 5))


def test_the_dataset_is_exported_in_three_clicks(dock, drawn, tmp_path, settle, qtbot, viewer):
    dock.accept()
    (tmp_path / "out").mkdir()
    menu = dock.datasets.export.menu()
    action = next(each for each in menu.actions() if each.text().startswith("pairs:"))
    action.trigger()
    dialog = next(each for each in dock.window().findChildren(QFileDialog) if each.isVisible())
    dialog.setDirectory(str(tmp_path))
    dialog.selectFile(str(tmp_path / "out"))
    dialog.accept()
    settle(dock)
    assert (tmp_path / "out" / "drawn-pairs" / "dataset.csv").is_file()
    assert "1 sample written to" in dock.message.text


def test_objects_are_looked_at_one_by_one_and_deleted_by_the_keyboard(dock, drawn, canvas, viewer, n_slices):
    press(canvas, Qt.Key.Key_L)
    layer = viewer.layers["Curation: seg, corrected"]
    viewer.scene.camera.zoom *= 3
    for key, number in ((Qt.Key.Key_Period, 1), (Qt.Key.Key_Period, 2), (Qt.Key.Key_Comma, 1)):
        press(canvas, key)
        seen = layer.world_to_data(
            viewer.dims.point[: viewer.dims.ndim - 2] + viewer.scene.camera.center[-2:]
        )
        place = tuple(round(float(each)) for each in seen)
        assert layer.data[place] == number
    press(canvas, Qt.Key.Key_D, Qt.KeyboardModifier.ShiftModifier)
    assert sorted(np.unique(on_disk(drawn))) == [0, 2, 3]
    press(canvas, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert sorted(np.unique(on_disk(drawn))) == [0, 1, 2, 3]

    assert dock.panel.labels.steps["unlabelled_slice"].isVisible() == (n_slices > 1)
    QTest.mouseClick(dock.panel.labels.steps["next_object"], Qt.MouseButton.LeftButton)
    assert dock.review.walk.number == 3


def test_a_slice_without_labels_is_found(dock, drawn, canvas, viewer, n_slices):
    press(canvas, Qt.Key.Key_L)
    if n_slices > 1:
        dock.review.editor.labels[4] = 0
        dock.review.editor.take()
        assert dock.view.z != 4
    press(canvas, Qt.Key.Key_U)
    if n_slices > 1:
        assert dock.view.z == 4
    else:
        assert dock.message.text == "All slices have labels."


def test_slices_without_labels_are_excluded_by_a_key(dock, drawn, canvas, settle, n_slices):
    assert dock.panel.labels.steps["labelled_slices"].isVisible() == (n_slices > 1)
    press(canvas, Qt.Key.Key_L)
    dock.review.editor.labels[1:] = 0
    dock.review.editor.take()
    press(canvas, Qt.Key.Key_U, Qt.KeyboardModifier.ShiftModifier)
    settle(dock)
    dataset = CuratedDataset.open(drawn)
    valid = dataset.ground_truth(dataset.sample("a")).valid
    assert [bool(each.all()) for each in valid] == [True] + [False] * (n_slices - 1)
    assert not valid[1:].any()
    if n_slices == 1:
        assert dock.message.text == "a is not a stack."
        return
    assert dock.message.text == "1 of 5 slices have labels; the others are excluded."
    assert dock.review.editor.active

    dock.review.editor.labels[2, 20:40, 20:40] = 1
    dock.review.editor.take()
    QTest.mouseClick(dock.panel.labels.steps["labelled_slices"], Qt.MouseButton.LeftButton)
    settle(dock)
    dataset = CuratedDataset.open(drawn)
    valid = dataset.ground_truth(dataset.sample("a")).valid
    assert [bool(each.any()) for each in valid] == [True, False, True, False, False]
    assert [(each.z_first, each.z_last) for each in dataset.sample("a").regions] == [(1, 1), (3, 4)]


def test_it_is_said_that_no_slice_has_labels(dock, canvas, n_slices):
    press(canvas, Qt.Key.Key_L)
    dock.review.editor.labels[:] = 0
    dock.review.editor.take()
    press(canvas, Qt.Key.Key_U, Qt.KeyboardModifier.ShiftModifier)
    said = "No slice has labels yet: label one or more first." if n_slices > 1 else "a is not a stack."
    assert dock.message.text == said
