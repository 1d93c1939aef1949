"""Maps between 0 and 1, and what they are decoded to."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray


class Decoded(dict[str, NDArray[Any]]):
    """What the maps of an image were decoded to: arrays (Z, Y, X) by the name of the output.

    Of the built-in targets: ``labels`` (uint32, objects numbered from 1 without gaps), ``mask`` (uint8, 1 is
    foreground) and ``classes`` (uint8, 0 is background).
    """

    @property
    def labels(self) -> NDArray[Any] | None:
        """The output ``labels``."""
        return self.get("labels")

    @property
    def mask(self) -> NDArray[Any] | None:
        """The output ``mask``."""
        return self.get("mask")

    @property
    def classes(self) -> NDArray[Any] | None:
        """The output ``classes``."""
        return self.get("classes")


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
