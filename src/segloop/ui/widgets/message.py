"""The line that says what happened and offers the remedy as a button; never a modal dialog."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from segloop.core.errors import Cancelled, SegloopError

# Blue, orange and vermillion of Okabe and Ito's palette, which colour-blind people can tell apart.
_EDGE = {"info": "#0072B2", "warning": "#E69F00", "error": "#D55E00"}
_STYLE = (
    "#segloop_message { border: none; border-left: 4px solid %s; background: rgba(128, 128, 128, 40); }"
    " #segloop_message QLabel { background: transparent; }"
)


class MessageLine(QFrame):
    """Shows one message at a time; hidden while there is none."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("segloop_message")
        self._action: Callable[[], None] | None = None
        self.level = ""
        self.label = QLabel(wordWrap=True)
        self.label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.label.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.MinimumExpanding)
        self.remedy = QPushButton()
        self.remedy.clicked.connect(self._on_remedy)
        self.dismiss = QToolButton(text="×", toolTip="Dismiss this message", autoRaise=True)
        self.dismiss.setAccessibleName("Dismiss")
        self.dismiss.clicked.connect(self.clear)
        words = QVBoxLayout()
        words.addWidget(self.label)
        words.addWidget(self.remedy, alignment=Qt.AlignmentFlag.AlignLeft)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(8, 4, 4, 4)
        layout.addLayout(words, 1)
        layout.addWidget(self.dismiss, alignment=Qt.AlignmentFlag.AlignTop)
        self.hide()

    @property
    def text(self) -> str:
        """What is shown; empty while hidden."""
        return self.label.text() if self.level else ""

    def show_info(self, text: str, remedy: str = "", action: Callable[[], None] | None = None) -> None:
        """Say what happened, with an optional button."""
        self._show("info", text, remedy, action)

    def show_warning(self, text: str, remedy: str = "", action: Callable[[], None] | None = None) -> None:
        """Say what deserves attention, with an optional button."""
        self._show("warning", text, remedy, action)

    def show_error(
        self, error: str | Exception, remedy: str = "", action: Callable[[], None] | None = None
    ) -> None:
        """Say what went wrong, with the remedy as a button; a `Cancelled` is shown as information."""
        if isinstance(error, Cancelled):
            self._show("info", str(error), remedy, action)
        elif isinstance(error, str | SegloopError):
            self._show("error", str(error), remedy, action)
        else:
            detail = str(error).strip().splitlines()
            said = f": {detail[0]}" if detail else ""
            self._show("error", f"Unexpected {type(error).__name__}{said}", remedy, action)

    def clear(self) -> None:
        """Hide the line."""
        self.level = ""
        self._action = None
        self.label.clear()
        self.hide()

    def _show(self, level: str, text: str, remedy: str, action: Callable[[], None] | None) -> None:
        self.level = level
        self._action = action
        self.label.setText(text)
        self.remedy.setText(remedy)
        self.remedy.setVisible(bool(remedy) and action is not None)
        self.setStyleSheet(_STYLE % _EDGE[level])
        self.show()

    def _on_remedy(self) -> None:
        action = self._action
        self.clear()
        if action is not None:
            action()
