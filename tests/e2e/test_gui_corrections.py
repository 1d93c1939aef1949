"""The loop closes in napari by mouse and keys: predict, correct what is wrong, train on it, predict again."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from prediction_fixtures import click, idle, type_into
from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.config import compose
from segloop.config.train import StopConfig, TrainConfig
from segloop.core.matching import find_overlaps
from segloop.core.object_errors import ErrorKind, ObjectErrors, classify_objects, count_object_errors

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

STEPS = 120
"""Of the training: a minute of an idle computer with two cores; a busy one takes longer."""
MINUTE = 60_000
STEMS = ("030", "045", "060", "075", "090")
"""Real images that the bundled model has not seen, with what it gets wrong in them."""


@pytest.fixture
def images(sample_nuclei: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for stem in STEMS:
        shutil.copy(sample_nuclei / "raw" / f"{stem}.tif", folder)
    return folder


def errors(labels: np.ndarray, truth: np.ndarray) -> ObjectErrors:
    return count_object_errors(find_overlaps(labels.astype(np.int64), truth.astype(np.int64)))


def wrong(found: ObjectErrors) -> int:
    return found.missed + found.spurious + found.split + found.merged


def middle(mask: np.ndarray) -> tuple[float, float]:
    """Return the pixel of an object that is nearest to its middle."""
    places = np.argwhere(mask)
    y, x = places[np.abs(places - places.mean(axis=0)).sum(axis=1).argmin()]
    return float(y), float(x)


class Hand:
    """What a person does who sees the truth: one action for each object that is wrong."""

    def __init__(self, canvas: Any, curation: Any, truth: np.ndarray) -> None:
        self.canvas, self.curation, self.truth = canvas, curation, truth
        self.actions = 0

    @property
    def labels(self) -> np.ndarray:
        return np.asarray(self.curation.review.editor.labels[0]).astype(np.int64)

    def tool(self, key: Any, name: str) -> None:
        if self.curation.review.editor.tool != name:
            self.canvas.native.setFocus()
            self.canvas.key(key)
        assert self.curation.review.editor.tool == name

    def correct(self) -> None:
        overlaps = find_overlaps(self.labels, self.truth)
        pred, truth = classify_objects(overlaps)
        by_kind = {
            kind: (overlaps.pred_labels[pred == kind], overlaps.truth_labels[truth == kind])
            for kind in ErrorKind
        }
        for number in by_kind[ErrorKind.SPURIOUS][0]:
            self.tool(Qt.Key.Key_D, "delete")
            self.canvas.click(*middle(self.labels == number))
            self.actions += 1
        for number in by_kind[ErrorKind.MERGED][0]:
            self.cut(int(number))
        for number in by_kind[ErrorKind.SPLIT][1]:
            self.join(int(number))
        for number in by_kind[ErrorKind.MISSED][1]:
            self.paint(int(number))

    def cut(self, number: int) -> None:
        """Draw a line between the two largest true objects under an object, across it."""
        counts = np.bincount(self.truth[self.labels == number].ravel())
        counts[0] = 0
        first, second = np.argsort(counts)[-2:]
        ends = [np.array(middle(self.truth == each)) for each in (first, second)]
        centre, along = (ends[0] + ends[1]) / 2, ends[1] - ends[0]
        across = np.array([-along[1], along[0]]) / np.hypot(*along) * 25
        self.tool(Qt.Key.Key_C, "cut")
        self.canvas.drag([tuple(centre - across), tuple(centre), tuple(centre + across)])
        self.actions += 1

    def join(self, number: int) -> None:
        """Draw a line from part to part of a true object."""
        parts = np.unique(self.labels[(self.truth == number) & (self.labels > 0)])
        path = [middle((self.labels == part) & (self.truth == number)) for part in parts]
        self.tool(Qt.Key.Key_J, "join")
        self.canvas.drag(path)
        self.actions += 1

    def paint(self, number: int) -> None:
        """Dab a new object as large as the true one with napari's brush."""
        mask = self.truth == number
        layer = self.curation.view.labels.layer
        self.canvas.native.setFocus()
        self.canvas.key(Qt.Key.Key_2)
        self.canvas.key(Qt.Key.Key_M)
        layer.brush_size = max(1, round(2 * float(np.sqrt(mask.sum() / np.pi))))
        self.canvas.click(*middle(mask))
        self.actions += 1


