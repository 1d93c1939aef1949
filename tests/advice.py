"""What a message advises, to be tried out."""

from __future__ import annotations

import re


def advised(text: str) -> str:
    """Return the setting that a message gives in brackets, such as ``channels=[0]``."""
    found = re.search(r"\((?:such as )?([\w.]+=[^\s)]+)\)", text)
    assert found is not None, text
    return found[1]
