"""What a presenter needs of the program around it: work in the background, and a clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from segloop.core.context import Progress


class BackgroundCall(Protocol):
    """A function call in the background."""

    def cancel(self) -> None:
        """Ask the function to stop at its next ``context.check()``; it then answers with `Cancelled`."""
        ...


class Background(Protocol):
    """Calls functions in the background; `segloop.ui.workers.Workers` does it on threads.

    Each call belongs to a *lane*. A new call cancels the older ones in its lane and drops their answers.
    """

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
        """Call ``function(*args, context=..., **kwargs)``; the callbacks come on the presenter's thread."""
        ...

    def drop(self, lane: str) -> None:
        """Cancel the newest call of a lane and ignore its answer."""
        ...


class Timer(Protocol):
    """Calls a function once, some time after `start`."""

    def start(self) -> None:
        """Begin to wait, from the beginning if the timer is waiting already."""
        ...

    def stop(self) -> None:
        """Don't call the function."""
        ...

    @property
    def active(self) -> bool:
        """Whether the timer is waiting."""
        ...


class Clock(Protocol):
    """Makes timers and tells the time."""

    def timer(self, seconds: float, function: Callable[[], None]) -> Timer:
        """Return a timer that calls ``function`` the given time after each `Timer.start`."""
        ...

    def now(self) -> float:
        """Return the time in seconds since some fixed moment; it never goes back."""
        ...


class Memory(Protocol):
    """Choices remembered by key for each workspace."""

    def recall(self, key: str, default: Any = None) -> Any:
        """Return the value kept under ``key``, or ``default``."""
        ...

    def remember(self, key: str, value: Any) -> None:
        """Keep a JSON value under ``key``."""
        ...
