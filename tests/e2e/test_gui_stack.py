"""The loop with a real stack, by mouse and keys: predict, correct it in 3D, train on it, predict again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from prediction_fixtures import click, idle, labels_of
from segloop.app.presenters.prediction.compatibility import Remedy
from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.config import compose
from segloop.config.train import StopConfig, TrainConfig
from segloop.core.matching import find_overlaps
from segloop.core.object_errors import ErrorKind, classify_objects, count_object_errors

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

SLICES = 28
"""Of the 51 of the stack; five nuclei lie wholly in them."""
EXCLUDED = (25, 27)
STEPS = 100
MINUTE = 60_000
PIXEL_SIZE_UM = (1.75, 0.8, 0.8)


@pytest.fixture
def stack(test_data: Path) -> tuple[np.ndarray, np.ndarray]:
    """Raw pixels and true nuclei of a real embryo."""
    folder = test_data / "nuclei3d_embryo" / "train"
    raw, truth = (tifffile.imread(folder / kind / "08_cell_stage.tif")[:SLICES] for kind in ("raw", "seg"))
    return raw, truth.astype(np.int64)


def wrong(labels: np.ndarray, truth: np.ndarray) -> int:
    found = count_object_errors(find_overlaps(labels.astype(np.int64), truth))
    return found.missed + found.spurious + found.split + found.merged


class Hand:
    """What a person does who sees the truth."""

    def __init__(self, viewer: Any, canvas: Any, curation: Any, truth: np.ndarray) -> None:
        self.viewer, self.canvas, self.curation, self.truth = viewer, canvas, curation, truth

    @property
    def labels(self) -> np.ndarray:
        return np.asarray(self.curation.review.editor.labels).astype(np.int64)

    def press(self, key: Any) -> None:
        self.canvas.native.setFocus()
        self.canvas.key(key)

    def click_on(self, mask: np.ndarray) -> None:
        """Click in the middle of an object, in the slice where it is largest."""
        z = int(mask.sum(axis=(1, 2)).argmax())
        self.viewer.dims.set_current_step(0, z)
        self.canvas.click(*middle(mask[z]))

    def correct(self) -> None:
        overlaps = find_overlaps(self.labels, self.truth)
        pred, truth = classify_objects(overlaps)
        merged = overlaps.pred_labels[pred == ErrorKind.MERGED]
        missed = set(overlaps.truth_labels[truth == ErrorKind.MISSED])
        for number in merged:
            # Those that lie on top of each other can't be cut by a line, and are drawn again.
            missed |= (
                set(np.unique(self.truth[self.labels == number]))
                - {0}
                - found_elsewhere(self.labels, self.truth, number)
            )
        self.press(Qt.Key.Key_D)
        for number in (*merged, *overlaps.pred_labels[pred == ErrorKind.SPURIOUS]):
            self.click_on(self.labels == number)
        for number in sorted(missed):
            self.draw(self.truth == number)

    def draw(self, mask: np.ndarray) -> None:
        """Dab every third slice of an object with napari's brush, and let the rest be filled in."""
        slices = np.flatnonzero(mask.any(axis=(1, 2)))
        layer = self.curation.view.labels.layer
        self.press(Qt.Key.Key_2)
        self.press(Qt.Key.Key_M)
        number = layer.selected_label
        for z in sorted({*slices[::3], slices[-1]}):
            self.viewer.dims.set_current_step(0, int(z))
            layer.brush_size = max(1, round(2 * float(np.sqrt(mask[z].sum() / np.pi))))
            self.canvas.click(*middle(mask[z]))
        click(self.curation.panel.labels.tools["interpolate"])
        self.click_on(self.labels == number)
        drawn = np.flatnonzero((self.labels == number).any(axis=(1, 2)))
        assert np.array_equal(drawn, np.arange(slices[0], slices[-1] + 1))


def middle(mask: np.ndarray) -> tuple[float, float]:
    """Return the pixel of a plane of an object that is nearest to its middle."""
    places = np.argwhere(mask)
    y, x = places[np.abs(places - places.mean(axis=0)).sum(axis=1).argmin()]
    return float(y), float(x)


