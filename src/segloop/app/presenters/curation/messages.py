"""Messages from the presenters of the Curation dock, for the message line and for the canvas."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from psygnal import Signal

from segloop.core.errors import SegloopError


@dataclass(frozen=True)
class Remedy:
    """A button beside a message.

    Attributes
    ----------
    label : str
        Its text.
    action : callable
        What it does.
    """

    label: str
    action: Callable[[], None]


@dataclass(frozen=True)
class Message:
    """One message.

    Attributes
    ----------
    level : {"info", "warning", "error"}
        How much attention it deserves.
    content : str or Exception
        What happened.
    remedy : Remedy or None
        What can be done about it.
    detail : str
        More about it, for a tooltip.
    """

    level: Literal["info", "warning", "error"]
    content: str | Exception
    remedy: Remedy | None = None
    detail: str = ""

    @property
    def text(self) -> str:
        """What happened, in words."""
        return str(self.content)


class Messages:
    """Passes messages on to the dock; keeps the last one.

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

    def info(self, text: str, remedy: Remedy | None = None) -> None:
        """Say what happened."""
        self._show(Message("info", text, remedy))

    def warn(self, problems: Sequence[str]) -> None:
        """Say the first of several problems and how many more there are; nothing if there are none."""
        if problems:
            more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
            self._show(Message("warning", f"{problems[0]}{more}", detail="\n".join(problems[:40])))

    def error(self, error: str | Exception, remedy: Remedy | None = None) -> None:
        """Say what went wrong."""
        self._show(Message("error", error, remedy))

    def clear(self) -> None:
        """Empty the message line."""
        if self.last is not None:
            self._show(None)

    def attempt(self, action: Callable[[], object]) -> bool:
        """Do something; if it is refused, say why. Returns whether it worked."""
        try:
            action()
        except (SegloopError, OSError) as error:
            self.error(error if isinstance(error, SegloopError) else str(error))
            return False
        return True

    def _show(self, message: Message | None) -> None:
        self.last = message
        self.changed.emit(message)
