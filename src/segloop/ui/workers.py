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


class BackgroundCall:
    """One function call in progress; `cancel` asks it to stop.

    Attributes
    ----------
    lane : str
        Only the newest call of a lane may deliver its result.
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
    """Emitted when the last running call has ended."""

    _arrived = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._newest: dict[str, BackgroundCall] = {}
        self._running: set[BackgroundCall] = set()
        self._closed = False
        self._gate = _Gate()
        self.destroyed.connect(self._gate.shut)
        self._arrived.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    @property
    def busy(self) -> bool:
        """Whether any call still runs."""
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
    ) -> BackgroundCall:
        """Call ``function(*args, context=..., **kwargs)`` on a worker thread.

        Parameters
        ----------
        function : callable
            Must take a keyword ``context`` (`segloop.core.context.Context`) and touch no widget or live
            state.
        lane : str
            An older call of the same lane is cancelled, and its result is dropped.
        on_result, on_error, on_progress : callable, optional
            Called on the GUI thread with the returned value, the exception (`Cancelled` after
            `BackgroundCall.cancel`), or the newest `Progress`. Exactly one of the first two is called, unless
            the call is dropped.
        """
        self.drop(lane)
        call = BackgroundCall(lane)
        self._newest[lane] = call
        self._running.add(call)
        work = partial(function, *args, **kwargs)
        callbacks = {"result": on_result, "error": on_error, "progress": on_progress}
        threading.Thread(
            target=self._work, args=(call, work, callbacks), name=f"segloop-{lane}", daemon=True
        ).start()
        return call

    def drop(self, lane: str) -> None:
        """Cancel the newest call of a lane and ignore its result."""
        call = self._newest.pop(lane, None)
        if call is not None:
            call._stale = True
            call.cancel()

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

    def _work(self, call: BackgroundCall, work: Callable[..., Any], callbacks: dict[str, Any]) -> None:
        def report(progress: Progress) -> None:
            # Only the newest report waits for delivery, so a chatty function can't flood the event loop.
            with call._lock:
                waiting = call._latest is not None
                call._latest = progress
            if not waiting:
                self._send(call, "progress", None, callbacks["progress"])

        try:
            value = work(context=Context(report, call._cancelled.is_set))
        except Exception as error:
            if not isinstance(error, SegloopError):
                logger.exception("Unexpected error in %s", call.lane)
            self._send(call, "error", error, callbacks["error"])
        else:
            self._send(call, "result", value, callbacks["result"])

    def _send(
        self, call: BackgroundCall, kind: str, value: Any, callback: Callable[[Any], None] | None
    ) -> None:
        try:
            self._gate.send(self._arrived.emit, (call, kind, value, callback))
        except RuntimeError:
            logger.debug("%s answered after its dock was closed", call.lane)

    @Slot(object)
    def _deliver(self, answer: tuple[BackgroundCall, str, Any, Callable[[Any], None] | None]) -> None:
        call, kind, value, callback = answer
        if kind == "progress":
            with call._lock:
                value, call._latest = call._latest, None
        else:
            self._running.discard(call)
            if self._newest.get(call.lane) is call:
                del self._newest[call.lane]
        if callback is not None and not call._stale and not self._closed:
            callback(value)
        elif kind == "error" and callback is None and not call._stale:
            logger.error("%s failed: %s", call.lane, value)
        if kind != "progress" and not self._running:
            self.idle.emit()
