"""Whether what is decoded as a whole fits into memory: known before the work begins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from segloop.core.errors import ImageError
from segloop.core.memory import free_memory
from segloop.targets import Target


def require_memory(target: Target[Any, Any], shape: Sequence[int], name: str) -> None:
    """Refuse to decode an image whose maps don't fit into memory as a whole.

    Parameters
    ----------
    target : Target
        Decodes it; tells how much it needs.
    shape : sequence of int
        Z, Y, X.
    name : str
        Of the image.

    Raises
    ------
    ImageError
        If more memory is needed than is free.
    """
    needed, free = target.decoding_memory(shape), free_memory()
    if needed > free:
        span = " x ".join(f"{size:,}" for size in shape if size > 1)
        what = target.outputs[0].name
        raise ImageError(
            f"`{name}` is too large for the free memory: to find the {what} of {span} pixels takes "
            f"about {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free. Close other programs, cut "
            "the image into parts, or write the probability only."
        )