def found_elsewhere(labels: np.ndarray, truth: np.ndarray, number: int) -> set[int]:
    """Return the true objects that another object than this one covers to more than a half."""
    found = set()
    for each in np.unique(truth[labels == number]):
        counts = np.bincount(labels[truth == each])
        counts[[0, number]] = 0
        if counts.max() > (truth == each).sum() / 2:
            found.add(int(each))
    return found


def test_a_stack_is_predicted_corrected_trained_on_and_predicted_again(
    viewer: Any, open_dock: Any, canvas: Any, settle: Any, qtbot: Any, workspace: Any, stack: Any
) -> None:
    raw, truth = stack
    viewer.add_image(raw, name="embryo", scale=PIXEL_SIZE_UM)

    # The bundled model is 2D: it predicts slice by slice, and objects are joined across slices.
    prediction = open_dock("Prediction")
    slice_by_slice = prediction.compatibility.remedies[Remedy.slice_by_slice]
    qtbot.waitUntil(slice_by_slice.isVisible, timeout=MINUTE)
    click(slice_by_slice)
    qtbot.waitUntil(prediction.predict_button.isEnabled, timeout=MINUTE)
    click(prediction.predict_button)
    qtbot.waitUntil(lambda: idle(prediction), timeout=3 * MINUTE)
    by_bundled = labels_of(viewer, "embryo").name
    n_before = wrong(np.asarray(labels_of(viewer, "embryo").data), truth)
    assert n_before > 0

    # What is wrong is deleted, drawn in some slices and interpolated; the last slices are excluded.
    click(prediction.result_panel.correct)
    qtbot.waitUntil(lambda: "Curation" in prediction.viewer_app.open_docks(), timeout=MINUTE)
    curation = prediction.viewer_app.open_docks()["Curation"]
    qtbot.waitUntil(lambda: curation.review.editor.active, timeout=MINUTE)
    canvas.scale = float(curation.view.labels.layer.scale[-1])
    Hand(viewer, canvas, curation, truth).correct()
    (path,) = workspace.datasets()
    dataset = CuratedDataset.open(path)
    sample = dataset.sample(curation.review.sample.id)
    assert wrong(dataset.labels(sample), truth) == 0

    for box, number in zip((curation.panel.slices.first, curation.panel.slices.last), EXCLUDED, strict=True):
        box.setFocus()
        box.selectAll()
        QTest.keyClicks(box, str(number))
        QTest.keyClick(box, Qt.Key.Key_Return)
    curation.panel.shape.setCurrentIndex(curation.panel.shape.findData("rectangle"))
    canvas.native.setFocus()
    canvas.key(Qt.Key.Key_E)
    canvas.drag([(3, 3), (60, 60), (116, 118)])
    settle(curation)
    canvas.native.setFocus()
    canvas.key(Qt.Key.Key_A)
    settle(curation)
    dataset = CuratedDataset.open(path)
    (region,) = dataset.sample(sample.id).regions
    assert (region.kind, region.z_first, region.z_last) == ("exclude", *EXCLUDED)
    assert dataset.counts().accepted == 1
    valid = dataset.ground_truth(dataset.sample(sample.id)).valid
    assert valid[: EXCLUDED[0]].all()
    assert not valid[EXCLUDED[0] :, 10:110, 10:110].any()

    # A 3D network learns from the one corrected stack.
    stop = StopConfig(max_steps=STEPS, max_minutes=60, patience=0)
    workspace.remember("training.config", compose.to_dict(TrainConfig(dataset=str(path), stop=stop)))
    workspace.write_choices()
    training = open_dock("Training")
    qtbot.waitUntil(training.start_button.isEnabled, timeout=MINUTE)
    click(training.start_button)
    assert "too few accepted samples for validation" in training.message.text
    click(training.message.remedy)
    qtbot.waitUntil(lambda: "finished" in training.run_panel.title.text(), timeout=20 * MINUTE)

    click(training.run_panel.predict)
    prediction = training.viewer_app.dock("Prediction")
    settle(prediction)
    qtbot.waitUntil(prediction.predict_button.isEnabled, timeout=MINUTE)
    click(prediction.predict_button)
    qtbot.waitUntil(lambda: idle(prediction), timeout=3 * MINUTE)
    again = labels_of(viewer, "embryo")
    assert again.name != by_bundled
    assert wrong(np.asarray(again.data), truth) < n_before
