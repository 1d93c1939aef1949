"""Functions on worker threads, with their results on the GUI thread; outdated results are dropped."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from qtpy.QtCore import QObject, Qt, Signal, Slot

from segloop.core.context import Context, Progress
from segloop.core.errors import SegloopError

logger = logging.getLogger(__name__)


class Task:
    """One function call in progress; `cancel` asks it to stop.

    Attributes
    ----------
    lane : str
        Only the newest task of a lane may deliver its result.
    """

    def __init__(self, lane: str) -> None:
        self.lane = lane
        self._cancelled = threading.Event()
        self._stale = False
        self._latest: Progress | None = None
        self._lock = threading.Lock()

    def cancel(self) -> None:
        """Ask the function to stop at its next ``context.check()``; it then ends with `Cancelled`."""
        self._cancelled.set()

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._cancelled.is_set()


class _Gate:
    """Closed before a `Workers` is deleted: a signal emitted on another thread at that moment would crash."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open = True

    def shut(self) -> None:
        """Wait for a signal that is being emitted, and emit none after it."""
        with self._lock:
            self._open = False

    def send(self, emit: Callable[[Any], None], answer: Any) -> None:
        """Emit a queued signal, unless the gate is shut."""
        with self._lock:
            if self._open:
                emit(answer)


class Workers(QObject):
    """Runs functions on daemon threads and delivers their results on the thread that made this object.

    Each call belongs to a *lane*. Starting a call cancels the earlier ones in the same lane and drops their
    results, so that the screen never shows an outdated one.
    """

    idle = Signal()
    """Emitted when the last running task has ended."""

    _arrived = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._newest: dict[str, Task] = {}
        self._running: set[Task] = set()
        self._closed = False
        self._gate = _Gate()
        self.destroyed.connect(self._gate.shut)
        self._arrived.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    @property
    def busy(self) -> bool:
        """Whether any task still runs."""
        return bool(self._running)

    def run(
        self,
        function: Callable[..., Any],
        *args: Any,
        lane: str,
        on_result: Callable[[Any], None] | None = None,
        on_error: Callable[[Exception], None] | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        **kwargs: Any,
    ) -> Task:
        """Call ``function(*args, context=..., **kwargs)`` on a worker thread.

        Parameters
        ----------
        function : callable
            Must take a keyword ``context`` (`segloop.core.context.Context`) and touch no widget or live
            state.
        lane : str
            An older call of the same lane is cancelled, and its result is dropped.
        on_result, on_error, on_progress : callable, optional
            Called on the GUI thread with the returned value, the exception (`Cancelled` after `Task.cancel`),
            or the newest `Progress`. Exactly one of the first two is called, unless the task is dropped.
        """
        self.drop(lane)
        task = Task(lane)
        self._newest[lane] = task
        self._running.add(task)
        call = partial(function, *args, **kwargs)
        callbacks = {"result": on_result, "error": on_error, "progress": on_progress}
        threading.Thread(
            target=self._work, args=(task, call, callbacks), name=f"segloop-{lane}", daemon=True
        ).start()
        return task

    def drop(self, lane: str) -> None:
        """Cancel the newest task of a lane and ignore its result."""
        task = self._newest.pop(lane, None)
        if task is not None:
            task._stale = True
            task.cancel()

    def close(self) -> None:
        """Cancel everything; no result is delivered after this."""
        self._closed = True
        self._gate.shut()
        for lane in list(self._newest):
            self.drop(lane)
        if self._running:
            self._running.clear()
            with suppress(RuntimeError):  # at the interpreter's exit, Qt's half of this may be gone before
                self.idle.emit()

    def _work(self, task: Task, call: Callable[..., Any], callbacks: dict[str, Any]) -> None:
        def report(progress: Progress) -> None:
            # Only the newest report waits for delivery, so a chatty function can't flood the event loop.
            with task._lock:
                waiting = task._latest is not None
                task._latest = progress
            if not waiting:
                self._send(task, "progress", None, callbacks["progress"])

        try:
            value = call(context=Context(report, task._cancelled.is_set))
        except Exception as error:
            if not isinstance(error, SegloopError):
                logger.exception("Unexpected error in %s", task.lane)
            self._send(task, "error", error, callbacks["error"])
        else:
            self._send(task, "result", value, callbacks["result"])

    def _send(self, task: Task, kind: str, value: Any, callback: Callable[[Any], None] | None) -> None:
        try:
            self._gate.send(self._arrived.emit, (task, kind, value, callback))
        except RuntimeError:
            logger.debug("%s answered after its dock was closed", task.lane)

    @Slot(object)
    def _deliver(self, answer: tuple[Task, str, Any, Callable[[Any], None] | None]) -> None:
        task, kind, value, callback = answer
        if kind == "progress":
            with task._lock:
                value, task._latest = task._latest, None
        else:
            self._running.discard(task)
            if self._newest.get(task.lane) is task:
                del self._newest[task.lane]
        if callback is not None and not task._stale and not self._closed:
            callback(value)
        elif kind == "error" and callback is None and not task._stale:
            logger.error("%s failed: %s", task.lane, value)
        if kind != "progress" and not self._running:
            self.idle.emit()