def test_what_a_model_got_wrong_is_corrected_and_teaches_the_next_one(
    viewer: Any, open_dock: Any, canvas: Any, settle: Any, qtbot: Any, workspace: Any, images: Path,
    sample_nuclei: Path,
) -> None:  # fmt: skip
    truths = {stem: tifffile.imread(sample_nuclei / "seg" / f"{stem}.tif").astype(np.int64) for stem in STEMS}

    # Predict a folder with the bundled model, and correct all of it.
    prediction = open_dock("Prediction")
    qtbot.waitUntil(lambda: prediction.predict_button.isVisible(), timeout=MINUTE)
    click(prediction.sources.use_files)
    type_into(prediction.sources.inputs.line, str(images))
    qtbot.waitUntil(prediction.predict_button.isEnabled, timeout=MINUTE)
    click(prediction.predict_button)
    qtbot.waitUntil(lambda: idle(prediction), timeout=3 * MINUTE)
    prediction.batch.list.selectAll()
    click(prediction.batch.correct)
    qtbot.waitUntil(lambda: "Curation" in prediction.viewer_app.open_docks(), timeout=MINUTE)
    curation = prediction.viewer_app.open_docks()["Curation"]

    (path,) = workspace.datasets()
    before, after, actions = {}, {}, 0
    for _ in STEMS:
        qtbot.waitUntil(lambda: curation.review.editor.active, timeout=MINUTE)
        stem = curation.review.sample.id
        hand = Hand(canvas, curation, truths[stem])
        before[stem] = errors(hand.labels, hand.truth)
        hand.correct()
        dataset = CuratedDataset.open(path)
        after[stem] = errors(dataset.labels(dataset.sample(stem))[0], hand.truth)
        assert np.array_equal(dataset.labels(dataset.sample(stem))[0], hand.labels)
        actions += hand.actions
        canvas.native.setFocus()
        canvas.key(Qt.Key.Key_A)
    settle(curation)
    n_before, n_after = (sum(map(wrong, each.values())) for each in (before, after))
    assert n_before > 0
    assert actions >= n_before / 2
    assert n_after <= n_before / 2
    assert CuratedDataset.open(path).counts().accepted == len(STEMS)

    # Train from the bundled model on what was corrected, for as long as was chosen last time.
    stop = StopConfig(max_steps=STEPS, max_minutes=30, patience=0)
    workspace.remember("training.config", compose.to_dict(TrainConfig(dataset=str(path), stop=stop)))
    workspace.write_choices()
    training = open_dock("Training")
    qtbot.waitUntil(training.start_button.isEnabled, timeout=MINUTE)
    assert training.dataset.value() == str(path)
    box = training.settings.start_from
    box.setFocus()
    while box.currentText() != "nuclei-2d":
        index = box.currentIndex()
        QTest.keyClick(box, Qt.Key.Key_Down)
        assert box.currentIndex() != index
    click(training.start_button)
    qtbot.waitUntil(lambda: "finished" in training.run_panel.title.text(), timeout=10 * MINUTE)

    # Predict the same images with the new model.
    click(training.run_panel.predict)
    prediction = training.viewer_app.dock("Prediction")
    out = workspace.path / "again"
    type_into(prediction.sources.out.line, str(out))
    qtbot.waitUntil(prediction.predict_button.isEnabled, timeout=MINUTE)
    click(prediction.predict_button)
    qtbot.waitUntil(lambda: idle(prediction), timeout=3 * MINUTE)
    found = {stem: labels_in(out, stem) for stem in STEMS}
    again = {stem: errors(found[stem], truths[stem]) for stem in STEMS}
    assert sum(map(wrong, again.values())) < n_before


def labels_in(folder: Path, stem: str) -> np.ndarray:
    (file,) = [each for each in folder.glob(f"{stem}*.tif") if "probability" not in each.name]
    return np.asarray(tifffile.imread(file))
