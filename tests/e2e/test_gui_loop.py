"""The whole loop in napari by mouse and keys: folders, review, a drawn region, training, prediction."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from prediction_fixtures import labels_of
from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.core.metrics import average_precision, dice

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

TRAINING_MINUTES = "1.5"
SECONDS = 1000


def click(button: Any) -> None:
    """Click a button that a user could click."""
    assert button.isVisible()
    assert button.isEnabled()
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    QApplication.processEvents()


def type_into(line: Any, text: str) -> None:
    """Replace the text of a line or a spin box by typing."""
    line.setFocus()
    line.selectAll()
    QTest.keyClicks(line, text)
    QTest.keyClick(line, Qt.Key.Key_Return)
    QApplication.processEvents()


@pytest.fixture
def images(sample_nuclei: Path, tmp_path: Path) -> Path:
    """Folders ``raw`` and ``seg`` of 16 images to learn from; ``new`` and ``truth`` of one held aside."""
    folder = tmp_path / "images"
    for kind in ("raw", "seg", "new", "truth"):
        (folder / kind).mkdir(parents=True)
    for number, raw in enumerate(sorted((sample_nuclei / "raw").glob("*.tif"))[:17]):
        seg = sample_nuclei / "seg" / raw.name
        shutil.copy(raw, folder / ("new" if number == 7 else "raw"))
        shutil.copy(seg, folder / ("truth" if number == 7 else "seg"))
    return folder


def test_from_folders_to_objects_that_match_the_truth(
    viewer: Any, open_dock: Any, canvas: Any, settle: Any, qtbot: Any, workspace: Any, images: Path
) -> None:
    # Curation: name two folders, exclude a region, accept all.
    curation = open_dock("Curation")
    click(curation.creation.empty.folders)
    type_into(curation.creation.panel.raw.line, str(images / "raw"))
    type_into(curation.creation.panel.seg.line, str(images / "seg"))
    settle(curation)
    click(curation.creation.panel.create)
    qtbot.waitUntil(curation.panel.isVisible, timeout=60 * SECONDS)
    settle(curation)

    canvas.key(Qt.Key.Key_E)
    for corner in [(20, 20), (20, 90), (70, 90), (70, 20)]:
        canvas.click(*corner)
    canvas.key(Qt.Key.Key_Return)
    settle(curation)
    for _ in range(16):
        canvas.key(Qt.Key.Key_A)
        settle(curation)

    (path,) = workspace.datasets()
    dataset = CuratedDataset.open(path)
    assert dataset.counts().accepted == 16
    first = dataset.sample(dataset.sample_ids[0])
    assert [region.kind for region in first.regions] == ["exclude"]
    assert not dataset.ground_truth(first).valid[0, 45, 55]

    # Training: the dataset is chosen already; say how long, start, wait.
    training = open_dock("Training")
    qtbot.waitUntil(training.start_button.isEnabled, timeout=60 * SECONDS)
    assert training.dataset.value() == str(path)
    type_into(training.settings.stop_minutes.lineEdit(), TRAINING_MINUTES)
    click(training.start_button)
    qtbot.waitUntil(lambda: "finished" in training.run_panel.title.text(), timeout=600 * SECONDS)
    assert len(training.run_panel.curves.curve("train_loss")[0]) > 1

    # Prediction: open an image as a user does, apply the run to it.
    image = next((images / "new").glob("*.tif"))
    viewer.open(str(image), name="new image")
    click(training.run_panel.predict)
    prediction = training.viewer_app.dock("Prediction")
    tick_only(prediction.sources.layers.boxes, "new image")
    qtbot.waitUntil(prediction.predict_button.isEnabled, timeout=60 * SECONDS)
    click(prediction.predict_button)
    qtbot.waitUntil(
        lambda: any("new image, by " in each.name for each in viewer.layers), timeout=120 * SECONDS
    )
    qtbot.waitUntil(lambda: "objects" in prediction.result_panel.summary.text(), timeout=60 * SECONDS)

    found = np.asarray(labels_of(viewer, "new image").data)
    truth = tifffile.imread(images / "truth" / image.name)
    assert dice(found > 0, truth > 0) > 0.85
    assert average_precision(found, truth) > 0.6


def tick_only(boxes: dict[str, Any], name: str) -> None:
    """Tick one of several boxes, and no other, with the keyboard."""
    for each, box in boxes.items():
        if box.isChecked() != (each == name):
            box.setFocus()
            QTest.keyClick(box, Qt.Key.Key_Space)
            QApplication.processEvents()
        assert box.isChecked() == (each == name)
