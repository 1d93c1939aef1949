"""Maps between 0 and 1, and what they are decoded to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Decoded:
    """What the maps of an image mean; None where the target can't tell.

    Attributes
    ----------
    labels : (Z, Y, X) uint32 or None
        Objects numbered from 1 without gaps; 0 is background.
    mask : (Z, Y, X) uint8 or None
        1 is foreground.
    classes : (Z, Y, X) uint8 or None
        Most probable class; 0 is background.
    """

    labels: NDArray[np.uint32] | None = None
    mask: NDArray[np.uint8] | None = None
    classes: NDArray[np.uint8] | None = None


def quantise(maps: NDArray[Any]) -> NDArray[np.uint8]:
    """Return ``round(255 p)`` of float maps between 0 and 1; uint8 maps as they are; NaN becomes 0."""
    if maps.dtype == np.uint8:
        return cast(NDArray[np.uint8], maps)
    scaled = np.nan_to_num(maps, nan=0.0) * np.float32(255)
    return cast(NDArray[np.uint8], np.clip(np.rint(scaled, out=scaled), 0, 255).astype(np.uint8))


def at_least(maps: NDArray[np.uint8], probability: float) -> NDArray[np.bool_]:
    """Return where quantised maps reach a probability."""
    return np.asarray(maps >= np.ceil(probability * 255 - 1e-6))


def all_valid(labels: NDArray[Any], valid: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    """Return ``valid``, or True everywhere if it is None."""
    return np.ones(labels.shape, bool) if valid is None else np.asarray(valid, bool)


def suggested_min_size(sizes: NDArray[Any]) -> int:
    """Return the size below which an object is rather dirt than one of those learned from.

    Parameters
    ----------
    sizes : (N,) int
        Numbers of pixels of the objects in the training labels.

    Returns
    -------
    int
        Half the size that all but one in fifty objects reach; 0 without objects.
    """
    return 0 if len(sizes) == 0 else int(np.percentile(sizes, 2) / 2)
