"""The frame of a dock: workspace, message line, a column that scrolls, and a footer that stays in view."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, QSize, Qt, QTimer
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QFrame, QScrollArea, QShortcut, QVBoxLayout, QWidget

from segloop.core.errors import SegloopError
from segloop.ui.already_open import AlreadyOpen
from segloop.ui.docking import Docking
from segloop.ui.shortcuts import commands_of
from segloop.ui.viewer_app import ViewerApp, viewer_app_for
from segloop.ui.widgets.help import HelpWindow
from segloop.ui.widgets.message import MessageLine
from segloop.ui.widgets.workspace_bar import WorkspaceBar
from segloop.ui.workers import Workers

if TYPE_CHECKING:
    from segloop.app.workspace import Workspace


class Page(QWidget):
    """Base of the three docks.

    Parameters
    ----------
    viewer_app : ViewerApp
        What the docks of the viewer share.
    name : str
        The dock's name in the menu.

    Attributes
    ----------
    viewer_app : ViewerApp
    workers : Workers
        The dock's own; closed with it.
    workspace_bar : WorkspaceBar
    message : MessageLine
    column : QVBoxLayout
        Put the dock's widgets here; it scrolls vertically.
    footer : QVBoxLayout
        Put the dock's main buttons here; they stay in view below the column.
    """

    def __new__(cls, napari_viewer: Any) -> Any:
        """Make a dock, or where one of this kind is open already, a widget that raises that one."""
        viewer_app = viewer_app_for(napari_viewer)
        for name, dock in viewer_app.open_docks().items():
            if type(dock) is cls:
                return AlreadyOpen(viewer_app, name)
        return super().__new__(cls, napari_viewer)

    def __init__(self, viewer_app: ViewerApp, name: str) -> None:
        super().__init__()
        self.viewer_app = viewer_app
        self._name = name
        self._commands: Mapping[str, Callable[[], object]] = {}
        self._docked = False
        self._scroll_target: QWidget | None = None
        self.docking = Docking(self, name, self.viewer_app.open_docks)
        self.workers = Workers(self)
        self.workspace_bar = WorkspaceBar()
        self.message = MessageLine()
        self.content = QWidget()
        self.column = QVBoxLayout(self.content)
        self.column.setContentsMargins(8, 4, 8, 8)
        self.column.setSpacing(6)
        self.scroll = QScrollArea(widgetResizable=True)
        self.scroll.setFrameShape(QFrame.Shape.NoFrame)
        self.scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self.scroll.setWidget(self.content)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.setSpacing(4)
        top = QVBoxLayout()
        top.setContentsMargins(8, 0, 8, 0)
        top.addWidget(self.workspace_bar)
        top.addWidget(self.message)
        layout.addLayout(top)
        layout.addWidget(self.scroll, 1)
        self.footer = QVBoxLayout()
        self.footer.setContentsMargins(8, 0, 8, 6)
        self.footer.setSpacing(4)
        layout.addLayout(self.footer)
        viewer_app.register(name, self)
        self.workspace_bar.set_path(viewer_app.app.workspace.path)
        self.workspace_bar.chosen.connect(self._open_workspace)
        self.workspace_bar.help_requested.connect(self._show_help)
        viewer_app.app.workspace_changed.connect(self._on_workspace_changed)
        viewer_app.warned.connect(self.message.show_warning)

    def on_workspace(self, workspace: Workspace) -> None:
        """Show what belongs to another workspace; docks override this."""

    def on_close(self) -> None:
        """Clean up when the user closes the dock; docks override this."""

    def attempt(self, action: Callable[[], object]) -> bool:
        """Do what the user asked for; an error goes to the message line. Returns whether it worked."""
        try:
            action()
        except (SegloopError, OSError) as error:
            self.message.show_error(error if isinstance(error, SegloopError) else str(error))
            return False
        return True

    def scroll_to(self, widget: QWidget) -> None:
        """Bring a widget of the column into view, after what was just shown or hidden is laid out."""
        self._scroll_target = widget
        QTimer.singleShot(0, self._scroll)  # Qt drops the call if the dock is deleted before

    def _scroll(self) -> None:
        if self._scroll_target is not None:
            self.scroll.ensureWidgetVisible(self._scroll_target, 0, 0)

    def bind_commands(
        self, actions: Mapping[str, Callable[[], object]], whole_window: Collection[str] = ()
    ) -> None:
        """Have the commands that ``napari.yaml`` declares for this dock do something.

        Parameters
        ----------
        actions : mapping of str to callable
            What each command does, by its name.
        whole_window : collection of str
            Commands whose key works wherever the keyboard is, while the dock is in view; other keys work
            inside the dock only, and on the canvas through `canvas_keys`.
        """
        self._commands = dict(actions)
        for command in commands_of(self._name):
            shortcut = QShortcut(QKeySequence(command.key), self)
            anywhere = command.name in whole_window
            context = Qt.ShortcutContext
            shortcut.setContext(context.WindowShortcut if anywhere else context.WidgetWithChildrenShortcut)
            shortcut.activated.connect(partial(self._on_key, command.name))

    def canvas_keys(self) -> dict[str, Callable[[], None]]:
        """Return what to bind to the dock's own layers: actions by napari's spelling of the key.

        They do nothing while the dock is not in view.
        """
        return {
            command.napari_key: partial(self._on_key, command.name) for command in commands_of(self._name)
        }

    def run_command(self, name: str) -> None:
        """Do what a key does, as the command palette asks for it."""
        self.message.clear()
        self._commands[name]()

    def _on_key(self, name: str) -> None:
        if self.docking.in_view:
            self.run_command(name)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return 400 x 900 pixels, the panel that a dock is made for."""
        return QSize(400, 900)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return a size small enough never to push the canvas away."""
        return QSize(320, 240)

    def event(self, event: QEvent) -> bool:
        """Notice when napari takes the widget out of its dock, which is all that the close button does."""
        if event.type() == QEvent.Type.ParentChange:
            if self.parent() is not None:
                self._docked = True
                self.docking.attach()
            elif self._docked:
                self._docked = False
                self.docking.detach()
                self._close()
        return bool(super().event(event))

    def _close(self) -> None:
        self.viewer_app.app.workspace_changed.disconnect(self._on_workspace_changed, missing_ok=True)
        self.viewer_app.warned.disconnect(self.message.show_warning)
        self.viewer_app.unregister(self._name, self)
        self.workers.close()
        self.on_close()
        self.deleteLater()

    def _open_workspace(self, path: Path) -> None:
        self.attempt(lambda: self.viewer_app.app.open_workspace(path))

    def _on_workspace_changed(self, workspace: Workspace) -> None:
        self.workspace_bar.set_path(workspace.path)
        self.on_workspace(workspace)

    def _show_help(self) -> None:
        self._help = HelpWindow(self._name, self)
        self._help.show()
