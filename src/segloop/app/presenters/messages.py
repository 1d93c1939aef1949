"""What the presenters say to the user in the message line of their dock, with the remedy as a button."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from psygnal import Signal

from segloop.core.errors import Cancelled, SegloopError


@dataclass(frozen=True)
class Message:
    """One message.

    Attributes
    ----------
    level : {"info", "warning", "error"}
        How much attention it deserves.
    text : str
        One or two sentences.
    button : str
        Label of a button; empty for none.
    action : callable or None
        What the button does.
    detail : str
        More about it, for a tooltip.
    """

    level: Literal["info", "warning", "error"]
    text: str
    button: str = ""
    action: Callable[[], object] | None = None
    detail: str = ""

    @classmethod
    def of_error(
        cls, error: Exception, button: str = "", action: Callable[[], object] | None = None
    ) -> Message:
        """Return the message of an exception; an unexpected one is named by its type."""
        if isinstance(error, Cancelled):
            return cls("info", str(error), button, action)
        if isinstance(error, SegloopError):
            return cls("error", str(error), button, action)
        first = (str(error).strip().splitlines() or [""])[0]
        detail = f": {first}" if first else ""
        return cls("error", f"Unexpected {type(error).__name__}{detail}", button, action)


class Messages:
    """Passes messages on to the dock, and keeps the last one.

    Attributes
    ----------
    last : Message or None
        The message in the message line; None while it is empty.
    """

    changed = Signal(object)
    """Another `Message` for the message line, or None to empty it."""

    acted = Signal(str, bool)
    """What was just done, in a few words for the canvas, and whether an undo takes it back."""

    def __init__(self) -> None:
        self.last: Message | None = None

    def info(self, text: str, button: str = "", action: Callable[[], object] | None = None) -> None:
        """Say what happened."""
        self.show(Message("info", text, button, action))

    def warning(
        self, text: str, button: str = "", action: Callable[[], object] | None = None, *, detail: str = ""
    ) -> None:
        """Say what deserves attention."""
        self.show(Message("warning", text, button, action, detail))

    def problems(self, problems: Sequence[str]) -> None:
        """Warn of the first of several problems, with the number of the others; of none, say nothing."""
        if problems:
            more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
            self.warning(f"{problems[0]}{more}", detail="\n".join(problems[:40]))

    def error(
        self, error: str | Exception, button: str = "", action: Callable[[], object] | None = None
    ) -> None:
        """Say what went wrong; a `Cancelled` is information."""
        if isinstance(error, str):
            self.show(Message("error", error, button, action))
        else:
            self.show(Message.of_error(error, button, action))

    def clear(self) -> None:
        """Empty the message line."""
        self.show(None)

    def show(self, message: Message | None) -> None:
        """Put a message into the message line, or empty it."""
        self.last = message
        self.changed.emit(message)

    def attempt(self, action: Callable[[], object]) -> bool:
        """Do something; if it is refused, say why. Returns whether it worked."""
        try:
            action()
        except (SegloopError, OSError) as error:
            self.error(error if isinstance(error, SegloopError) else str(error))
            return False
        return True
