"""Timers of the GUI thread for presenters."""

from __future__ import annotations

import time
from collections.abc import Callable

from qtpy.QtCore import QObject, QTimer


class QtTimer:
    """A `segloop.app.presenters.background.Timer`."""

    def __init__(self, parent: QObject, seconds: float, function: Callable[[], None]) -> None:
        self._timer = QTimer(parent, singleShot=True, interval=round(1000 * seconds))
        self._timer.timeout.connect(function)

    def start(self) -> None:
        """Begin to wait, from the beginning if the timer is waiting already."""
        self._timer.start()

    def stop(self) -> None:
        """Don't call the function."""
        self._timer.stop()

    @property
    def active(self) -> bool:
        """Whether the timer is waiting."""
        return bool(self._timer.isActive())


class QtClock:
    """A `segloop.app.presenters.background.Clock` whose timers end with their parent.

    Parameters
    ----------
    parent : QObject
        Such as the dock.
    """

    def __init__(self, parent: QObject) -> None:
        self._parent = parent

    def timer(self, seconds: float, function: Callable[[], None]) -> QtTimer:
        """Return a timer that calls ``function`` the given time after each start."""
        return QtTimer(self._parent, seconds, function)

    def now(self) -> float:
        """Return the time in seconds since some fixed moment; it never goes back."""
        return time.monotonic()
