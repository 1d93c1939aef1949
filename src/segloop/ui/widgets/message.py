"""The line that says what happened and offers the remedy as a button; never a modal dialog."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QEvent, QObject, QPoint, QRect, QSize, Qt, QTimer
from qtpy.QtGui import QMoveEvent, QResizeEvent
from qtpy.QtWidgets import (
    QApplication,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from segloop.app.presenters.messages import Message

# Blue, orange and vermillion of Okabe and Ito's palette, which colour-blind people can tell apart.
_EDGE = {"info": "#0072B2", "warning": "#E69F00", "error": "#D55E00"}
_STYLE = (
    "#segloop_message { border: none; border-left: 4px solid %s; background: rgba(128, 128, 128, 40); }"
    " #segloop_message QLabel { background: transparent; }"
)
_LINES = 2


class MessageLine(QWidget):
    """Shows one message at a time, in a place reserved for it, until the user does the next thing.

    The place has room for two lines of text. A longer message covers what is above it, and then what is
    below, so that the page never moves.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._action: Callable[[], object] | None = None
        self.level = ""
        self.label = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.label.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.MinimumExpanding)
        self.remedy = QPushButton()
        self.remedy.clicked.connect(self._on_remedy)
        self.dismiss = QToolButton(text="×", toolTip="Dismiss this message", autoRaise=True)
        self.dismiss.setAccessibleName("Dismiss")
        self.dismiss.clicked.connect(self.clear)
        frame = QFrame()
        frame.setObjectName("segloop_message")
        row = QHBoxLayout(frame)
        row.setContentsMargins(8, 2, 2, 2)
        row.addWidget(self.label, 1)
        row.addWidget(self.remedy)
        row.addWidget(self.dismiss, alignment=Qt.AlignmentFlag.AlignTop)
        # Napari's themes give it the opaque colour of a page; the frame is translucent.
        self._box = QWidget(self)
        self._frame = frame
        layout = QVBoxLayout(self._box)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(frame)
        self._box.hide()
        self.setFixedHeight(_LINES * self.fontMetrics().lineSpacing() + 8)

    @property
    def text(self) -> str:
        """What is shown; empty while nothing is."""
        return str(self.label.text()) if self.level else ""

    def show_message(self, message: Message | None) -> None:
        """Show what a presenter says; None shows nothing."""
        if message is None:
            self.clear()
            return
        self._show(message.level, message.text, message.button, message.action)
        self.setToolTip(message.detail)

    def show_info(self, text: str, remedy: str = "", action: Callable[[], object] | None = None) -> None:
        """Say what happened, with an optional button."""
        self._show("info", text, remedy, action)

    def show_warning(self, text: str, remedy: str = "", action: Callable[[], object] | None = None) -> None:
        """Say what deserves attention, with an optional button."""
        self._show("warning", text, remedy, action)

    def show_error(
        self, error: str | Exception, remedy: str = "", action: Callable[[], object] | None = None
    ) -> None:
        """Say what went wrong, with the remedy as a button; a `Cancelled` is shown as information."""
        if isinstance(error, str):
            self._show("error", error, remedy, action)
        else:
            self.show_message(Message.of_error(error, remedy, action))

    def clear(self) -> None:
        """Show nothing."""
        QApplication.instance().removeEventFilter(self)
        self.level = ""
        self._action = None
        self.label.clear()
        self.setToolTip("")
        self._box.hide()

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return the size below which the message would be cut."""
        return QSize(self._box.minimumSizeHint().width(), self.height())

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        """Keep the message in its place."""
        super().resizeEvent(event)
        self._place()

    def moveEvent(self, event: QMoveEvent) -> None:  # noqa: N802 - Qt's name
        """Keep the message in its place."""
        super().moveEvent(event)
        self._place()

    def eventFilter(self, target: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Take the message away at the user's next action in the page; installed only while one is shown."""
        if event.type() in (QEvent.Type.MouseButtonPress, QEvent.Type.KeyPress) and self._is_action(target):
            self.clear()
        return False

    def _is_action(self, target: QObject) -> bool:
        page = self.parentWidget()
        if page is None or not isinstance(target, QWidget) or not page.isAncestorOf(target):
            return False
        if target is self._box or self._box.isAncestorOf(target):
            return False
        nothing = Qt.FocusPolicy.NoFocus
        above = target.parentWidget()  # a list gets the mouse in a viewport, which has no focus of its own
        return bool(target.focusPolicy() != nothing or (above is not None and above.focusPolicy() != nothing))

    def _show(self, level: str, text: str, remedy: str, action: Callable[[], object] | None) -> None:
        self.setToolTip("")
        self.level = level
        self._action = action
        self.label.setText(text)
        self.remedy.setText(remedy)
        self.remedy.setVisible(bool(remedy) and action is not None)
        self._frame.setStyleSheet(_STYLE % _EDGE[level])
        self._place()
        # The key press that led to the message still goes on to the widgets around its own.
        QTimer.singleShot(0, self._watch)

    def _watch(self) -> None:
        if self.level:
            QApplication.instance().installEventFilter(self)

    def _place(self) -> None:
        if not self.level:
            return
        around = self.parentWidget() or self
        if self._box.parentWidget() is not around:
            self._box.setParent(around)
        width = self.width()
        height = max(self.height(), self._box.layout().totalHeightForWidth(width))
        origin = self.mapTo(around, QPoint(0, 0)) if around is not self else QPoint(0, 0)
        if height > self.height():
            height, origin = max(height, origin.y() + self.height()), QPoint(origin.x(), 0)
        self._box.setGeometry(QRect(origin, QSize(width, height)))
        self._box.show()
        self._box.raise_()

    def _on_remedy(self) -> None:
        action = self._action
        self.clear()
        if action is not None:
            action()
