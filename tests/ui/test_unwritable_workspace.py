"""A workspace that can't be written: choices stay until napari is closed, and the user is told once."""

from __future__ import annotations

import shutil

import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication


def click(button):
    assert button.isVisible()
    assert button.isEnabled()
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    QApplication.processEvents()


@pytest.fixture
def lose_workspace(workspace):
    """Let nothing be written in the workspace any more, not even by root: a file takes its place."""

    def lose_workspace():
        shutil.rmtree(workspace.path)
        workspace.path.write_text("no folder")

    return lose_workspace


def test_choices_that_can_not_be_written_are_told_once_and_kept_meanwhile(
    open_dock, lose_workspace, settle, qtbot
):
    dock = open_dock("Training")
    lose_workspace()
    click(dock.plan_fold.button)
    qtbot.waitUntil(lambda: dock.message.level == "warning")
    assert "study can't be written" in dock.message.text
    assert dock.viewer_app.recall("fold.training.plan") is True
    click(dock.message.dismiss)
    click(dock.plan_fold.button)
    settle(dock.viewer_app)
    assert dock.message.text == ""
    assert dock.viewer_app.recall("fold.training.plan") is False


def test_settings_that_can_not_be_written_are_kept_meanwhile(open_dock, lose_workspace, viewer, qtbot):
    dock = open_dock("Training")
    lose_workspace()
    dock.settings.stop_minutes.selectAll()
    QTest.keyClicks(dock.settings.stop_minutes, "7\r")
    qtbot.waitUntil(lambda: "study can't be written" in dock.message.text)
    viewer.window.remove_dock_widget(dock)
    again = open_dock("Training")
    qtbot.waitUntil(lambda: again.settings.minutes == 7)


@pytest.mark.parametrize("name", ["Training", "Curation"])
def test_the_sample_nuclei_need_a_workspace_that_can_be_written(open_dock, lose_workspace, name):
    dock = open_dock(name)
    lose_workspace()
    click(dock.dataset.sample if name == "Training" else dock.creation.empty.sample)
    assert dock.message.level == "error"
    assert "datasets can't be written (Not a directory)" in dock.message.text


def test_a_dataset_from_elsewhere_opens_though_the_workspace_can_not_be_written(
    open_dock, lose_workspace, nuclei_dataset, tmp_path, qtbot
):
    elsewhere = shutil.move(nuclei_dataset, tmp_path / "elsewhere")
    dock = open_dock("Curation")
    lose_workspace()
    dock.open_dataset(elsewhere)
    qtbot.waitUntil(dock.panel.isVisible)
    qtbot.waitUntil(lambda: "study can't be written" in dock.message.text)
