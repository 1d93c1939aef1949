"""Foreground and directions to the centre, as in Cellpose (Stringer et al., Nat Methods 2021)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter, grey_dilation, label, map_coordinates

from other_targets.separated import SeparatedTarget
from segloop.targets import Encoded, LossTerm, MapSpec
from segloop.targets.maps import all_valid

_STEPS = 60  # of one pixel
_WIDEST = 5  # pixels


class FlowTarget(SeparatedTarget):
    """Three sigmoid maps: foreground, and the Y and X parts of unit vectors to the centre of the object.

    The centre is the pixel of the object nearest to its mean (Cellpose: by diffusion, which differs for
    concave objects). To decode, each foreground pixel follows the field; those that end in one place are an
    object.
    """

    splittings = (0.1, 0.2, 0.3, 0.4, 0.6)

    @property
    def maps(self) -> tuple[MapSpec, ...]:
        """The network's outputs, in order."""
        return MapSpec("foreground"), MapSpec("y"), MapSpec("x")

    @property
    def losses(self) -> tuple[LossTerm, ...]:
        """One term for the foreground, and one for both parts of the vectors."""
        return LossTerm("foreground", "binary_dice", (0,)), LossTerm("flow", "flow", (1, 2), weight=5.0)

    def encode(self, labels: NDArray[Any], valid: NDArray[np.bool_] | None = None) -> Encoded:
        """Turn labels (Z, Y, X) into maps."""
        valid = all_valid(labels, valid)
        labels = np.where(valid, labels, 0)
        field = np.zeros((2, *labels.shape), np.float32)
        for z, plane in enumerate(labels):
            rows, columns = np.nonzero(plane)
            if not len(rows):
                continue
            _, number = np.unique(plane[rows, columns], return_inverse=True)
            places = np.stack([rows, columns]).astype(np.float32)
            size = np.bincount(number)
            mean = np.stack([np.bincount(number, axis) / size for axis in places])
            off = ((places - mean[:, number]) ** 2).sum(0)
            nearest = np.lexsort((off, number))[np.r_[0, np.cumsum(size)[:-1]]]
            vector = places[:, nearest][:, number] - places
            field[:, z, rows, columns] = vector / np.maximum(np.hypot(*vector), 1)
        maps = np.stack([labels > 0, *((field + 1) / 2)]).astype(np.float32)
        inside = valid & (labels > 0)
        return Encoded(maps, np.stack([valid, inside, inside]))

    def separate(
        self, mask: NDArray[np.bool_], maps: NDArray[np.uint8], splitting: float
    ) -> NDArray[np.integer[Any]]:
        """Follow the field; ``splitting`` times 5 pixels is the width within which ends are one place."""
        rows, columns = np.nonzero(mask)
        if not len(rows):
            return np.zeros(mask.shape, np.int32)
        field = maps[1:].astype(np.float32) / 127.5 - 1
        field *= mask
        at = np.stack([rows, columns]).astype(np.float32)
        last = np.array(mask.shape, np.float32)[:, None] - 1
        for _ in range(_STEPS):
            at += np.stack([map_coordinates(part, at, order=1, mode="nearest") for part in field])
            np.clip(at, 0, last, out=at)
        ends = np.rint(at).astype(np.intp)
        crowd = np.zeros(mask.shape, np.float32)
        np.add.at(crowd, tuple(ends), 1)
        width = _WIDEST * splitting
        smooth = gaussian_filter(crowd, width)
        size = 2 * int(np.ceil(2 * width)) + 1
        peaks = (smooth == grey_dilation(smooth, (size, size))) & (smooth > 0.1)
        seeds, _ = label(peaks, np.ones((3, 3)))
        nearest = distance_transform_edt(seeds == 0, return_distances=False, return_indices=True)
        labels = np.zeros(mask.shape, np.int32)
        labels[rows, columns] = seeds[tuple(nearest)][tuple(ends)]
        return labels
