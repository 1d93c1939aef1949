"""Calling a function again and again in the background."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Repeater(Protocol):
    """Calls a function repeatedly in the background, one call after the other.

    `segloop.ui.repeating.WorkerRepeater` calls it on a worker thread and passes results on in the GUI thread.
    """

    def start(self, function: Callable[[], T], on_result: Callable[[T], bool]) -> None:
        """Call ``function`` until ``on_result``, which is called with each result, returns False.

        What was repeated before is stopped.
        """
        ...

    def stop(self) -> None:
        """Make no further call, and ignore the result of the present one."""
        ...


class ThreadRepeater:
    """Calls a function and passes its results on, both on a thread of its own.

    Parameters
    ----------
    interval_s : float
        Seconds between two calls.
    """

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, function: Callable[[], T], on_result: Callable[[T], bool]) -> None:
        """Call ``function`` until ``on_result`` returns False; see `Repeater`."""
        self.stop()
        self._stopped = stopped = threading.Event()

        def repeat() -> None:
            while not stopped.is_set():
                result = function()
                if stopped.is_set() or not on_result(result):
                    return
                stopped.wait(self._interval_s)

        self._thread = threading.Thread(target=repeat, name="segloop-repeat", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Make no further call; returns once the present one has ended."""
        self._stopped.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        self._thread = None
