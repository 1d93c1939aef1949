"""Parts of sentences that messages are made of."""

from __future__ import annotations


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
