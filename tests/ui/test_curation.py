"""The Curation dock, by mouse and keys on real nuclei."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QToolButton
from tifffile import imread, imwrite

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.manifest import Verdict
from segloop.curation.session import ReviewSession
from segloop.images.pairing import pair_by_stem

CTRL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
SQUARE = [(40, 40), (40, 120), (110, 120), (110, 40)]
SIZE = {"PhysicalSizeX": 0.25, "PhysicalSizeY": 0.25, "PhysicalSizeXUnit": "µm", "PhysicalSizeYUnit": "µm"}


@pytest.fixture
def dock(open_dock, nuclei_dataset):
    """The dock with the dataset of three nuclei images open."""
    return open_dock("Curation")


def on_disk(path, number=0):
    dataset = CuratedDataset.open(path)
    return dataset.sample(dataset.sample_ids[number])


def click(button):
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    QApplication.processEvents()


def draw_square(canvas):
    canvas.key(Qt.Key.Key_E)
    for corner in SQUARE:
        canvas.click(*corner)
    canvas.key(Qt.Key.Key_Return)


def test_an_empty_workspace_says_what_to_do(open_dock, qtbot):
    dock = open_dock("Curation")
    qtbot.waitUntil(dock.creation.empty.isVisible)
    assert not dock.panel.isVisible()


def test_the_sample_nuclei_are_one_click_away(open_dock, qtbot, settle):
    dock = open_dock("Curation")
    click(dock.creation.empty.sample)
    qtbot.waitUntil(lambda: dock.panel.isVisible(), timeout=60_000)
    settle(dock)
    assert len(dock.panel.list.texts()) == 29
    assert dock.panel.counts.text() == "0 of 29 reviewed: 0 accepted, 0 rejected"


def test_key_a_accepts_and_goes_to_the_next_undecided(dock, canvas, settle, nuclei_dataset):
    canvas.key(Qt.Key.Key_A)
    settle(dock)
    assert on_disk(nuclei_dataset).verdict is Verdict.accepted
    assert dock.review.sample.id == dock.review.session.dataset.sample_ids[1]
    assert "1 accepted" in dock.panel.counts.text()


def test_the_reject_button_rejects(dock, settle, nuclei_dataset):
    click(dock.panel.reject)
    settle(dock)
    assert on_disk(nuclei_dataset).verdict is Verdict.rejected


def test_keys_work_with_the_keyboard_in_the_dock(dock, settle, nuclei_dataset, qtbot):
    dock.window().activateWindow()
    qtbot.waitUntil(dock.isActiveWindow)
    dock.panel.list.setFocus()
    QTest.keyClick(dock.panel.list, Qt.Key.Key_R)
    settle(dock)
    assert on_disk(nuclei_dataset).verdict is Verdict.rejected


def test_the_pixels_of_the_sample_are_shown(dock, viewer, canvas, settle, nuclei_folders):
    canvas.key(Qt.Key.Key_N)
    settle(dock)
    name = dock.review.sample.id + ".tif"
    assert np.array_equal(viewer.layers["Curation: raw"].data, imread(nuclei_folders / "raw" / name))
    assert np.array_equal(viewer.layers["Curation: seg"].data, imread(nuclei_folders / "seg" / name))
    assert np.array_equal(viewer.layers["Curation: seg2"].data, imread(nuclei_folders / "otsu" / name))


def test_a_polygon_drawn_with_the_mouse_is_saved_as_it_is_finished(
    dock, viewer, canvas, settle, nuclei_dataset
):
    draw_square(canvas)
    (region,) = on_disk(nuclei_dataset).regions
    assert (region.kind, region.shape) == ("exclude", "polygon")
    assert np.allclose(region.vertices, SQUARE, atol=1)
    settle(dock)
    assert viewer.layers["Curation: excluded"].data[60, 60] > 0
    assert viewer.layers["Curation: excluded"].data[20, 20] == 0
    assert dock.panel.exclude.count.text() == "1 region"


@pytest.mark.parametrize("shape", ["rectangle", "ellipse", "path"])
def test_the_other_shapes_are_drawn_with_naparis_tools(dock, canvas, settle, nuclei_dataset, shape):
    dock.panel.shape.setCurrentIndex(dock.panel.shape.findData(shape))
    click(dock.panel.exclude.button)
    if shape == "path":
        canvas.drag([(40, 40), (40, 80), (40, 120), (80, 120), (120, 120), (120, 80), (120, 40), (80, 40)])
    else:
        canvas.drag([(40, 40), (80, 80), (120, 120)])
    settle(dock)
    (region,) = on_disk(nuclei_dataset).regions
    assert region.shape == shape
    corners = np.asarray(region.vertices)
    assert np.allclose([corners.min(0), corners.max(0)], [(40, 40), (120, 120)], atol=4)


def test_ctrl_z_takes_back_the_shape_and_redo_brings_it_again(dock, viewer, canvas, settle, nuclei_dataset):
    draw_square(canvas)
    canvas.key(Qt.Key.Key_Z, CTRL)
    assert on_disk(nuclei_dataset).regions == ()
    assert len(viewer.layers["Curation: exclude regions"].data) == 0
    canvas.key(Qt.Key.Key_Z, CTRL | SHIFT)
    settle(dock)
    assert len(on_disk(nuclei_dataset).regions) == 1
    assert len(viewer.layers["Curation: exclude regions"].data) == 1


def test_ctrl_z_in_mid_shape_only_drops_the_shape(dock, canvas, settle, nuclei_dataset):
    click(dock.panel.accept)
    settle(dock)
    canvas.key(Qt.Key.Key_E)
    canvas.click(40, 40)
    canvas.key(Qt.Key.Key_Z, CTRL)
    assert on_disk(nuclei_dataset, 0).verdict is Verdict.accepted


def test_undo_shows_the_sample_it_concerns(dock, canvas, settle):
    canvas.key(Qt.Key.Key_A)
    settle(dock)
    canvas.key(Qt.Key.Key_Z, CTRL)
    settle(dock)
    assert dock.review.sample.id == dock.review.session.dataset.sample_ids[0]
    assert dock.review.sample.verdict is Verdict.undecided


def test_a_shape_moved_in_napari_is_saved(dock, viewer, canvas, settle, nuclei_dataset):
    draw_square(canvas)
    viewer.layers["Curation: exclude regions"].mode = "select"
    canvas.click(75, 80)
    canvas.drag([(75, 80), (85, 90), (95, 100)])
    settle(dock)
    (region,) = on_disk(nuclei_dataset).regions
    assert np.allclose(region.vertices, np.add(SQUARE, 20), atol=2)


def test_a_shape_deleted_in_napari_is_gone_on_disk(dock, viewer, canvas, settle, nuclei_dataset):
    draw_square(canvas)
    viewer.layers["Curation: exclude regions"].mode = "select"
    canvas.click(75, 80)
    canvas.key(Qt.Key.Key_Delete)
    settle(dock)
    assert on_disk(nuclei_dataset).regions == ()


def test_a_stray_click_leaves_no_region(dock, viewer, canvas, settle, nuclei_dataset):
    dock.panel.shape.setCurrentIndex(dock.panel.shape.findData("rectangle"))
    canvas.key(Qt.Key.Key_E)
    canvas.click(60, 60)
    settle(dock)
    assert on_disk(nuclei_dataset).regions == ()
    assert len(viewer.layers["Curation: exclude regions"].data) == 0


def test_a_merge_region_takes_the_other_segmentation(dock, viewer, canvas, settle, nuclei_dataset):
    dock.panel.shape.setCurrentIndex(dock.panel.shape.findData("rectangle"))
    canvas.key(Qt.Key.Key_M)
    canvas.drag([(0, 0), (100, 100), (255, 255)])
    settle(dock)
    (region,) = on_disk(nuclei_dataset).regions
    assert (region.kind, region.cut) == ("merge", "object")
    shown = viewer.layers["Curation: ground truth"].data > 0
    inside = (slice(10, 245), slice(10, 245))
    assert np.mean(shown[inside] == (viewer.layers["Curation: seg2"].data > 0)[inside]) > 0.97


def test_key_2_makes_the_second_segmentation_the_base(dock, viewer, canvas, settle, nuclei_dataset):
    canvas.key(Qt.Key.Key_2)
    settle(dock)
    assert on_disk(nuclei_dataset).base == "seg2"
    second = viewer.layers["Curation: seg2"].data
    assert np.array_equal(viewer.layers["Curation: ground truth"].data > 0, second > 0)


def test_the_users_layers_are_left_alone(viewer, open_dock, nuclei_dataset, canvas, settle):
    pixels = np.arange(100, dtype=np.uint8).reshape(10, 10)
    viewer.add_image(pixels.copy(), name="mine")
    viewer.add_labels(np.ones((10, 10), np.uint8), name="my labels")
    dock = open_dock("Curation")
    draw_square(canvas)
    canvas.key(Qt.Key.Key_N)
    settle(dock)
    assert [layer.name for layer in viewer.layers][:2] == ["mine", "my labels"]
    assert np.array_equal(viewer.layers["mine"].data, pixels)


def test_closing_the_dock_takes_its_layers_along_and_reopening_goes_on(
    dock, viewer, canvas, settle, open_dock, nuclei_folders
):
    canvas.key(Qt.Key.Key_A)
    settle(dock)
    here = dock.review.sample.id
    viewer.add_image(imread(nuclei_folders / "raw" / "000.tif"), name="mine")
    dock.parent().destroyOnClose()
    assert [layer.name for layer in viewer.layers] == ["mine"]
    again = open_dock("Curation")
    assert again.review.sample.id == here


def test_a_missing_file_is_named_and_the_sample_can_be_rejected(dock, settle, nuclei_dataset, nuclei_folders):
    (nuclei_folders / "raw" / f"{dock.review.session.dataset.sample_ids[2]}.tif").unlink()
    dock.panel.list.setCurrentIndex(dock.panel.list.model().index(2, 0))
    settle(dock)
    assert f"{dock.review.sample.id}.tif" in dock.message.text
    assert dock.message.remedy.text() == "Find moved files"
    click(dock.panel.reject)
    settle(dock)
    assert on_disk(nuclei_dataset, 2).verdict is Verdict.rejected


def test_a_damaged_file_is_named_and_its_message_offers_to_reject_it(
    dock, settle, nuclei_dataset, nuclei_folders
):
    (nuclei_folders / "raw" / f"{dock.review.session.dataset.sample_ids[2]}.tif").write_bytes(b"no image")
    dock.panel.list.setCurrentIndex(dock.panel.list.model().index(2, 0))
    settle(dock)
    assert f"{dock.review.sample.id}.tif" in dock.message.text
    click(dock.message.remedy)
    settle(dock)
    assert on_disk(nuclei_dataset, 2).verdict is Verdict.rejected


def test_the_filter_limits_the_list(dock, canvas, settle):
    canvas.key(Qt.Key.Key_A)
    settle(dock)
    dock.panel.filter.setCurrentIndex(dock.panel.filter.findText("undecided"))
    assert len(dock.panel.list.texts()) == 2


def test_hiding_a_segmentation_hides_its_layer(dock, viewer):
    click(dock.panel.shown.boxes["segmentation:seg2"])
    assert not viewer.layers["Curation: seg2"].visible


def test_a_region_of_this_slice_covers_only_it(
    open_dock, workspace, tmp_path, canvas, viewer, settle, test_data
):
    folder = cropped_stack(test_data, tmp_path)
    pairing = pair_by_stem(folder / "raw", folder / "seg")
    CuratedDataset.create(workspace.datasets_dir / "stack", pairing.pairs)
    dock = open_dock("Curation")
    viewer.dims.set_current_step(0, 3)
    canvas.scale = viewer.layers["Curation: raw"].scale[-1]
    click(dock.panel.slices.this)
    dock.panel.shape.setCurrentIndex(dock.panel.shape.findData("rectangle"))
    canvas.key(Qt.Key.Key_E)
    canvas.drag([(5, 5), (20, 20), (40, 40)])
    settle(dock)
    (region,) = on_disk(workspace.datasets()[0]).regions
    assert (region.z_first, region.z_last) == (3, 3)
    layer = viewer.layers["Curation: exclude regions"]
    assert layer.edge_color[0, 3] == 1
    viewer.dims.set_current_step(0, 5)
    assert layer.edge_color[0, 3] == 0


def test_painting_on_the_docks_own_labels_does_nothing(dock, viewer, canvas, settle):
    draw_square(canvas)
    canvas.key(Qt.Key.Key_N)
    settle(dock)
    for name in ("ground truth", "excluded", "seg", "seg2"):
        layer = viewer.layers[f"Curation: {name}"]
        before = np.array(layer.data)
        viewer.layers.selection.active = layer
        layer.mode = "paint"
        canvas.drag([(60, 60), (80, 80), (100, 100)])
        assert not layer.editable
        assert np.array_equal(layer.data, before)


def test_a_note_draws_nothing_anew(dock, viewer, settle, nuclei_dataset):
    drawn = []
    for name in ("ground truth", "excluded", "seg", "raw"):
        viewer.layers[f"Curation: {name}"].events.data.connect(lambda event: drawn.append(event.source.name))
    click(dock.panel.findChild(QToolButton, "segloop_fold"))
    dock.panel.note.setFocus()
    QTest.keyClicks(dock.panel.note, "seen")
    QTest.keyClick(dock.panel.note, Qt.Key.Key_Return)
    settle(dock)
    assert on_disk(nuclei_dataset).note == "seen"
    assert drawn == []


def test_a_region_drawn_by_another_reviewer_stays(dock, viewer, canvas, settle, nuclei_dataset):
    other = ReviewSession(CuratedDataset.open(nuclei_dataset))
    theirs = other.add_region("exclude", "rectangle", [(150, 150), (150, 200), (200, 200), (200, 150)])
    draw_square(canvas)
    settle(dock)
    assert [each.id == theirs.id for each in on_disk(nuclei_dataset).regions] == [True, False]
    assert len(viewer.layers["Curation: exclude regions"].data) == 2
    assert dock.panel.exclude.count.text() == "2 regions"


def test_drawing_goes_on_after_the_regions_layer_was_deleted(dock, viewer, canvas, settle, nuclei_dataset):
    draw_square(canvas)
    viewer.layers.selection.active = viewer.layers["Curation: exclude regions"]
    viewer.layers.remove_selected()
    dock.panel.shape.setCurrentIndex(dock.panel.shape.findData("rectangle"))
    viewer.layers.selection.active = viewer.layers["Curation: raw"]
    canvas.key(Qt.Key.Key_E)
    canvas.drag([(150, 150), (170, 170), (200, 200)])
    settle(dock)
    assert [each.shape for each in on_disk(nuclei_dataset).regions] == ["polygon", "rectangle"]
    assert len(viewer.layers["Curation: exclude regions"].data) == 2


def test_a_split_moves_the_whole_group_and_undo_brings_it_back(
    open_dock, workspace, nuclei_folders, settle, viewer
):
    pairs = pair_by_stem(nuclei_folders / "raw", nuclei_folders / "seg").pairs
    path = CuratedDataset.create(workspace.datasets_dir / "d", pairs, group_by=r"^\d", val=0).path
    dock = open_dock("Curation")
    click(dock.panel.splits["val"])
    assert {each.split for each in CuratedDataset.open(path).samples()} == {"val"}
    assert dock.message.text == "3 samples were moved to val: samples of one group share their split."
    assert all("val" in text for text in dock.panel.list.texts())
    click(dock.panel.undo)
    settle(dock)
    assert {each.split for each in CuratedDataset.open(path).samples()} == {"train"}
    assert all("train" in text for text in dock.panel.list.texts())
    assert dock.panel.splits["train"].isChecked()


@pytest.fixture
def sized_dataset(workspace, tmp_path, nuclei_folders):
    """A dataset of two images: the first with a pixel size of 0.25 micrometres, the second without."""
    for name in ("raw", "seg"):
        (tmp_path / "sized" / name).mkdir(parents=True)
        pixels = imread(nuclei_folders / name / "000.tif")
        imwrite(tmp_path / "sized" / name / "000.ome.tif", pixels, metadata=SIZE if name == "raw" else {})
    sized = pair_by_stem(tmp_path / "sized" / "raw", tmp_path / "sized" / "seg").pairs
    bare = pair_by_stem(nuclei_folders / "raw", nuclei_folders / "seg").pairs[1:2]
    return CuratedDataset.create(workspace.datasets_dir / "d", [*sized, *bare]).path


def test_regions_are_drawn_where_the_mouse_is_beside_a_layer_in_nanometres(
    open_dock, viewer, canvas, settle, sized_dataset
):
    dock = open_dock("Curation")
    viewer.add_image(np.zeros((256, 256), np.uint8), name="mine", scale=(250, 250), units=("nm", "nm"))
    click(dock.panel.exclude.button)
    canvas.scale = 250
    for corner in SQUARE:
        canvas.click(*corner)
    canvas.key(Qt.Key.Key_Return)
    settle(dock)
    (region,) = on_disk(sized_dataset).regions
    assert np.allclose(region.vertices, SQUARE, atol=1)
    assert tuple(map(str, viewer.layers["Curation: raw"].units)) == ("nanometer",) * 2


def test_layers_are_as_large_as_the_image_says(open_dock, viewer, settle, sized_dataset):
    dock = open_dock("Curation")
    own = [layer for layer in viewer.layers if layer.name.startswith("Curation: ")]
    assert len(own) == 6
    for layer in own:
        assert (tuple(layer.scale), tuple(map(str, layer.units))) == ((0.25, 0.25), ("micrometer",) * 2)
    click(dock.panel.next)
    settle(dock)
    for layer in own:
        assert (tuple(layer.scale), tuple(map(str, layer.units))) == ((1.0, 1.0), ("pixel",) * 2)


def test_a_dataset_still_being_opened_does_not_follow_into_another_workspace(
    dock, workspace, nuclei_folders, tmp_path, settle, qtbot
):
    pairs = pair_by_stem(nuclei_folders / "raw", nuclei_folders / "seg").pairs
    path = CuratedDataset.create(workspace.datasets_dir / "second", pairs).path
    dock.open_dataset(path)
    dock.workspace_bar.chosen.emit(tmp_path / "elsewhere")
    settle(dock)
    assert dock.review.session is None
    assert dock.creation.empty.isVisible()
    assert not dock.progress.isVisible()


def test_a_dataset_being_made_does_not_follow_into_another_workspace(
    open_dock, workspace, nuclei_folders, tmp_path, settle
):
    dock = open_dock("Curation")
    click(dock.creation.empty.folders)
    dock.creation.panel.raw.set_value(nuclei_folders / "raw")
    dock.creation.panel.seg.set_value(nuclei_folders / "seg")
    settle(dock)
    click(dock.creation.panel.create)
    dock.workspace_bar.chosen.emit(tmp_path / "elsewhere")
    settle(dock)
    assert workspace.datasets()
    assert dock.review.session is None
    assert str(workspace.datasets()[0]) in dock.message.text


@pytest.mark.parametrize("state", ["review", "new", "stack"])
def test_it_fits_a_panel_of_400_pixels(dock, state):
    if state == "new":
        click(dock.datasets.new)
    if state == "stack":
        dock.panel.show_slices(300)
    dock.message.show_error("A sentence that is long enough to need several lines " * 3, "Remedy")
    QApplication.processEvents()
    beside_scroll_bar = 400 - dock.scroll.verticalScrollBar().sizeHint().width()
    assert dock.content.minimumSizeHint().width() <= beside_scroll_bar
    assert dock.message.minimumSizeHint().width() <= 384


def cropped_stack(test_data, tmp_path):
    """Write 10 slices of 96 x 96 pixels of a real stack with its labels into ``raw`` and ``seg``."""
    for name in ("raw", "seg"):
        stack = imread(test_data / "nuclei3d_embryo" / "train" / name / "08_cell_stage.tif")
        (tmp_path / "stack" / name).mkdir(parents=True)
        middle = tuple(size // 2 for size in stack.shape[-3:])
        z, y, x = middle
        part = stack[z - 5 : z + 5, y - 48 : y + 48, x - 48 : x + 48]
        imwrite(
            tmp_path / "stack" / name / "embryo.tif", part, metadata={"axes": "ZYX"}, imagej=name == "raw"
        )
    return tmp_path / "stack"


def test_a_damaged_sample_is_told_and_the_others_are_shown(open_dock, nuclei_dataset, settle):
    first = CuratedDataset.open(nuclei_dataset).sample_ids[0]
    (nuclei_dataset / "samples" / f"{first}.json").write_text("{")
    dock = open_dock("Curation")
    settle(dock)
    assert len(dock.panel.list.texts()) == 2
    assert first in dock.message.text
    assert dock.message.level == "warning"
