"""napari's event loop while a training runs, alone and beside a prediction: how long it is without a beat."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import contextmanager

import numpy as np
import pytest
import tifffile
from qtpy.QtCore import Qt, QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QLabel, QProgressBar, QVBoxLayout, QWidget

from heartbeat import Heartbeat
from prediction_fixtures import click, idle, labels_of, tick
from segloop.app.jobs import start_training
from segloop.app.sample import make_sample_dataset
from segloop.config import compose
from segloop.config.device import DeviceConfig, DeviceKind
from segloop.config.train import PatchConfig, StopConfig, TrainConfig
from segloop.targets.output import PROBABILITY

LONG = 180_000
EPOCHS = 8
ALLOWED_S = 0.1
"""Longest stall beyond the one of bare napari."""


pytestmark = [pytest.mark.slow, pytest.mark.alone]


@pytest.fixture
def config(workspace):
    """A training that goes on until it is stopped, and that the dock takes up as the last one used."""
    dataset = make_sample_dataset(workspace.datasets_dir / "nuclei", accept_all=True).path
    config = TrainConfig(
        dataset=str(dataset),
        patch=PatchConfig(size=[64, 64], batch_size=4, per_epoch=16),
        stop=StopConfig(max_epochs=1_000_000, patience=0, max_minutes=60),
        device=DeviceConfig(kind=DeviceKind.cpu),
    )
    workspace.remember("training.config", compose.to_dict(config))
    workspace.write_choices()
    return config


@pytest.fixture
def bare_training(config, workspace, viewer, qtbot):
    """Training in the background of bare napari, where a text and a bar change in a dock.

    Where OpenGL is emulated, that alone takes a while, because napari then has its whole window put together
    by the processor.
    """

    @contextmanager
    def bare_training():
        frame, text, bar = QWidget(), QLabel(), QProgressBar()
        for widget in (text, bar):
            (frame.layout() or QVBoxLayout(frame)).addWidget(widget)
        around = viewer.window.add_dock_widget(frame)
        clock = QTimer(interval=200)
        clock.timeout.connect(lambda: text.setText(f"{time.perf_counter():.1f} s"))
        clock.timeout.connect(lambda: bar.setValue((bar.value() + 1) % 100))
        job = start_training(config, workspace.runs_dir / "first", workspace)
        clock.start()
        try:
            yield job
        finally:
            clock.stop()
            viewer.window.remove_dock_widget(around)
            job.stop()
            qtbot.waitUntil(lambda: job.ended, timeout=LONG)

    return bare_training


def test_the_event_loop_never_stalls_while_a_training_starts_and_runs(
    bare_training, open_dock, qtbot, settle, record_property
):
    heart = Heartbeat()
    with bare_training() as first:
        heart.start()
        qtbot.waitUntil(lambda: epochs(first.path) >= EPOCHS, timeout=LONG)
        bare = heart.stop()

    dock = open_dock("Training")
    qtbot.waitUntil(dock.start_button.isEnabled, timeout=LONG)
    settle(dock)
    heart.start()
    start_in(dock, qtbot)
    qtbot.waitUntil(lambda: len(dock.run_panel.curves.curve("train_loss")[0]) >= EPOCHS, timeout=LONG)
    with_dock = heart.stop()
    stop_in(dock, qtbot)
    require_no_stall(heart, with_dock, bare, record_property)


def test_the_event_loop_never_stalls_while_a_training_and_a_prediction_run(
    bare_training, model, nuclei, viewer, open_dock, qtbot, settle, tmp_path, record_property
):
    image = np.tile(nuclei, (4, 4))
    tifffile.imwrite(tmp_path / "tiled.tif", image)
    labels = np.zeros(image.shape, np.uint16)
    heart = Heartbeat()

    def show_bare_results():
        layers = [viewer.add_image(np.zeros(image.shape, np.float16)), viewer.add_labels(labels)]
        beats = len(heart.gaps)
        qtbot.waitUntil(lambda: len(heart.gaps) > beats + 20)
        for layer in layers:
            layer.visible = False

    # The first layers of a session take longer: they don't count.
    heart.start()
    show_bare_results()
    heart.stop()
    with bare_training() as first:
        qtbot.waitUntil(lambda: epochs(first.path) >= 1, timeout=LONG)
        heart.start()
        command = ["predict", str(model), str(tmp_path / "tiled.tif"), "--out", str(tmp_path / "out")]
        prediction = subprocess.Popen([sys.executable, "-m", "segloop", *command], stderr=subprocess.DEVNULL)
        qtbot.waitUntil(lambda: prediction.poll() is not None, timeout=LONG)
        show_bare_results()
        bare = heart.stop()
    assert prediction.returncode == 0

    training, docked = open_dock("Training"), open_dock("Prediction")
    viewer.layers.clear()
    viewer.add_image(image, name="tiled")
    tick(docked.outputs.boxes[PROBABILITY])
    qtbot.waitUntil(training.start_button.isEnabled, timeout=LONG)
    start_in(training, qtbot)
    losses = training.run_panel.curves.curve
    qtbot.waitUntil(lambda: len(losses("train_loss")[0]) >= 1, timeout=LONG)
    qtbot.waitUntil(docked.predict_button.isEnabled, timeout=LONG)
    settle(docked)
    events = training.presenter.run.path / "events.jsonl"
    before = events.stat().st_size
    heart.start()
    click(docked.predict_button)
    qtbot.waitUntil(lambda: idle(docked), timeout=LONG)
    with_docks = heart.stop()
    after = events.stat().st_size
    stop_in(training, qtbot)
    docked.viewer_app.close()

    assert after > before
    assert labels_of(viewer, "tiled").data.max() > 50
    require_no_stall(heart, with_docks, bare, record_property)


def start_in(dock, qtbot):
    QTest.mouseClick(dock.start_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "nuclei" in dock.run_panel.title.text(), timeout=LONG)


def stop_in(dock, qtbot):
    dock.presenter.stop()
    qtbot.waitUntil(lambda: "stopped" in dock.run_panel.title.text(), timeout=LONG)


def require_no_stall(heart, with_dock, bare, record_property):
    heart.record(record_property, with_the_dock=with_dock, bare_napari=bare)
    assert with_dock[0] < bare[0] + ALLOWED_S, f"with the dock {with_dock[:5]}, bare {bare[:5]} seconds"


def epochs(run):
    """Return how many epochs a run has finished, at next to no cost."""
    try:
        return (run / "metrics.csv").read_bytes().count(b"\n") - 1
    except FileNotFoundError:
        return 0
