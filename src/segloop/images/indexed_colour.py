"""Images whose pixels are numbers of colours in a palette: as labels, the numbers count, not the colours."""

from __future__ import annotations

from pathlib import Path

import numpy as np

_SUFFIXES = frozenset((".png", ".gif", ".bmp"))


def palette_numbers(path: Path) -> np.ndarray | None:
    """Return the stored numbers of a PNG, GIF or BMP with a palette.

    Returns
    -------
    (Y, X) uint8, or None
        None if the file has no palette, several pictures, or can't be read.
    """
    if path.suffix.lower() not in _SUFFIXES:
        return None
    from PIL import Image as PillowImage
    from PIL import UnidentifiedImageError

    try:
        with PillowImage.open(path) as picture:
            if picture.mode != "P" or getattr(picture, "n_frames", 1) > 1:
                return None
            return np.asarray(picture)
    except (OSError, UnidentifiedImageError, ValueError, PillowImage.DecompressionBombError):
        return None
