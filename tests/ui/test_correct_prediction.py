"""The loop closes in the window: a prediction is corrected in Curation, by mouse and keys."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt

from prediction_fixtures import click, idle
from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.segmentation import PredictionSource

pytestmark = pytest.mark.slow


def test_a_result_is_corrected_in_two_clicks(dock, predict, viewer, canvas, wait, workspace):
    predict()
    click(dock.result_panel.correct)
    curation = wait_for_curation(dock, wait)
    layer = viewer.layers.selection.active
    assert layer.name.startswith("Curation: ")
    assert layer.name.endswith(", corrected")
    assert viewer.layers["Curation: raw"].visible
    (path,) = workspace.datasets()
    dataset = CuratedDataset.open(path)
    sample = dataset.sample(curation.review.sample.id)
    assert isinstance(sample.segmentation(sample.base).source, PredictionSource)

    labels = dataset.labels(sample)
    number = int(np.bincount(labels[labels > 0]).argmax())
    y, x = np.argwhere(labels[0] == number)[len(np.argwhere(labels[0] == number)) // 2]
    canvas.scale = float(layer.scale[-1])
    canvas.native.setFocus()
    canvas.key(Qt.Key.Key_D)
    canvas.click(float(y), float(x))
    corrected = CuratedDataset.open(path)
    after = corrected.labels(corrected.sample(sample.id))
    assert not (after == number).any()
    assert np.array_equal(after[labels != number], labels[labels != number])


def test_a_batch_of_files_is_corrected_one_after_the_other(dock, files, predict, wait, canvas, workspace):
    predict()
    dock.batch.list.selectAll()
    click(dock.batch.correct)
    curation = wait_for_curation(dock, wait)
    (path,) = workspace.datasets()
    first = curation.review.sample.id
    assert len(CuratedDataset.open(path).sample_ids) == 3
    canvas.native.setFocus()
    canvas.key(Qt.Key.Key_A)
    wait(lambda: curation.review.editor.active and curation.review.sample.id != first)


def wait_for_curation(dock, wait):
    wait(lambda: "Curation" in dock.viewer_app.open_docks() and idle(dock))
    curation = dock.viewer_app.open_docks()["Curation"]
    wait(lambda: curation.review.editor.active)
    return curation
