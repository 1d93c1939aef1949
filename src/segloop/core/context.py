"""How long actions report their progress and can be cancelled."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TypeVar

from segloop.core.errors import Cancelled

T = TypeVar("T")


@dataclass(frozen=True)
class Progress:
    """The progress of a long action.

    Attributes
    ----------
    done, total : float
        Finished and total amount of work, in the same unit; ``total`` is 0 if unknown.
    message : str
        What is being done.
    seconds_left : float or None
        Estimated remaining time in seconds; None if it can't be estimated yet.
    """

    done: float
    total: float
    message: str = ""
    seconds_left: float | None = None

    @property
    def fraction(self) -> float:
        """Finished fraction, 0 to 1 (0 if the total is unknown)."""
        return min(1.0, self.done / self.total) if self.total > 0 else 0.0


def _ignore(_: Progress) -> None:
    pass


def _never() -> bool:
    return False


@dataclass(frozen=True)
class Context:
    """Receives the progress of a long action, and can cancel it.

    Attributes
    ----------
    report : callable
        Called with a `Progress`, on the thread that does the work.
    cancelled : callable
        Returns True if the action should stop.
    """

    report: Callable[[Progress], None] = _ignore
    cancelled: Callable[[], bool] = _never
    _started: float = field(default_factory=time.monotonic, repr=False)

    def check(self) -> None:
        """Raise `Cancelled` if the user has asked to stop."""
        if self.cancelled():
            raise Cancelled("Cancelled. Everything finished so far is kept.")

    def progress(self, done: float, total: float, message: str = "") -> None:
        """Check for cancel, then report progress with the time left, estimated from the speed so far."""
        self.check()
        elapsed = time.monotonic() - self._started
        left = elapsed / done * (total - done) if done > 0 and total > 0 else None
        self.report(Progress(done, total, message, left))

    def track(self, items: Iterable[T], total: int, message: str = "") -> Iterator[T]:
        """Yield ``items``, reporting before each and once after the last."""
        # Time spent before the loop does not count for its speed.
        here = replace(self, _started=time.monotonic())
        for done, item in enumerate(items):
            here.progress(done, total, message)
            yield item
        here.progress(total, total, message)


def time_left(seconds: float | None) -> str:
    """Return a remaining time in words, such as ``"4 min left"``; empty if unknown.

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
