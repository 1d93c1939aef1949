"""Functions that get a turn of the event loop each."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from qtpy.QtCore import QObject, QTimer


class Turns(QObject):
    """Calls functions one per turn of the event loop.

    Adding or removing a layer keeps napari busy for a while, so two of them should not share a turn.
    """

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._waiting: deque[Callable[[], None]] = deque()
        self._timer = QTimer(self, singleShot=True, interval=0)
        self._timer.timeout.connect(self._next)

    @property
    def pending(self) -> bool:
        """Whether functions are waiting."""
        return bool(self._waiting)

    def later(self, function: Callable[[], None]) -> None:
        """Call a function in a turn of its own."""
        self._waiting.append(function)
        self._timer.start()

    def finish(self) -> None:
        """Call all waiting functions now."""
        while self._waiting:
            self._waiting.popleft()()

    def _next(self) -> None:
        function = self._waiting.popleft()
        if self._waiting:
            self._timer.start()
        function()
