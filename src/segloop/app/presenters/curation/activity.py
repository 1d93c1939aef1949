"""A long action in the background: its progress, and a way to cancel it."""

from __future__ import annotations

from psygnal import Signal

from segloop.app.presenters.tasks import Task
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
        self._task: Task | None = None
        self.running = False

    def start(self, text: str, *, cancellable: bool = False) -> None:
        """Say that an action begins."""
        self.running = True
        self.started.emit(text, cancellable)

    def follow(self, task: Task) -> None:
        """Let `cancel` cancel a task."""
        self._task = task if self.running else None

    def end(self) -> None:
        """Say that it is over."""
        self._task = None
        self.running = False
        self.ended.emit()

    def cancel(self) -> None:
        """Ask the action to stop."""
        if self._task is not None:
            self._task.cancel()
