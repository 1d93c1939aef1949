"""A long action in the background: its progress, and a way to cancel it."""

from __future__ import annotations

from psygnal import Signal

from segloop.app.presenters.background import BackgroundCall
from segloop.core.context import Progress


class Activity:
    """State of a long action."""

    started = Signal(str, bool)
    """What is done, and whether it can be cancelled."""

    progressed = Signal(Progress)
    """How far it has come."""

    ended = Signal()
    """It is done, failed or was cancelled."""

    def __init__(self) -> None:
        self._call: BackgroundCall | None = None
        self.running = False

    def start(self, text: str, *, cancellable: bool = False) -> None:
        """Say that an action begins."""
        self.running = True
        self.started.emit(text, cancellable)

    def follow(self, call: BackgroundCall) -> None:
        """Let `cancel` cancel a call."""
        self._call = call if self.running else None

    def end(self) -> None:
        """Say that it is over."""
        self._call = None
        self.running = False
        self.ended.emit()

    def cancel(self) -> None:
        """Ask the action to stop."""
        if self._call is not None:
            self._call.cancel()
