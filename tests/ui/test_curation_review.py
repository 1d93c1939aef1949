"""Curation on screen: the list, messages on the canvas, choices while drawing, and the units of layers."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.images.pairing import Pair, pair_by_stem
from segloop.images.write import write_image


def click(widget, position=None):
    arguments = (Qt.KeyboardModifier.NoModifier, position) if position is not None else ()
    QTest.mouseClick(widget, Qt.MouseButton.LeftButton, *arguments)
    QApplication.processEvents()


def choose(box, data):
    """Choose an entry of a combo box as a user does, from the keyboard."""
    box.setFocus()
    while box.currentData() != data:
        before = box.currentIndex()
        QTest.keyClick(box, Qt.Key.Key_Down if before < box.findData(data) else Qt.Key.Key_Up)
        assert box.currentIndex() != before
    QApplication.processEvents()


def on_disk(path, number=0):
    dataset = CuratedDataset.open(path)
    return dataset.sample(dataset.sample_ids[number])


@pytest.fixture
def dock(open_dock, nuclei_dataset, settle):
    dock = open_dock("Curation")
    settle(dock)
    return dock


@pytest.fixture
def stack(workspace, tmp_path):
    """A dataset of one stack with three segmentations, of which the pixel size is known."""
    labels = np.zeros((6, 120, 120), np.uint8)
    labels[1:5, 20:60, 20:60] = 1
    files = {
        name: write_image(tmp_path / name / "a.tif", labels, axes="ZYX", pixel_size_um=(1.0, 0.5, 0.5))
        for name in ("raw", "manual", "cellpose", "stardist")
    }
    others = {name: files[name] for name in ("cellpose", "stardist")}
    pair = Pair("a", files["raw"], files["manual"], others, "manual")
    return CuratedDataset.create(workspace.datasets_dir / "stack", [pair]).path


def test_a_key_says_on_the_canvas_what_it_did(dock, viewer, canvas, settle):
    first = dock.review.sample.id
    canvas.key(Qt.Key.Key_R)
    assert dock.viewer_app.canvas_message.text == f"{first} rejected, Ctrl+Z undoes it"
    settle(dock)
    canvas.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert dock.viewer_app.canvas_message.text == f"Undone in {first}"
    settle(dock)
    canvas.key(Qt.Key.Key_E)
    assert dock.viewer_app.canvas_message.text == "Drawing exclude regions, E stops drawing"


def test_another_shape_chosen_while_drawing_changes_the_tool_at_once(
    dock, viewer, canvas, settle, nuclei_dataset
):
    canvas.key(Qt.Key.Key_E)
    layer = viewer.layers["Curation: exclude regions"]
    assert str(layer.mode) == "add_polygon"
    choose(dock.panel.shape, "ellipse")
    assert str(layer.mode) == "add_ellipse"
    assert dock.panel.exclude.button.isChecked()
    canvas.drag([(40, 40), (80, 80), (120, 120)])
    settle(dock)
    assert [region.shape for region in on_disk(nuclei_dataset).regions] == ["ellipse"]


def test_other_slices_chosen_while_drawing_act_on_the_region_just_drawn(
    open_dock, stack, viewer, canvas, settle
):
    dock = open_dock("Curation")
    settle(dock)
    viewer.dims.set_current_step(0, 3)
    canvas.scale = 0.5
    choose(dock.panel.shape, "rectangle")
    canvas.key(Qt.Key.Key_E)
    canvas.drag([(10, 10), (30, 30), (50, 50)])
    settle(dock)
    assert [(each.z_first, each.z_last) for each in on_disk(stack).regions] == [(None, None)]
    click(dock.panel.slices.this)
    settle(dock)
    assert [(each.z_first, each.z_last) for each in on_disk(stack).regions] == [(3, 3)]
    assert str(viewer.layers["Curation: exclude regions"].mode) == "add_rectangle"


def test_each_segmentation_has_its_name_on_screen_and_a_key(open_dock, stack, viewer, canvas, settle):
    dock = open_dock("Curation")
    settle(dock)
    assert [button.text() for button in dock.panel.base.buttons.values()] == [
        "manual",
        "cellpose",
        "stardist",
    ]
    for name in ("manual", "cellpose", "stardist"):
        assert f"Curation: {name}" in viewer.layers
    canvas.key(Qt.Key.Key_3)
    assert on_disk(stack).base == "stardist"
    assert dock.panel.base.buttons["stardist"].isChecked()
    click(dock.panel.shown.boxes["segmentation:cellpose"])
    assert not viewer.layers["Curation: cellpose"].visible
    assert viewer.layers["Curation: manual"].visible


def test_a_merge_takes_from_the_segmentation_that_is_chosen_beside_it(
    open_dock, stack, viewer, canvas, settle
):
    dock = open_dock("Curation")
    settle(dock)
    assert dock.panel.merge.source.isVisible()
    dock.panel.merge.source.setFocus()
    QTest.keyClick(dock.panel.merge.source, Qt.Key.Key_Down)
    choose(dock.panel.shape, "rectangle")
    canvas.scale = 0.5
    click(dock.panel.merge.button)
    canvas.drag([(10, 10), (30, 30), (50, 50)])
    settle(dock)
    assert [region.segmentation for region in on_disk(stack).regions] == ["stardist"]


def test_the_list_shows_notes_is_searched_and_sorted(dock, settle, nuclei_dataset):
    ids = list(dock.review.session.samples)
    dock.review.jump(ids[1])
    settle(dock)
    dock.review.set_note("Smear at the edge")
    assert "Smear at the edge" in dock.panel.list.texts()[1]
    QTest.keyClicks(dock.panel.search, "smear")
    assert [text.split()[0] for text in dock.panel.list.texts()] == [ids[1]]
    dock.panel.search.clear()
    QApplication.processEvents()
    header = dock.panel.list.header()
    name = QPoint(header.sectionViewportPosition(0) + 10, header.height() // 2)
    click(header.viewport(), name)
    assert [text.split()[0] for text in dock.panel.list.texts()] == ids[::-1]
    click(header.viewport(), name)
    assert [text.split()[0] for text in dock.panel.list.texts()] == ids


def test_layers_have_the_units_and_axes_of_their_image(open_dock, stack, viewer, settle):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dock = open_dock("Curation")
        settle(dock)
    own = [layer for layer in viewer.layers if layer.name.startswith("Curation: ")]
    assert len(own) == 8
    for layer in own:
        assert tuple(map(str, layer.units)) == ("micrometer",) * layer.ndim
        assert layer.axis_labels == ("z", "y", "x")[-layer.ndim :]
    assert viewer.layers.extent.units is not None


def test_the_units_follow_layers_of_the_user_in_pixels(open_dock, stack, viewer, settle):
    dock = open_dock("Curation")
    settle(dock)
    mine = viewer.add_image(np.zeros((6, 120, 120), np.uint8), name="mine")
    settle(dock)
    assert viewer.layers.extent.units is not None
    assert tuple(viewer.layers["Curation: raw"].scale) == (2.0, 1.0, 1.0)
    assert tuple(viewer.layers["Curation: exclude regions"].scale) == (1.0, 1.0)
    viewer.layers.remove(mine)
    settle(dock)
    assert tuple(viewer.layers["Curation: raw"].scale) == (1.0, 0.5, 0.5)
    assert tuple(map(str, viewer.layers["Curation: raw"].units)) == ("micrometer",) * 3


def test_naparis_hint_names_the_keys_that_work_in_these_layers(dock, viewer, canvas):
    hint = "<A> accept, <R> reject, <N> next, <B> back, <E> exclude, <M> merge, <1>, <2>... base"
    assert viewer.help == hint
    canvas.key(Qt.Key.Key_E)
    assert viewer.help == hint
    viewer.layers.selection.active = viewer.layers["Curation: seg"]
    assert viewer.help == hint
    mine = viewer.add_labels(np.zeros((8, 8), np.uint8))
    viewer.layers.selection.active = mine
    assert "accept" not in viewer.help


def test_three_long_names_fit_a_dock_of_400_pixels(open_dock, workspace, nuclei_folders, settle):
    folders = dict.fromkeys(("otsu_with_long_name", "another_long_name"), nuclei_folders / "otsu")
    pairing = pair_by_stem(
        nuclei_folders / "raw", nuclei_folders / "seg", folders, name="by_hand_and_checked"
    )
    CuratedDataset.create(workspace.datasets_dir / "long", pairing.pairs)
    dock = open_dock("Curation")
    settle(dock)
    assert dock.panel.merge.source.isVisible()
    assert dock.content.minimumSizeHint().width() <= 384


def test_a_region_is_copied_to_the_next_sample_from_its_menu(dock, canvas, settle, nuclei_dataset):
    choose(dock.panel.shape, "rectangle")
    canvas.key(Qt.Key.Key_E)
    canvas.drag([(40, 40), (80, 80), (120, 120)])
    settle(dock)
    row = dock.panel.exclude
    menu = row.menu
    menu.popup(row.list.mapToGlobal(row.list.rect().bottomLeft()))
    QTest.keyClick(menu, Qt.Key.Key_Up)
    QTest.keyClick(menu, Qt.Key.Key_Up)
    QTest.keyClick(menu, Qt.Key.Key_Return)
    QApplication.processEvents()
    second = dock.review.session.dataset.sample_ids[1]
    assert dock.message.text == f"1 region copied to {second}."
    assert [region.shape for region in on_disk(nuclei_dataset, 1).regions] == ["rectangle"]
    canvas.key(Qt.Key.Key_N)
    settle(dock)
    assert row.count.text() == "1 region"
