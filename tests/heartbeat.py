"""How long napari's event loop is without a beat."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import Qt, QTimer

_WITNESS = """
import os, sys, threading, time
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
last = time.perf_counter()
while True:
    time.sleep(0.005)
    now = time.perf_counter()
    if now - last > 0.03:
        print(last, now, flush=True)
    last = now
"""

Span = tuple[float, float]
"""Begin and end of a pause in seconds, of the clock that all processes of a machine share."""


class Heartbeat:
    """A timer in the event loop that notes how late it comes: a stall is a long gap.

    What happens with and without a dock, whenever it happens to come, is taken off and noted on its own:
    Python's garbage collections (a full one holds up napari for some 0.2 s), and pauses of the whole machine,
    which a process that does nothing but sleep has as well.
    """

    def __init__(self) -> None:
        self._timer = QTimer(interval=5, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._beat)
        self.pauses_seen: list[Span] = []
        self.witness = _start_witness(self, self.pauses_seen)
        self._last = 0.0
        self._collecting = 0.0
        self._spans: list[Span] = []
        self.gaps: list[float] = []
        self.collections: list[float] = []
        self.pauses: list[float] = []

    @staticmethod
    def in_ms(pauses: Sequence[float]) -> list[int]:
        """Return the first few in milliseconds, for a report."""
        return [round(1000 * pause) for pause in pauses[:5]]

    def start(self) -> None:
        """Begin, or begin anew."""
        for noted in (self.gaps, self.collections, self.pauses, self._spans):
            noted.clear()
        gc.callbacks.append(self._on_collection)
        self._last = time.perf_counter()
        self._timer.start()

    def stop(self) -> list[float]:
        """Return the gaps between beats in seconds, the longest first."""
        self._timer.stop()
        gc.callbacks.remove(self._on_collection)
        pauses = [pause for pause in self.pauses_seen if pause[1] > self._spans[0][0]]
        self.pauses = sorted((end - begin for begin, end in pauses), reverse=True)
        gaps = [_length(span) - sum(_common(span, pause) for pause in pauses) for span in self._spans]
        return sorted(gaps, reverse=True)

    def record(self, record_property: Any, **gaps: Sequence[float]) -> None:
        """Write down the longest gaps, and what was taken off of those measured last, in milliseconds."""
        taken_off = {
            "garbage collections": sorted(self.collections, reverse=True),
            "the machine": self.pauses,
        }
        for name, found in {**gaps, **taken_off}.items():
            record_property(f"{name.replace('_', ' ')} (ms)", self.in_ms(found))

    def _beat(self) -> None:
        now = time.perf_counter()
        self._spans.append((self._last, now))
        self.gaps.append(now - self._last)
        self._last = now

    def _on_collection(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._collecting = time.perf_counter()
        else:
            took = time.perf_counter() - self._collecting
            self.collections.append(took)
            self._last += took


def _start_witness(owner: object, pauses: list[Span]) -> subprocess.Popen[str]:
    """Start a process that sleeps and tells when it was woken late; it ends with its owner."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    process = subprocess.Popen([sys.executable, "-c", _WITNESS], text=True, **pipes)
    listener = threading.Thread(target=_listen, args=(process.stdout, pauses), daemon=True)
    listener.start()
    weakref.finalize(owner, _end, process, listener)
    return process


def _listen(lines: Any, pauses: list[Span]) -> None:
    for line in lines:
        begin, end = line.split()
        pauses.append((float(begin), float(end)))


def _end(process: subprocess.Popen[str], listener: threading.Thread) -> None:
    process.kill()
    process.wait()
    listener.join()
    process.stdin.close()
    process.stdout.close()


def _length(span: Span) -> float:
    return span[1] - span[0]


def _common(one: Span, other: Span) -> float:
    return max(0.0, min(one[1], other[1]) - max(one[0], other[0]))
