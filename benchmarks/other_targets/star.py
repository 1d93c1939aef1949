"""Star-convex polygons, as in StarDist (Schmidt et al., MICCAI 2018)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from skimage.draw import polygon
from skimage.feature import peak_local_max

from other_targets.separated import SeparatedTarget
from segloop.targets import Encoded, LossTerm, MapSpec
from segloop.targets.maps import all_valid

N_RAYS = 32
LONGEST = 64
"""Pixels; objects of up to twice this diameter can be described."""

_ANGLES = np.arange(N_RAYS) * 2 * np.pi / N_RAYS
_WAYS = np.stack([np.sin(_ANGLES), np.cos(_ANGLES)])


class StarTarget(SeparatedTarget):
    """Sigmoid maps: the relative distance to the edge, and the distances to the edge along 32 rays.

    The polygons of peaks are drawn in the order of their height; one that is covered by those before it to
    more than ``splitting`` is left out.
    """

    splittings = (0.3, 0.4, 0.5, 0.6)

    @property
    def maps(self) -> tuple[MapSpec, ...]:
        """The network's outputs, in order."""
        return MapSpec("distance"), *(MapSpec(f"ray{number:02d}") for number in range(N_RAYS))

    @property
    def losses(self) -> tuple[LossTerm, ...]:
        """One term for the probability, and one for all distances."""
        every = tuple(range(1 + N_RAYS))
        return LossTerm("distance", "distance", (0,)), LossTerm("rays", "rays", every, weight=0.2)

    def encode(self, labels: NDArray[Any], valid: NDArray[np.bool_] | None = None) -> Encoded:
        """Turn labels (Z, Y, X) into maps."""
        distance = super().encode(labels, valid)
        valid = all_valid(labels, valid)
        rays = np.zeros((N_RAYS, *labels.shape), np.float32)
        for z, plane in enumerate(np.where(valid, labels, 0)):
            rows, columns = np.nonzero(plane)
            for number, (dy, dx) in enumerate(_WAYS.T):
                rays[number, z, rows, columns] = _lengths(plane, rows, columns, dy, dx) / LONGEST
        inside = distance.valid[1] & (labels > 0)
        maps = np.concatenate([distance.maps[1:], rays])
        return Encoded(maps, np.concatenate([distance.valid[1:], np.repeat(inside[None], N_RAYS, axis=0)]))

    def separate(
        self, mask: NDArray[np.bool_], maps: NDArray[np.uint8], splitting: float
    ) -> NDArray[np.integer[Any]]:
        """Draw polygons, highest first."""
        labels = np.zeros(mask.shape, np.int32)
        height = np.where(mask, gaussian_filter(maps[0].astype(np.float32), 1), 0)
        peaks = peak_local_max(height, min_distance=2, exclude_border=False)
        order = np.argsort(-height[tuple(peaks.T)], kind="stable")
        for number, (y, x) in enumerate(peaks[order], 1):
            lengths = maps[1:, y, x] / 255 * LONGEST
            inside = polygon(y + _WAYS[0] * lengths, x + _WAYS[1] * lengths, mask.shape)
            if not len(inside[0]):
                continue
            free = labels[inside] == 0
            if free.mean() > 1 - splitting:
                labels[inside[0][free], inside[1][free]] = number
        return labels


def _lengths(
    plane: NDArray[Any], rows: NDArray[Any], columns: NDArray[Any], dy: float, dx: float
) -> NDArray[np.float32]:
    """Return the number of steps along a direction until the object ends."""
    around = np.pad(plane, LONGEST)
    width = around.shape[1]
    around, at = around.ravel(), (rows + LONGEST) * width + columns + LONGEST
    own = around[at]
    lengths = np.full(len(at), LONGEST, np.float32)
    going = np.arange(len(at))
    for step in range(1, LONGEST):
        same = around[at[going] + round(step * dy) * width + round(step * dx)] == own[going]
        lengths[going[~same]] = step - 0.5
        going = going[same]
        if not len(going):
            break
    return lengths
