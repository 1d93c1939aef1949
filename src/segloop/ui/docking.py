"""Where a dock is in napari's window: one of each kind, tabs in the order of the loop, titles of one word."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Protocol

from qtpy.QtCore import QEvent, QObject, QTimer, Signal
from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget

LOOP = ("Curation", "Training", "Prediction")
"""The docks in the order of their tabs."""


class DockPage(Protocol):
    """The content of a dock, as far as others need to know it."""

    docking: Docking


class Docking(QObject):
    """Watches the dock widget that napari puts around a page.

    Parameters
    ----------
    page : QWidget
        The content of the dock.
    name : str
        Its title.
    open_docks : callable
        Returns the pages of all open docks, by title.

    Attributes
    ----------
    in_view : bool
        Whether the dock is on screen: neither hidden nor behind another tab.
    """

    shown = Signal()
    """The dock came into view."""

    def __init__(self, page: QWidget, name: str, open_docks: Callable[[], Mapping[str, DockPage]]) -> None:
        super().__init__(page)
        self._page = page
        self._open_docks = open_docks
        self._name = name
        self._was_in_view = False
        self.dock: QDockWidget | None = None
        self.in_view = False

    def attach(self) -> None:
        """Take note of the dock widget around the page."""
        self.dock = self._page.parentWidget()
        while self.dock is not None and not isinstance(self.dock, QDockWidget):
            self.dock = self.dock.parentWidget()
        if self.dock is not None:
            self.dock.installEventFilter(self)
            self.dock.visibilityChanged.connect(self._on_visible)
            self.dock.topLevelChanged.connect(self._set_title)
            # Not now: napari is still busy adding it.
            QTimer.singleShot(0, self._arrange)

    def detach(self) -> None:
        """Forget the dock widget."""
        if self.dock is not None:
            self.dock.removeEventFilter(self)
            self.dock.visibilityChanged.disconnect(self._on_visible)
            self.dock.topLevelChanged.disconnect(self._set_title)
        self.dock = None
        self.in_view = False

    def raise_dock(self) -> None:
        """Show the dock in front of its neighbours."""
        if self.dock is not None:
            self.dock.show()
            self.dock.raise_()

    def eventFilter(self, dock: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Raise the dock when the menu is used to open it again.

        napari's menu hides a dock that is shown, also when it is behind another tab, though the
        user then wants to see it.
        """
        if event.type() == QEvent.Type.Hide:
            self._was_in_view = self.in_view
        elif event.type() == QEvent.Type.ShowToParent or (
            event.type() == QEvent.Type.HideToParent and not self._was_in_view
        ):
            QTimer.singleShot(0, self.raise_dock)
        return False

    def _on_visible(self, visible: bool) -> None:
        self.in_view = visible
        if visible:
            self.shown.emit()

    def _arrange(self) -> None:
        window = self.dock.parentWidget() if self.dock is not None else None
        if self.dock is None or not isinstance(window, QMainWindow):
            return
        self._set_title()
        area = window.dockWidgetArea(self.dock)
        open_docks = self._open_docks()
        beside = [
            dock
            for dock in (open_docks[name].docking.dock for name in LOOP if name in open_docks)
            if dock is not None and not dock.isFloating() and window.dockWidgetArea(dock) == area
        ]
        for first, second in pairwise(beside):
            window.tabifyDockWidget(first, second)
        self.raise_dock()

    def _set_title(self) -> None:
        if self.dock is not None:
            self.dock.setWindowTitle(self._name)
            # napari draws a title bar of its own, with the name of the plugin.
            title = getattr(self.dock.titleBarWidget(), "title", None)
            if title is not None:
                title.setText(self._name)
