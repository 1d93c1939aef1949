"""What the docks of a viewer share."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from segloop.app import workspace as workspace_module
from segloop.app.workspace import Workspace
from segloop.core.atomic import write_json
from segloop.ui.viewer_app import viewer_app_for


@pytest.fixture
def disk(monkeypatch) -> Iterator[threading.Event]:
    """A disk that writes choices only once the event is set."""
    ready = threading.Event()

    def write(path, value):
        assert ready.wait(10), "the GUI waited for the disk"
        write_json(path, value)

    monkeypatch.setattr(workspace_module, "write_json", write)
    yield ready
    ready.set()


def test_a_busy_disk_does_not_hold_up_the_window(viewer, workspace, disk, qtbot):
    viewer_app = viewer_app_for(viewer)

    viewer_app.remember("size", 3)
    assert viewer_app.recall("size") == 3
    assert Workspace(workspace.path).recall("size") is None

    disk.set()
    qtbot.waitUntil(lambda: Workspace(workspace.path).recall("size") == 3)


def test_choices_that_wait_for_the_disk_are_written_at_quitting(viewer, workspace, disk):
    viewer_app = viewer_app_for(viewer)
    for size in range(5):
        viewer_app.remember("size", size)
    threading.Timer(0.3, disk.set).start()

    viewer_app.close()

    assert Workspace(workspace.path).recall("size") == 4


SCRIPT = """
import weakref
weakref.finalize(weakref, print)  # as libraries do; so closing comes after Qt has cleared up

import napari
from segloop.ui.viewer_app import viewer_app_for

viewer = napari.Viewer(show=False)
viewer.window.add_plugin_dock_widget("napari-segloop", "Training")
viewer_app = viewer_app_for(viewer)
viewer_app.remember("size", 3)
viewer.close()
"""


def test_a_script_that_never_starts_the_event_loop_ends_quietly_and_its_choices_are_kept(workspace):
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert "Traceback" not in done.stderr
    assert Workspace(workspace.path).recall("size") == 3


OPENING = """
import sys
import napari

viewer = napari.Viewer(show=False)
before = set(sys.modules)
viewer.window.add_plugin_dock_widget("napari-segloop", sys.argv[1])
print(*sorted(set(sys.modules) - before))
viewer.close()
"""


@pytest.mark.parametrize("name", ["Curation", "Training", "Prediction"])
def test_opening_a_dock_imports_nothing_slow(name, workspace):
    """Imports hold up the window: what computes is imported where it is needed, on a worker or elsewhere."""
    command = [sys.executable, "-c", OPENING, name]
    imported = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    slow = {
        "torch",
        "monai",
        "lightning",
        "hydra",
        "scipy",
        "skimage",
        "zarr",
        "bioio",
        "tifffile",
        "matplotlib",
    }
    assert [each for each in imported if each.split(".")[0] in slow] == []
