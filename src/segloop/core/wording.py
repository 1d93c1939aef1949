"""Parts of sentences that messages are made of."""

from __future__ import annotations

import re
from collections.abc import Sequence

_NOT_SHOWN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: ``"1 pair"``, ``"3 pairs"``, ``"12,000 objects"``.

    Parameters
    ----------
    number : int
        How many there are.
    noun : str
        Singular.
    plural : str, optional
        Where it is not the singular with an "s".
    """
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def printable(text: str) -> str:
    r"""Return a text that a terminal shows as it is: what would control the terminal is written as ``\x1b``.

    Names of files may hold escape codes, marks that reverse the direction of writing, and bytes that are no
    text. Line breaks and tabs stay.
    """
    return _NOT_SHOWN.sub(lambda found: found.group().encode("unicode_escape").decode(), text)


def shortened(text: str, longest: int = 60) -> str:
    """Return the first characters of a text for a message, and ``...`` if there are more."""
    return text if len(text) <= longest else f"{text[:longest]}..."


def table_lines(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows as lines of a table for the terminal."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "   ".join(
            [
                row[0].ljust(widths[0]),
                *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)),
            ]
        ).rstrip()
        for row in rows
    ]
