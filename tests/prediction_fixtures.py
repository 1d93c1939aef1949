"""Fixtures of the Prediction dock's tests: a model that was really trained, the dock, its mouse and keys."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time

import pytest
import tifffile
from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from heartbeat import collections_noted

LONG = 180_000
"""Milliseconds; importing torch alone takes a while on a busy computer."""


def train_by_command(root, *knobs, val):
    """Train by the command line on what is in ``raw`` and ``seg`` below a folder; return the run's folder."""
    segloop = [sys.executable, "-m", "segloop"]
    folders = ["--raw", str(root / "raw"), "--seg", str(root / "seg")]
    environment = {**os.environ, "XDG_CACHE_HOME": str(root / "cache")}
    for verb in (
        ["dataset", "create", str(root / "nuclei"), *folders, "--val", str(val)],
        ["train", str(root / "nuclei"), "--out", str(root / "run"), "device.kind=cpu", *knobs],
    ):
        subprocess.run([*segloop, *verb], check=True, capture_output=True, env=environment)
    return root / "run"


@pytest.fixture(scope="session")
def trained(sample_nuclei, tmp_path_factory):
    """Run folder of a small model, trained by the command line on a few of the bundled nuclei."""
    root = tmp_path_factory.mktemp("trained")
    for part in ("raw", "seg"):
        (root / part).mkdir()
        for path in sorted((sample_nuclei / part).glob("*.tif"))[4:14]:
            shutil.copy(path, root / part)
    knobs = ["network.size=small", "patch.size=[96,96]", "patch.batch_size=8", "patch.per_epoch=160"]
    return train_by_command(root, *knobs, "stop.max_epochs=2", val=0.1)


@pytest.fixture
def model(trained, workspace):
    """The model as a run of the workspace."""
    return shutil.copytree(trained, workspace.runs_dir / "nuclei")


@pytest.fixture
def nuclei(sample_nuclei):
    """One real image that the model has not seen."""
    return tifffile.imread(sorted((sample_nuclei / "raw").glob("*.tif"))[1])


@pytest.fixture
def dock(open_dock, model, viewer, nuclei):
    """The dock, with a model, and an image open that was never saved."""
    viewer.add_image(nuclei, name="nuclei", scale=(0.5, 0.5), translate=(10, 20))
    dock = open_dock("Prediction")
    yield dock
    dock.viewer_app.close()


@pytest.fixture
def wait(qtbot):
    """Wait until something is so."""
    return lambda condition, timeout=LONG: qtbot.waitUntil(condition, timeout=timeout)


@pytest.fixture
def predict(dock, wait):
    """Click Predict and wait for the end."""

    def predict():
        wait(dock.predict_button.isEnabled)
        click(dock.predict_button)
        assert dock.job.busy
        wait(lambda: idle(dock))

    return predict


@pytest.fixture
def files(dock, nuclei_folders):
    """The dock, told to predict a folder with three good images and a bad one."""
    (nuclei_folders / "raw" / "bad.tif").write_bytes(b"no tiff")
    click(dock.sources.use_files)
    type_into(dock.sources.inputs.line, str(nuclei_folders / "raw"))
    return nuclei_folders / "raw"


def idle(dock):
    return not (dock.job.busy or dock.workers.busy or dock.results.updating or dock.turns.pending)


def labels_of(viewer, image):
    """Return the layer with the objects that were found in an image."""
    (layer,) = [layer for layer in viewer.layers if layer.name.startswith(f"{image}, by ")]
    return layer


class FirstPaint(QObject):
    """Notes when a widget is painted for the first time while something is so."""

    def __init__(self, widget, condition):
        super().__init__(widget)
        self._condition = condition
        self.at = None
        widget.installEventFilter(self)

    def eventFilter(self, _, event):  # noqa: N802 - Qt's name
        if self.at is None and event.type() == QEvent.Type.Paint and self._condition():
            self.at = time.monotonic()
        return False


def seconds_to_cancel(dock, wait):
    """Click Cancel and return after how many seconds the dock has painted that it was cancelled.

    Garbage collections over the objects of all tests that ran before are taken off; and the removal of the
    layers, which follows, is not counted.
    """
    assert not dock.message.text
    painted = FirstPaint(dock.message.label, lambda: dock.message.text == "Cancelled.")
    with collections_noted() as collections:
        clicked = time.monotonic()
        click(dock.progress.button)
        wait(lambda: painted.at is not None)
    return painted.at - clicked - sum(collections)


def click(widget):
    widget.window().activateWindow()
    QTest.mouseClick(widget, Qt.MouseButton.LeftButton)
    QApplication.processEvents()


def tick(box):
    if not box.isChecked():
        box.setFocus()
        QTest.keyClick(box, Qt.Key.Key_Space)
    assert box.isChecked()


def type_into(box, text):
    box.setFocus()
    box.selectAll()
    QTest.keyClicks(box, text)
    QTest.keyClick(box, Qt.Key.Key_Return)
    QApplication.processEvents()
