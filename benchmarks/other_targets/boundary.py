"""Foreground and boundary, as in the U-Net with three classes of Caicedo et al. (Cytometry A 95, 2019)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.measure import label
from skimage.segmentation import find_boundaries, watershed

from other_targets.separated import SeparatedTarget
from segloop.targets import Encoded, LossTerm, MapSpec
from segloop.targets.maps import all_valid


class BoundaryTarget(SeparatedTarget):
    """Two sigmoid maps: foreground, and the outermost two pixels of each object.

    The foreground without boundaries gives the seeds, which grow by a watershed of the boundary map.
    """

    splittings = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)

    @property
    def maps(self) -> tuple[MapSpec, ...]:
        """The network's outputs, in order."""
        return MapSpec("foreground"), MapSpec("boundary")

    @property
    def losses(self) -> tuple[LossTerm, ...]:
        """One term for each map."""
        return LossTerm("foreground", "binary_dice", (0,)), LossTerm("boundary", "binary_dice", (1,))

    def encode(self, labels: NDArray[Any], valid: NDArray[np.bool_] | None = None) -> Encoded:
        """Turn labels (Z, Y, X) into maps."""
        valid = all_valid(labels, valid)
        labels = np.where(valid, labels, 0)
        edge = np.zeros(labels.shape, bool)
        for z, plane in enumerate(labels):
            one = find_boundaries(plane, mode="inner")
            edge[z] = one | find_boundaries(np.where(one, 0, plane), mode="inner")
        maps = np.stack([labels > 0, edge & (labels > 0)]).astype(np.float32)
        return Encoded(maps, np.stack([valid, valid]))

    def separate(
        self, mask: NDArray[np.bool_], maps: NDArray[np.uint8], splitting: float
    ) -> NDArray[np.integer[Any]]:
        """Grow what lies inside boundaries."""
        boundary = maps[1]
        return np.asarray(watershed(boundary, label(mask & (boundary < 255 * splitting)), mask=mask))
