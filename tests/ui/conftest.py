"""A napari viewer with docks, driven by mouse and keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("qtpy")
pytest.importorskip("napari")


@pytest.fixture
def viewer(make_napari_viewer: Callable[..., Any]) -> Iterator[Any]:
    """A shown viewer, large enough for a dock beside the canvas."""
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1200, 900)
    yield viewer


@pytest.fixture
def workspace(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """An empty workspace that the docks open."""
    from segloop.app.workspace import Workspace

    monkeypatch.setenv("SEGLOOP_HOME", str(tmp_path / "home"))
    workspace = Workspace(tmp_path / "study")
    workspace.remember_as_last()
    return workspace


@pytest.fixture
def open_dock(viewer: Any, workspace: Any, qtbot: Any) -> Callable[[str], Any]:
    """Open a dock by its name in the menu, as the menu does."""

    def open_dock(name: str) -> Any:
        dock_widget, dock = viewer.window.add_plugin_dock_widget("napari-segloop", name)
        qtbot.waitUntil(lambda: not dock.workers.busy)
        return dock

    return open_dock
