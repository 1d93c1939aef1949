"""What napari gets instead of a second dock of the same kind."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QTimer
from qtpy.QtWidgets import QWidget

from segloop.ui.viewer_app import ViewerApp


class AlreadyOpen(QWidget):
    """Stands in for a dock that is open already: raises that one and takes itself out of the window.

    napari knows docks by two names, one from its menu and one from scripts, and so would open a second one.
    """

    def __init__(self, viewer_app: ViewerApp, name: str) -> None:
        super().__init__()
        self._viewer_app = viewer_app
        self._name = name
        self._leaving = False

    def event(self, event: QEvent) -> bool:
        """Leave as soon as napari has put the widget into the window."""
        if event.type() == QEvent.Type.ParentChange and self.parent() is not None and not self._leaving:
            self._leaving = True
            QTimer.singleShot(0, self._leave)
        return bool(super().event(event))

    def _leave(self) -> None:
        self._viewer_app.viewer.window.remove_dock_widget(self)
        self.deleteLater()
        self._viewer_app.dock(self._name)
