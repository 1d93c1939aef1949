"""A new dataset in the Curation dock, by mouse and keys: folders, layers, and the table of pairs."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QToolButton
from tifffile import imread

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.images.pairing import Pair


def click(button):
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    QApplication.processEvents()


def type_into(line, text):
    line.clear()
    QTest.keyClicks(line, str(text))
    QTest.keyClick(line, Qt.Key.Key_Return)


def cells(table):
    """Return what a table of pairs shows."""
    return [[table.item(row, column).text() for column in range(3)] for row in range(table.rowCount())]


def tick(table, row):
    """Click the box of a row."""
    box = table.visualItemRect(table.item(row, 0))
    at = QPoint(box.left() + 10, box.center().y())
    QTest.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, at)
    QApplication.processEvents()


def test_pairs_of_folders_are_seen_mended_and_confirmed_before_a_dataset_is_made(
    open_dock, nuclei_folders, qtbot, settle, workspace
):
    seg, first, second, third = nuclei_folders / "seg", *sorted((nuclei_folders / "raw").iterdir())
    (seg / third.name).rename(seg / "renamed.tif")
    dock = open_dock("Curation")
    panel = dock.creation.panel
    click(dock.creation.empty.folders)
    type_into(panel.raw.line, nuclei_folders / "raw")
    type_into(panel.seg.line, seg)
    click(panel.seg_folders.add)
    type_into(panel.seg_folders.names[1], "otsu")
    type_into(panel.seg_folders.choosers[1].line, nuclei_folders / "otsu")
    settle(dock)
    table = panel.pairs.table
    pair = "same name"
    assert cells(table) == [
        [third.name, f"{third.name}, no seg", "no partner"],
        ["", "renamed.tif", "no partner"],
        [first.name, first.name, pair],
        [second.name, second.name, pair],
    ]
    assert panel.create.text() == "Create dataset of 2 pairs"
    assert not workspace.datasets()

    box = panel.pairs.chooser(0)
    box.setFocus()
    QTest.keyClick(box, Qt.Key.Key_Down)
    settle(dock)
    assert cells(table)[0] == [third.name, f"renamed.tif, {third.name}", "chosen by hand"]
    assert panel.create.text() == "Create dataset of 3 pairs"
    tick(table, next(row for row, each in enumerate(cells(table)) if each[0] == second.name))
    assert panel.create.text() == "Create dataset of 2 pairs"
    click(panel.create)
    qtbot.waitUntil(dock.panel.isVisible, timeout=60_000)
    settle(dock)

    dataset = dock.review.session.dataset
    assert dataset.sample_ids == (first.stem, third.stem)
    for stem in dataset.sample_ids:
        assert [each.name for each in dataset.sample(stem).segmentations] == ["seg", "otsu"]
    (found,) = dataset.labels(dataset.sample(third.stem))
    assert np.array_equal(found, imread(seg / "renamed.tif"))


def test_a_segmentation_that_is_not_wanted_is_removed_from_the_form(open_dock, nuclei_folders, settle):
    dock = open_dock("Curation")
    panel = dock.creation.panel
    click(dock.creation.empty.folders)
    click(panel.seg_folders.add)
    click(panel.seg_folders.add)
    type_into(panel.raw.line, nuclei_folders / "raw")
    type_into(panel.seg.line, nuclei_folders / "seg")
    type_into(panel.seg_folders.choosers[1].line, nuclei_folders / "nowhere")
    settle(dock)
    assert "nowhere" in panel.pairs.summary.text()
    click(panel.seg_folders.findChildren(QToolButton)[0])
    settle(dock)
    assert len(panel.seg_folders.names) == 2
    assert panel.pairs.summary.text() == "3 pairs"


def test_a_dataset_is_made_of_layers_that_were_never_saved(open_dock, viewer, nuclei_folders, qtbot, settle):
    pixels, labels = (imread(nuclei_folders / name / "000.tif") for name in ("raw", "seg"))
    size = {"scale": (0.5, 0.5), "units": ("um", "um")}
    viewer.add_image(pixels, name="cells", **size)
    viewer.add_labels(labels.astype(np.int32), name="drawn", **size)
    dock = open_dock("Curation")
    click(dock.creation.empty.layers)
    click(dock.creation.panel.create)
    qtbot.waitUntil(dock.panel.isVisible, timeout=60_000)
    settle(dock)
    dataset = dock.review.session.dataset
    assert np.array_equal(dataset.labels(dock.review.sample)[0], labels)
    assert dataset.raw(dock.review.sample).pixel_size_um[1:] == (0.5, 0.5)
    assert tuple(viewer.layers["Curation: raw"].scale) == (0.5, 0.5)


def test_a_missing_folder_is_named(open_dock, tmp_path, settle):
    dock = open_dock("Curation")
    click(dock.creation.empty.folders)
    dock.creation.panel.raw.set_value(tmp_path / "nowhere")
    dock.creation.panel.seg.set_value(tmp_path)
    settle(dock)
    click(dock.creation.panel.create)
    settle(dock)
    assert "nowhere" in dock.message.text
    assert dock.creation.panel.isVisible()


def test_samples_are_added_to_the_dataset_that_is_open(
    open_dock, nuclei_dataset, sample_nuclei, tmp_path, viewer, qtbot, settle
):
    stem = sorted((sample_nuclei / "raw").glob("*.tif"))[5].name
    for part in ("raw", "seg"):
        (tmp_path / "more" / part).mkdir(parents=True)
        (tmp_path / "more" / part / stem).write_bytes((sample_nuclei / part / stem).read_bytes())
    dock = open_dock("Curation")
    qtbot.waitUntil(dock.panel.isVisible, timeout=60_000)
    before = list(dock.review.session.samples)
    click(dock.datasets.more)
    panel = dock.creation.panel
    assert panel.title.text().startswith("More samples for nuclei.")
    assert not panel.name.isVisible()
    assert not panel.split_fold.isVisible()
    assert not panel.channel.isVisible()
    type_into(panel.raw.line, tmp_path / "more" / "raw")
    type_into(panel.seg.line, tmp_path / "more" / "seg")
    settle(dock)
    assert panel.create.text() == "Add 1 pair"
    click(panel.create)
    qtbot.waitUntil(dock.panel.isVisible, timeout=60_000)
    settle(dock)
    assert dock.message.text == "Added 1 sample to nuclei, which has 4 now."
    assert len(dock.review.session.samples) == len(before) + 1

    click(dock.datasets.more)
    click(panel.from_layers)
    assert panel.create.text() == "Add"
    viewer.add_image(np.zeros((20, 30), np.uint8), name="cells")
    viewer.add_labels(np.ones((20, 30), np.uint8), name="drawn")
    click(panel.create)
    qtbot.waitUntil(dock.panel.isVisible, timeout=60_000)
    settle(dock)
    assert "cells" in dock.review.session.samples

    click(dock.datasets.new)
    assert panel.name.isVisible()
    assert panel.create.text().startswith("Create dataset")


def test_the_samples_of_another_dataset_are_added_in_three_clicks(
    open_dock, nuclei_dataset, sample_nuclei, workspace, qtbot, settle, viewer
):
    raw = sorted((sample_nuclei / "raw").glob("*.tif"))[5]
    other = CuratedDataset.create(
        workspace.datasets_dir / "second",
        [Pair("extra", raw, sample_nuclei / "seg" / raw.name)],
        accept_all=True,
        label_kind="instances",
    )
    dock = open_dock("Curation")
    qtbot.waitUntil(dock.panel.isVisible, timeout=60_000)
    dock.presenter.open_dataset(nuclei_dataset)
    settle(dock)
    click(dock.datasets.new)
    assert not dock.creation.panel.from_dataset.isVisible()
    click(dock.datasets.more)
    panel = dock.creation.panel
    click(panel.from_dataset)
    assert panel.dataset.isVisible()
    assert not panel.raw.isVisible()
    assert [panel.dataset.itemText(row) for row in range(panel.dataset.count())] == [
        "second",
        "Other folder…",
    ]
    QTest.keyClick(panel.dataset, Qt.Key.Key_Down)
    panel.dataset.activated.emit(panel.dataset.currentIndex())
    assert panel.create.text() == "Add the samples of second"
    click(panel.create)
    qtbot.waitUntil(dock.panel.isVisible, timeout=60_000)
    settle(dock)
    assert dock.message.text == "Added 1 sample to nuclei, which has 4 now."
    added = CuratedDataset.open(nuclei_dataset)
    assert added.sample("extra").verdict == "accepted"
    assert np.array_equal(added.labels(added.sample("extra")), other.labels(other.sample("extra")))


def test_images_without_segmentations_are_labelled_from_nothing(
    open_dock, nuclei_folders, qtbot, settle, canvas, workspace
):
    dock = open_dock("Curation")
    panel = dock.creation.panel
    click(dock.creation.empty.folders)
    type_into(panel.raw.line, nuclei_folders / "raw")
    settle(dock)
    assert panel.create.text() == "Create dataset of 3 images to label"
    click(panel.create)
    qtbot.waitUntil(dock.panel.isVisible, timeout=60_000)
    settle(dock)
    dataset = dock.review.session.dataset
    sample = dock.review.sample
    assert sample.label_status.value == "unlabelled"
    assert not dataset.labels(sample).any()
    canvas.native.setFocus()
    canvas.key(Qt.Key.Key_L)
    canvas.drag([(40, 40), (40, 60)])
    settle(dock)
    (path,) = workspace.datasets()
    again = CuratedDataset.open(path)
    labels = again.labels(again.sample(sample.id))
    assert labels[0, 40, 50] == 1
    assert again.sample(sample.id).label_status.value == "corrected"
