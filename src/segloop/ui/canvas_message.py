"""A short message on the canvas, next to what a key has just done."""

from __future__ import annotations

import weakref
from contextlib import suppress
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Qt, QTimer
from qtpy.QtWidgets import QLabel

from segloop.ui.napari_private import canvas_widget

if TYPE_CHECKING:
    from napari.viewer import Viewer

SHOWN_MS = 2500
_MARGIN = 12  # pixels
_STYLE = (
    "QLabel { background: rgba(0, 0, 0, 170); color: white; border-radius: 4px; padding: 4px 8px;"
    " font-size: 13px; }"
)


class CanvasMessage(QObject):
    """Shows one message at a time at the top of the canvas, for a few seconds; clicks go through it.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Kept weakly.
    """

    def __init__(self, viewer: Viewer, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer = weakref.ref(viewer)
        self._label: QLabel | None = None
        self._timer = QTimer(self, singleShot=True, interval=SHOWN_MS)
        self._timer.timeout.connect(self.clear)

    @property
    def text(self) -> str:
        """What is shown; empty while nothing is."""
        return str(self._label.text()) if self._label is not None else ""

    def show(self, text: str) -> None:
        """Show a message instead of the one before."""
        viewer = self._viewer()
        canvas = canvas_widget(viewer) if viewer is not None else None
        if canvas is None:
            return
        self.clear()
        self._label = QLabel(text, canvas, textFormat=Qt.TextFormat.PlainText)
        self._label.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._label.setStyleSheet(_STYLE)
        self._label.adjustSize()
        self._label.move(max(0, (canvas.width() - self._label.width()) // 2), _MARGIN)
        self._label.show()
        self._timer.start()

    def clear(self) -> None:
        """Take the message away."""
        self._timer.stop()
        label, self._label = self._label, None
        if label is not None:
            with suppress(RuntimeError):  # it may be gone with the canvas
                label.hide()
                label.deleteLater()
