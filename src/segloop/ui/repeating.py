"""Calling a function again and again on a worker thread, with its results in the GUI thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from qtpy.QtCore import QObject, QTimer

from segloop.core.context import Context
from segloop.ui.workers import Workers

T = TypeVar("T")


class WorkerRepeater(QObject):
    """A `segloop.app.repeating.Repeater` for docks.

    Parameters
    ----------
    workers : Workers
        Runs the calls; also the parent.
    lane : str
        Lane of the calls, see `Workers`.
    interval_ms : int
        Time between a result and the next call, in milliseconds.
    """

    def __init__(self, workers: Workers, lane: str, interval_ms: int) -> None:
        super().__init__(workers)
        self._workers = workers
        self._lane = lane
        self._call: Callable[[], Any] | None = None
        self._on_result: Callable[[Any], bool] | None = None
        self._timer = QTimer(self, singleShot=True, interval=interval_ms)
        self._timer.timeout.connect(self._run)

    def start(self, function: Callable[[], T], on_result: Callable[[T], bool]) -> None:
        """Call ``function`` on a worker thread until ``on_result`` returns False in the GUI thread."""
        self.stop()
        self._call, self._on_result = function, on_result
        self._run()

    def stop(self) -> None:
        """Make no further call, and ignore the result of the present one."""
        self._timer.stop()
        self._workers.drop(self._lane)
        self._call = self._on_result = None

    def _run(self) -> None:
        if self._call is not None:
            # The next call waits for the result of this one: on a slow disk they must not pile up.
            self._workers.run(_call, self._call, lane=self._lane, on_result=self._pass_on)

    def _pass_on(self, result: Any) -> None:
        call, on_result = self._call, self._on_result
        if on_result is None:
            return
        again = True
        try:
            again = on_result(result)
        finally:
            # The receiver may have stopped this, or started another call.
            if again and self._call is call:
                self._timer.start()


def _call(function: Callable[[], T], context: Context) -> T:
    return function()
