"""What the dock says in its message line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from psygnal import Signal

BUSY = "A prediction is running: wait for it, or cancel it."


@dataclass(frozen=True)
class Message:
    """Something to say in the message line.

    Attributes
    ----------
    level : {"info", "warning", "error"}
        How it is meant.
    text : str or Exception
        What to say.
    remedy : str
        Label of a button beside it; empty for none.
    action : callable or None
        What the button does.
    """

    level: str
    text: str | Exception
    remedy: str = ""
    action: Callable[[], None] | None = None


class Messages:
    """The message line, as the presenters use it."""

    said = Signal(Message)
    """There is something to say."""

    cleared = Signal()
    """The line should be empty."""

    def info(self, text: str) -> None:
        """Say what happened."""
        self.said.emit(Message("info", text))

    def warning(self, text: str) -> None:
        """Say what deserves attention."""
        self.said.emit(Message("warning", text))

    def error(
        self, error: str | Exception, remedy: str = "", action: Callable[[], None] | None = None
    ) -> None:
        """Say what went wrong, with the remedy as a button."""
        self.said.emit(Message("error", error, remedy, action))

    def clear(self) -> None:
        """Empty the line."""
        self.cleared.emit()
