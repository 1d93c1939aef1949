"""The composition root: what the three docks of one viewer share is put together here, once."""

from __future__ import annotations

import weakref
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QApplication, QWidget

from segloop.app.app import App
from segloop.app.workspace import Workspace
from segloop.core.context import Context
from segloop.core.errors import SegloopError
from segloop.ui.canvas_message import CanvasMessage
from segloop.ui.dock_layers import DockLayers
from segloop.ui.docking import DockPage
from segloop.ui.mesa_guard import guard_removed_layers
from segloop.ui.workers import Workers

if TYPE_CHECKING:
    from napari.viewer import Viewer


PLUGIN = "napari-segloop"
"""Name of the plugin in napari's manifest registry."""


class ViewerApp(QObject):
    """What the docks of a viewer share; ends with the viewer.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Kept weakly, so that closing napari's window frees it.
    app : App
        The use cases, and the signals between docks.

    Attributes
    ----------
    app : App
    workers : Workers
        For work that belongs to no dock in particular; each dock has its own as well.
    canvas_message : CanvasMessage
        For a short message next to what a key has just done.
    front : str
        Name of the dock that the user looks at or works in; empty while none is open.
    """

    warned = Signal(str)
    """A warning for every dock: choices can't be remembered."""

    def __init__(self, viewer: Viewer, app: App) -> None:
        super().__init__()
        self._viewer = weakref.ref(viewer)
        self.app = app
        self.workers = Workers(self)
        self.front = ""
        self._docks: weakref.WeakValueDictionary[str, DockPage] = weakref.WeakValueDictionary()
        self.canvas_message = CanvasMessage(viewer, self)
        self._dock_layers = DockLayers(viewer)
        self._closed = False
        self._chosen_in: set[Workspace] = set()
        self._unwritable: set[Path] = set()
        QApplication.instance().aboutToQuit.connect(self.close)
        QApplication.instance().focusChanged.connect(self._on_focus)

    @property
    def viewer(self) -> Viewer:
        """The viewer.

        Raises
        ------
        RuntimeError
            If it was closed.
        """
        viewer = self._viewer()
        if viewer is None:
            raise RuntimeError("The viewer was closed.")
        return viewer

    def recall(self, key: str, default: Any = None) -> Any:
        """Return a choice remembered for the current workspace."""
        return self.app.workspace.recall(key, default)

    def remember(self, key: str, value: Any, workspace: Workspace | None = None) -> None:
        """Keep a choice for a workspace, by default the current one; it is written on a worker thread.

        Where it can't be written, the choice is kept until napari is closed, and `warned` says so once.
        """
        workspace = workspace or self.app.workspace
        workspace.remember(key, value)
        self._chosen_in.add(workspace)
        self.workers.run(
            _write_choices,
            workspace,
            lane=f"choices of {workspace.path}",
            on_error=partial(self._on_unwritable, workspace.path),
        )

    def _on_unwritable(self, path: Path, error: Exception) -> None:
        if path not in self._unwritable:
            self._unwritable.add(path)
            self.warned.emit(str(error))

    def register(self, name: str, dock: DockPage) -> None:
        """Make a dock known by its name in the menu (``"Curation"``)."""
        self._docks[name] = dock
        dock.docking.shown.connect(partial(self._set_front, name))

    def unregister(self, name: str, dock: DockPage) -> None:
        """Forget a dock that was closed."""
        if self._docks.get(name) is dock:
            del self._docks[name]
        if self.front == name:
            self._set_front(next((other for other in self._docks if self.in_view(other)), ""))

    def open_docks(self) -> dict[str, DockPage]:
        """Return the docks that are open, by name."""
        return dict(self._docks)

    def dock(self, name: str) -> Any:
        """Return a dock by its name in the menu, opened and raised if need be."""
        dock = self._docks.get(name)
        if dock is None:
            self.viewer.window.add_plugin_dock_widget(PLUGIN, name, tabify=True)
            return self._docks[name]
        dock.docking.raise_dock()
        return dock

    def in_view(self, name: str) -> bool:
        """Whether a dock is on screen: open, not hidden, not behind another tab."""
        dock = self._docks.get(name)
        return dock is not None and dock.docking.in_view

    def _set_front(self, name: str) -> None:
        if name != self.front:
            self.front = name
            self._dock_layers.set_front(name)

    def _on_focus(self, _: QWidget | None, widget: QWidget | None) -> None:
        """Docks may be side by side: the one with the keyboard is in front."""
        names = {dock: name for name, dock in self._docks.items()}
        while widget is not None and widget not in names:
            widget = widget.parentWidget()
        if widget is not None:
            self._set_front(names[widget])

    def close(self) -> None:
        """Write the last choices, cancel background work and end the prediction helper; trainings go on."""
        if not self._closed:
            self._closed = True
            for workspace in self._chosen_in:
                with suppress(SegloopError):  # no dock is left to show a message
                    workspace.write_choices()
            self.workers.close()
            self.app.close()


def _write_choices(workspace: Workspace, context: Context) -> None:
    workspace.write_choices()


# Weak on both sides: a viewer that is closed takes its docks' state along.
_viewer_apps: weakref.WeakKeyDictionary[Viewer, ViewerApp] = weakref.WeakKeyDictionary()


def viewer_app_for(viewer: Viewer) -> ViewerApp:
    """Return what the docks of ``viewer`` share, made on first use."""
    # napari passes plugins a proxy, which has its own lifetime and does not equal the viewer.
    viewer = getattr(viewer, "__wrapped__", viewer)
    viewer_app = _viewer_apps.get(viewer)
    if viewer_app is None:
        guard_removed_layers()
        viewer_app = ViewerApp(viewer, App(Workspace(Workspace.last_path())))
        weakref.finalize(viewer, viewer_app.close)
        _viewer_apps[viewer] = viewer_app
    return viewer_app
