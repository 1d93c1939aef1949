"""The Curation dock in napari's other views, and with its layers taken away."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from tifffile import imread, imwrite

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.images.pairing import pair_by_stem
from segloop.ui.curation.review_panel import ReviewPanel

SQUARE = [(40, 40), (40, 120), (110, 120), (110, 40)]


@pytest.fixture
def stacks(nuclei_folders, workspace):
    """A dataset of stacks, three times the same nuclei over each other."""
    for part in ("raw", "seg"):
        for path in (nuclei_folders / part).glob("*.tif"):
            imwrite(path, np.stack([imread(path)] * 3), metadata={"axes": "ZYX"}, photometric="minisblack")
    pairing = pair_by_stem(nuclei_folders / "raw", nuclei_folders / "seg")
    return CuratedDataset.create(workspace.datasets_dir / "stacks", pairing.pairs).path


@pytest.fixture
def dock(stacks, open_dock):
    """The dock with the stacks open."""
    return open_dock("Curation")


def regions(path, number=0):
    dataset = CuratedDataset.open(path)
    return dataset.sample(dataset.sample_ids[number]).regions


def click(button):
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def draw(canvas, corners=SQUARE):
    canvas.key(Qt.Key.Key_E)
    for corner in corners:
        canvas.click(*corner)


@pytest.mark.filterwarnings("ignore:Contours are not displayed during 3D rendering")
def test_samples_with_regions_are_stepped_through_in_the_3d_view(dock, viewer, canvas, settle, stacks):
    draw(canvas)
    canvas.key(Qt.Key.Key_Return)
    settle(dock)
    viewer.dims.ndisplay = 3
    for key in (Qt.Key.Key_N, Qt.Key.Key_B):
        canvas.key(key)
        settle(dock)
    assert viewer.layers["Curation: excluded"].data[1, 60, 60] > 0
    viewer.dims.ndisplay = 2
    settle(dock)
    (shape,) = viewer.layers["Curation: exclude regions"].data
    assert np.allclose(shape, SQUARE, atol=1)
    assert len(regions(stacks)) == 1


@pytest.mark.filterwarnings("ignore:Contours are not displayed during 3D rendering")
def test_a_shape_in_hand_is_kept_when_the_view_becomes_3d(dock, viewer, canvas, settle, stacks):
    draw(canvas)
    viewer.dims.ndisplay = 3
    settle(dock)
    assert len(regions(stacks)) == 1
    viewer.dims.ndisplay = 2
    settle(dock)
    assert len(viewer.layers["Curation: exclude regions"].data) == 1


def test_the_button_is_released_when_the_layer_that_is_drawn_on_is_deleted(dock, viewer, canvas):
    draw(canvas, SQUARE[:3])
    assert dock.panel.exclude.button.isChecked()
    viewer.layers.remove(viewer.layers["Curation: exclude regions"])
    assert not dock.panel.exclude.button.isChecked()


def test_a_view_from_the_side_shows_no_regions_and_drawing_turns_it_back(
    dock, viewer, canvas, settle, stacks
):
    draw(canvas)
    viewer.dims.order = (1, 0, 2)
    settle(dock)
    layer = viewer.layers["Curation: exclude regions"]
    assert len(regions(stacks)) == 1
    assert len(layer.data) == 0
    assert not dock.panel.exclude.button.isChecked()
    viewer.reset_view()
    draw(canvas, [(150, 150), (150, 200), (190, 200), (190, 150)])
    canvas.key(Qt.Key.Key_Return)
    assert viewer.dims.order == (0, 1, 2)
    assert len(layer.data) == 2
    assert np.allclose(regions(stacks)[1].vertices[0], (150, 150), atol=2)


def test_a_region_of_another_slice_is_not_highlighted(dock, viewer, canvas, settle):
    click(dock.panel.slices.this)
    draw(canvas)
    canvas.key(Qt.Key.Key_Return)
    settle(dock)
    highlighted = []
    layer = viewer.layers["Curation: exclude regions"]
    layer.events.highlight.connect(lambda event: highlighted.append(layer._outline_shapes()[0] is not None))
    viewer.dims.set_current_step(0, 2)
    assert layer.edge_color[0, 3] == 0
    assert highlighted
    assert not highlighted[-1]


def test_slices_are_offered_for_stacks_alone(dock):
    panel = dock.panel
    assert panel.slices.isVisible()
    fresh = ReviewPanel(
        dock.review, dock.presenter.quality, dock.viewer_app
    )  # as it is until a sample is on screen
    assert not fresh.slices.isVisibleTo(fresh)
    fresh.deleteLater()
