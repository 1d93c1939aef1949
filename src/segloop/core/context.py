"""What a long action is given so that it can report its progress and be cancelled."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TypeVar

from segloop.core.errors import Cancelled

T = TypeVar("T")


@dataclass(frozen=True)
class Progress:
    """How far a long action has come.

    Attributes
    ----------
    done, total : float
        Finished and overall amount of work, in the same unit; ``total`` is 0 where unknown.
    message : str
        What is being done, in plain words.
    seconds_left : float or None
        Estimated remaining time in seconds; None while there is nothing to estimate from.
    """

    done: float
    total: float
    message: str = ""
    seconds_left: float | None = None

    @property
    def fraction(self) -> float:
        """Finished share, 0 to 1 (0 where the total is unknown)."""
        return min(1.0, self.done / self.total) if self.total > 0 else 0.0


def _ignore(_: Progress) -> None:
    pass


def _never() -> bool:
    return False


@dataclass(frozen=True)
class Context:
    """Progress out, cancel in.

    Attributes
    ----------
    report : callable
        Receives a `Progress`; called from whichever thread does the work.
    cancelled : callable
        Returns True once the user has asked to stop.
    """

    report: Callable[[Progress], None] = _ignore
    cancelled: Callable[[], bool] = _never
    _started: float = field(default_factory=time.monotonic, repr=False)

    def check(self) -> None:
        """Raise `Cancelled` if the user has asked to stop."""
        if self.cancelled():
            raise Cancelled("Cancelled; what was finished until then is kept.")

    def progress(self, done: float, total: float, message: str = "") -> None:
        """Check for cancel, then report with the time left estimated from the pace so far."""
        self.check()
        elapsed = time.monotonic() - self._started
        left = elapsed / done * (total - done) if done > 0 and total > 0 else None
        self.report(Progress(done, total, message, left))

    def track(self, items: Iterable[T], total: int, message: str = "") -> Iterator[T]:
        """Yield ``items``, reporting before each and once after the last."""
        # What took long before the loop says nothing about its pace.
        here = replace(self, _started=time.monotonic())
        for done, item in enumerate(items):
            here.progress(done, total, message)
            yield item
        here.progress(total, total, message)


def time_left(seconds: float | None) -> str:
    """Return a remaining time as people say it, such as ``"4 min left"``; empty where unknown.

    Parameters
    ----------
    seconds : float or None
        Remaining time in seconds.
    """
    if seconds is None or seconds < 0:
        return ""
    if seconds < 60:
        return f"{max(1, round(seconds))} s left"
    if seconds < 3600:
        return f"{round(seconds / 60)} min left"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min left" if hours < 10 else f"{hours} h left"
