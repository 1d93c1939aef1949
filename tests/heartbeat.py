"""How long napari's event loop is without a beat."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from qtpy.QtCore import Qt, QTimer


@contextmanager
def collections_noted() -> Iterator[list[float]]:
    """Note how long each of Python's garbage collections takes meanwhile, in seconds.

    A full one takes the longer the more tests ran in this process before.
    """
    seconds: list[float] = []
    began = 0.0

    def note(phase: str, info: dict[str, int]) -> None:
        nonlocal began
        if phase == "start":
            began = time.perf_counter()
        else:
            seconds.append(time.perf_counter() - began)

    gc.callbacks.append(note)
    try:
        yield seconds
    finally:
        gc.callbacks.remove(note)


class Heartbeat:
    """A timer in the event loop that notes how late it comes: a stall is a long gap.

    Python's garbage collections are taken off and noted on their own: a full one holds up napari for some
    0.2 s whenever it happens to come, with and without a dock.
    """

    def __init__(self) -> None:
        self._timer = QTimer(interval=5, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._beat)
        self._last = 0.0
        self._collecting = 0.0
        self.gaps: list[float] = []
        self.collections: list[float] = []

    @staticmethod
    def in_ms(pauses: Sequence[float]) -> list[int]:
        """Return the first few in milliseconds, for a report."""
        return [round(1000 * pause) for pause in pauses[:5]]

    def start(self) -> None:
        """Begin, or begin again."""
        self.gaps.clear()
        self.collections.clear()
        gc.callbacks.append(self._on_collection)
        self._last = time.perf_counter()
        self._timer.start()

    def stop(self) -> list[float]:
        """Return the gaps between beats in seconds, the longest first."""
        self._timer.stop()
        gc.callbacks.remove(self._on_collection)
        return sorted(self.gaps, reverse=True)

    def record(self, record_property: Any, **gaps: Sequence[float]) -> None:
        """Write down the longest gaps, and the collections that were taken off, in milliseconds."""
        for name, found in {**gaps, "collections": sorted(self.collections, reverse=True)}.items():
            record_property(f"{name.replace('_', ' ')} (ms)", self.in_ms(found))

    def _beat(self) -> None:
        now = time.perf_counter()
        self.gaps.append(now - self._last)
        self._last = now

    def _on_collection(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._collecting = time.perf_counter()
        else:
            took = time.perf_counter() - self._collecting
            self.collections.append(took)
            self._last += took
