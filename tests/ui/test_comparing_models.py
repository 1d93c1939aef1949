"""Models are compared in the Training dock, by mouse, in a process of its own."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from prediction_fixtures import click
from segloop.app.sample import make_sample_dataset
from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.images.labels import read_labels
from segloop.ui.dock_layers import owner

pytestmark = pytest.mark.slow


@pytest.fixture
def training(model, workspace, open_dock, wait):
    """The dock with two models and a dataset of six images, two of them for validation."""
    dataset = make_sample_dataset(workspace.datasets_dir / "nuclei", val=0.2, accept_all=True)
    keep = [*dataset.split("train")[:4], *dataset.split("val")[:2]]
    for each in set(dataset.sample_ids) - set(keep):
        dataset.save(dataset.sample(each).edit(verdict="undecided"), "leave out")
    dock = open_dock("Training")
    wait(lambda: dock.comparison.models.count() > 1 and dock.start_button.isEnabled())
    click(dock.comparison_fold.button)
    return dock


def test_two_models_are_compared_and_seen_side_by_side(training, viewer, wait, workspace):
    panel = training.comparison
    assert len(training.comparing.chosen) == 2
    click(panel.button)
    assert panel.progress.isVisible()
    assert not panel.button.isEnabled()
    wait(lambda: training.comparing.result is not None)
    assert training.message.text == ""
    assert not panel.progress.isVisible()
    result = training.comparing.result
    assert [panel.scores.item(row, 0).text() for row in range(panel.scores.rowCount())][:1] == ["nuclei-2d"]
    assert panel.images.rowCount() == 2
    assert result.report.is_file()

    sample = result.samples[1]
    cell = panel.images.visualItemRect(panel.images.item(1, 0)).center()
    QTest.mouseClick(panel.images.viewport(), Qt.MouseButton.LeftButton, pos=cell)
    wait(lambda: len(viewer.layers) == 5)
    names = [layer.name for layer in viewer.layers]
    assert names[:2] == [sample.id, f"{sample.id}, truth"]
    assert names[-1] == f"{sample.id}, difference"
    assert names[2:4] == [f"{sample.id}, by {name}" for name in result.models]
    assert {owner(layer) for layer in viewer.layers} == {"training"}
    truth = CuratedDataset.open(result.dataset).labels(CuratedDataset.open(result.dataset).sample(sample.id))
    assert np.array_equal(viewer.layers[1].data, truth[0])
    assert np.array_equal(viewer.layers[2].data, read_labels(sample.files["nuclei-2d"])[0])
    assert "nuclei-2d" in panel.legend.text()

    training.on_workspace(workspace)  # as after napari is opened again
    assert not viewer.layers
    wait(lambda: training.comparing.result is not None)
    assert panel.images.isVisible()


def test_cancel_ends_a_comparison(training, wait):
    click(training.comparison.button)
    click(training.comparison.progress.button)
    wait(lambda: not training.comparing.busy)
    assert training.comparing.result is None
    assert training.message.text == ""
    assert training.comparison.button.isEnabled()


def test_a_layer_of_the_comparison_that_the_user_removed_is_no_problem(training, viewer, wait):
    click(training.comparison.button)
    wait(lambda: training.comparing.result is not None)
    training.comparison.images.selectRow(0)
    wait(lambda: len(viewer.layers) == 5)
    viewer.layers.pop(0)
    training.comparison.images.selectRow(1)
    wait(lambda: len(viewer.layers) == 5 and viewer.layers[0].name == training.comparing.result.samples[1].id)
