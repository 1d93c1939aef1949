"""Names that every file system accepts, made from names that people gave."""

from __future__ import annotations

import re
from collections.abc import Callable

_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
_NOT_PLAIN = re.compile(r"[^\w.+-]+")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_LONGEST = 100  # characters; suffixes, numbers and temporary names are added to it
_LONGEST_BYTES = 180  # file systems allow a name 255


def safe_file_name(text: str, fallback: str) -> str:
    """Replace by ``_`` what Windows, macOS or Linux refuse in a file name; the rest, such as spaces, stays.

    Parameters
    ----------
    text : str
        Name of a layer or an image, for example.
    fallback : str
        The name if nothing is left of ``text``.
    """
    return _usable(_FORBIDDEN.sub("_", text), " .", fallback)


def plain_file_name(text: str, fallback: str, replacement: str = "-") -> str:
    """Return a file name of letters, digits and ``. + - _`` only, which needs no quotes in a shell.

    Parameters
    ----------
    text : str
        Name of a layer or an image, for example.
    fallback : str
        The name if nothing is left of ``text``.
    replacement : str, optional
        Stands for each run of other characters.
    """
    return _usable(_NOT_PLAIN.sub(replacement, text), " .-", fallback)


def free_name(name: str, taken: Callable[[str], bool], separator: str = "-") -> str:
    """Return ``name``, or ``name-2``, ``name-3`` and so on: the first that is not taken."""
    candidate, number = name, 2
    while taken(candidate):
        candidate, number = f"{name}{separator}{number}", number + 1
    return candidate


def _usable(name: str, at_the_ends: str, fallback: str) -> str:
    # Lone surrogates, which stand for undecodable bytes in file names, can't be written as UTF-8.
    name = name.encode("utf-8", "replace").decode("utf-8")
    name = name[:_LONGEST].encode()[:_LONGEST_BYTES].decode(errors="ignore").strip(at_the_ends)
    if not name.strip("_"):
        return fallback
    return f"_{name}_" if _RESERVED.fullmatch(name) else name
