"""A bar with the time left and a Cancel button."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from segloop.core.context import Progress, time_left


@contextmanager
def painted_later(bar: QProgressBar) -> Iterator[None]:
    """Paint a bar that changes in the block later, together with everything else.

    Qt repaints a bar at once, at each change; where a window is put together by the processor, each of these
    repaints takes some 50 ms.
    """
    bar.setUpdatesEnabled(False)
    try:
        yield
    finally:
        bar.setUpdatesEnabled(True)


class ProgressRow(QWidget):
    """Shows the progress of a long action; hidden while nothing runs."""

    cancelled = Signal()
    """The user wants to stop."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.bar = QProgressBar(textVisible=True)
        self.label = QLabel(textFormat=Qt.TextFormat.PlainText)
        self.label.setWordWrap(True)
        self.button = QPushButton("Cancel", toolTip="Stop; what is finished by then is kept")
        self.button.clicked.connect(self._on_cancel)
        row = QHBoxLayout()
        row.addWidget(self.bar, 1)
        row.addWidget(self.button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(row)
        layout.addWidget(self.label)
        self.hide()

    def start(self, message: str = "", *, cancellable: bool = True) -> None:
        """Show the row with a busy bar."""
        self.button.setVisible(cancellable)
        self.button.setEnabled(True)
        with painted_later(self.bar):
            self.bar.setRange(0, 0)
        self.label.setText(message)
        self.show()

    def set_progress(self, progress: Progress) -> None:
        """Show the progress."""
        with painted_later(self.bar):
            self.bar.setRange(0, 1000 if progress.total > 0 else 0)
            if progress.total > 0:
                self.bar.setValue(round(1000 * progress.fraction))
                self.bar.setFormat(f"{progress.fraction:.0%}")
        words = (progress.message, time_left(progress.seconds_left) if progress.fraction < 1 else "")
        self.label.setText(", ".join(word for word in words if word))

    def finish(self) -> None:
        """Hide the row."""
        self.hide()

    def _on_cancel(self) -> None:
        self.button.setEnabled(False)
        self.label.setText("Stopping…")
        self.cancelled.emit()
