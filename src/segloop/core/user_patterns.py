"""Regular expressions that a user wrote, or a file from a stranger holds: matching ends after a second.

Python's own module can't be stopped, and some patterns, such as ``(a|aa)+$``, take years on a short name.
"""

from __future__ import annotations

import regex

_LIMIT_S = 1.0
_LONGEST = 1000  # characters


class TooSlowError(ValueError):
    """Matching was stopped; the text is the rest of a sentence that begins with the pattern."""

    def __init__(self, text: str) -> None:
        super().__init__(f"takes too long on {text!r}: write a simpler pattern.")


def compiled(pattern: str) -> regex.Pattern[str]:
    """Return a compiled pattern.

    Raises
    ------
    ValueError
        If it is not a regular expression, or longer than 1000 characters; the text says why.
    """
    if len(pattern) > _LONGEST:
        raise ValueError(f"it is longer than {_LONGEST} characters")
    try:
        return regex.compile(pattern)
    except (regex.error, RecursionError, OverflowError) as error:
        raise ValueError(str(error)) from error


def search(pattern: regex.Pattern[str], text: str) -> regex.Match[str] | None:
    """Return the first match in a text; raises `TooSlowError`."""
    try:
        return pattern.search(text, timeout=_LIMIT_S)
    except TimeoutError:
        raise TooSlowError(text) from None


def fullmatch(pattern: regex.Pattern[str], text: str) -> regex.Match[str] | None:
    """Return the match of a whole text; raises `TooSlowError`."""
    try:
        return pattern.fullmatch(text, timeout=_LIMIT_S)
    except TimeoutError:
        raise TooSlowError(text) from None
