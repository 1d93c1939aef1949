"""Weights for overlapping tiles of networks that are not translation-equivariant."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from segloop.inference.tiles import Tile


def ramp(tile: Tile) -> NDArray[np.float32]:
    """Return weights (z, y, x) of what a tile reads: 1 in its own part, falling linearly over its halo.

    Always above 0; where a tile ends with the image there is no halo and the weight stays 1.
    """
    weight = np.ones((), np.float32)
    for read, write in zip(tile.read, tile.write, strict=True):
        position = np.arange(read.start, read.stop)
        before = (position - read.start + 1) / (write.start - read.start + 1)
        after = (read.stop - position) / (read.stop - write.stop + 1)
        axis = np.minimum(1, np.minimum(before, after)).astype(np.float32)
        weight = weight[..., None] * axis
    return weight
