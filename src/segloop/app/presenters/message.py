"""What a presenter has to say to the user, with the remedy as a button."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from segloop.core.errors import Cancelled, SegloopError


@dataclass(frozen=True)
class Message:
    """One message for the line at the top of a dock.

    Attributes
    ----------
    level : {"info", "warning", "error"}
        How it is meant.
    text : str
        One or two sentences.
    button : str
        Label of a button; empty for none.
    action : callable or None
        What the button does.
    """

    level: Literal["info", "warning", "error"]
    text: str
    button: str = ""
    action: Callable[[], object] | None = None

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
