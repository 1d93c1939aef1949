"""The parts of the Training dock on their own."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from segloop.app.workspace import Workspace
from segloop.artifacts.job.job import EventLog
from segloop.artifacts.job.state import JobState
from segloop.config.train import NetworkSize, StopConfig, TargetConfig, TrainConfig
from segloop.core.context import Context
from segloop.ui.training.catalogue import RunCatalogue
from segloop.ui.training.curves import CurvesPlot
from segloop.ui.training.facts import DatasetFacts
from segloop.ui.training.path_box import PathBox
from segloop.ui.training.settings import SettingsPanel
from segloop.ui.training.study import more_time


def facts(**changes):
    values = {
        "path": Path("d"),
        "train": 120,
        "val": 30,
        "total": 175,
        "undecided": 25,
        "n_slices": 1,
        "channels": ("DAPI",),
        "pixel_size_um": (None, 0.32, 0.32),
        "instances": True,
        "problem": "",
    }
    return DatasetFacts(**{**values, **changes})


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "120 train, 30 val, 2D, DAPI, 0.32 µm/px"),
        ({"n_slices": 40, "pixel_size_um": (2.0, 0.5, 0.5)}, "120 train, 30 val, 3D, DAPI, 2 × 0.5 µm/px"),
        (
            {"channels": ("Channel:0:0",), "pixel_size_um": (None,) * 3},
            "120 train, 30 val, 2D, 1 channel, pixel size unknown",
        ),
        ({"channels": ("a", "b", "c", "d")}, "120 train, 30 val, 2D, 4 channels, 0.32 µm/px"),
        (
            {"train": 0, "val": 0},
            "None of the 175 samples is accepted yet (25 undecided): accept some in the Curation dock.",
        ),
    ],
)
def test_facts_are_told_in_a_line(changes, line):
    assert facts(**changes).line() == line


def test_more_time_lifts_the_limit_that_ended_the_run():
    stop = StopConfig(max_minutes=15, max_epochs=50, patience=10)
    assert more_time(stop, "time", 15.0, 5) == StopConfig(max_minutes=20, max_epochs=50, patience=10)
    assert more_time(stop, "epochs", 3.0, 5) == StopConfig(max_minutes=8, max_epochs=1050, patience=10)
    assert more_time(stop, "patience", 3.0, 5) == StopConfig(max_minutes=8, max_epochs=50, patience=0)


def test_the_catalogue_notices_what_changed(tmp_path):
    from segloop.artifacts.run.run import Run

    workspace = Workspace(tmp_path)
    run = Run.create(workspace.runs_dir / "a", TrainConfig(dataset="d"))
    log = EventLog(run.path)
    log.state(JobState.running)
    catalogue = RunCatalogue()
    (before,) = catalogue.look(workspace, Context())
    run.append_metrics({"epoch": 1, "val_dice": 0.5})
    log.state(JobState.finished)
    (after,) = catalogue.look(workspace, Context())
    assert (before.state, before.measure) == (JobState.running, "")
    assert (after.state, after.measure, after.score, after.epochs) == (JobState.finished, "Dice", 0.5, 1)


@pytest.fixture
def curves(qtbot):
    widget = CurvesPlot()
    qtbot.addWidget(widget)
    widget.resize(380, 260)
    widget.show()
    return widget


def test_epochs_done_again_replace_those_of_the_last_attempt(curves):
    curves.add([(epoch, {"train_loss": 1.0 / epoch, "val_dice": 0.5}) for epoch in (1, 2, 3)])
    curves.add([(2, {"train_loss": 0.4})])
    assert curves.curve("train_loss") == ([1, 2], [1.0, 0.4])
    assert curves.curve("val_dice") == ([1], [0.5])


def test_values_that_are_no_numbers_leave_a_gap(curves):
    curves.add([(1, {"val_loss": math.nan}), (2, {"val_loss": 0.5})])
    assert curves.curve("val_loss") == ([2], [0.5])


def test_new_epochs_are_painted_within_a_second(curves, qtbot):
    line = curves.losses.listDataItems()[0]
    curves.add([(1, {"train_loss": 0.9})])
    assert list(line.getData()[0]) == [1]
    curves.add([(2, {"train_loss": 0.8})])
    qtbot.waitUntil(lambda: list(line.getData()[0]) == [1, 2], timeout=3000)


def wheel(widget):
    inside = QPoint(widget.width() // 2, widget.height() // 4)  # of the plot of the losses
    event = QWheelEvent(
        QPointF(inside),
        QPointF(widget.mapToGlobal(inside)),
        QPoint(0, 0),
        QPoint(0, 120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(widget.viewport(), event)


def test_the_wheel_zooms_once_the_plot_was_clicked_and_a_double_click_shows_all(curves, qtbot):
    curves.add([(epoch, {"train_loss": 1.0 / epoch}) for epoch in range(1, 20)])
    qtbot.waitExposed(curves)
    QApplication.processEvents()

    def span():
        low, high = curves.losses.viewRange()[0]
        return high - low

    whole = span()
    wheel(curves)
    assert span() == whole
    curves.activateWindow()
    QTest.mouseClick(curves.viewport(), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(curves.hasFocus)
    wheel(curves)
    assert span() < whole
    QTest.mouseDClick(curves.viewport(), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: span() == pytest.approx(whole, rel=0.05))


def test_settings_give_back_what_they_were_given(qtbot, tmp_path):
    panel = SettingsPanel(Workspace(tmp_path))
    qtbot.addWidget(panel)
    config = TrainConfig(init="/models/nuclei", seed=3)
    config.target = TargetConfig("semantic", {"classes": 4})
    config.network.size, config.network.dimensions = NetworkSize.large, 2
    config.stop = StopConfig(max_minutes=0.25, max_epochs=7, patience=0)
    config.recipe.channels = ["DAPI", "2"]
    config.patch.size = [64, 96]
    panel.set_value(config)
    assert panel.value() == config
    assert not panel.sizes[NetworkSize.large].isEnabled()


def test_a_path_from_elsewhere_stays_in_the_list(qtbot, tmp_path):
    box = PathBox("Other…", none="scratch")
    qtbot.addWidget(box)
    box.offer([("a", "/models/a")])
    box.set_value(tmp_path)
    box.offer([("a", "/models/a"), ("b", "/models/b")])
    assert [box.itemText(row) for row in range(box.count())] == ["scratch", tmp_path.name, "a", "b", "Other…"]
    assert box.value() == str(tmp_path)
    box.setCurrentIndex(2)
    with qtbot.waitSignal(box.chosen) as signal:
        box.activated.emit(2)
    assert signal.args == ["/models/a"]
