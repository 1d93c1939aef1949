"""The instance target: foreground, and how far inside its object each pixel lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segloop.config.predict import OutputKind
from segloop.targets.basins import merge_shallow
from segloop.targets.maps import Decoded, Encoded, MapSpec, Thresholds, all_valid, at_least, quantise
from segloop.targets.objects import connected_objects, remove_small


@dataclass(frozen=True)
class InstanceTarget:
    """Two sigmoid maps: foreground, and distance to the object's edge divided by its maximum in the object.

    Attributes
    ----------
    dims : {2, 3}
        With 2, each slice of a stack stands on its own.
    voxel_size : tuple of (float or None), optional
        Z, Y, X in micrometres; only their ratio counts, None is taken as 1.
    """

    dims: int = 2
    voxel_size: tuple[float | None, ...] | None = None

    @property
    def kind(self) -> str:
        """Name of the target."""
        return "instance"

    @property
    def classes(self) -> int:
        """Number of classes including background."""
        return 2

    @property
    def maps(self) -> tuple[MapSpec, ...]:
        """The network's outputs, in order."""
        return MapSpec("foreground", "probability"), MapSpec("distance", "distance")

    @property
    def activation(self) -> str:
        """What turns logits into maps."""
        return "sigmoid"

    @property
    def outputs(self) -> tuple[OutputKind, ...]:
        """What it can give, the natural one first."""
        return OutputKind.labels, OutputKind.mask, OutputKind.probability

    @property
    def thresholds(self) -> Thresholds:
        """Defaults."""
        return Thresholds()

    @property
    def _spacing(self) -> tuple[float, float, float]:
        """Z, Y, X relative to X."""
        if self.voxel_size is None or any(size is None or size <= 0 for size in self.voxel_size):
            return 1.0, 1.0, 1.0
        z, y, x = (float(size) for size in self.voxel_size if size is not None)
        return z / x, y / x, 1.0

    def encode(self, labels: NDArray[Any], valid: NDArray[np.bool_] | None = None) -> Encoded:
        """Turn labels into network targets.

        Parameters
        ----------
        labels : (Z, Y, X) int
            Each object with a number of its own; 0 is background.
        valid : (Z, Y, X) bool, optional
            Where labels count. Of an object that reaches the edge of what is invalid, the distance counts
            nowhere, because its true edge is not known. Labels that don't count change nothing.

        Returns
        -------
        Encoded
            Foreground and distance, both between 0 and 1.
        """
        valid = all_valid(labels, valid)
        labels = np.where(valid, labels, 0)
        distance = np.zeros(labels.shape, np.float32)
        known = valid.copy()
        for part in self._parts(labels):
            distance[part] = _relative_distance(labels[part], self._spacing)
            known[part] &= _untouched(labels[part], valid[part])
        return Encoded(np.stack([(labels > 0).astype(np.float32), distance]), np.stack([valid, known]))

    def _parts(self, array: NDArray[Any]) -> list[int | slice]:
        """Return what stands on its own: each slice, or the volume."""
        return list(range(len(array))) if self.dims == 2 else [slice(None)]

    def decode(self, maps: NDArray[Any], thresholds: Thresholds | None = None) -> Decoded:
        """Turn maps into objects.

        The distance is smoothed a little; each of its peaks within the foreground claims the pixels around it
        by watershed; neighbours whose notch is shallower than ``splitting`` are joined. That is the watershed
        from h-maxima (Soille, Morphological Image Analysis, 2004, ch. 6 and 9), but each connected part of
        the foreground keeps at least one object.

        Parameters
        ----------
        maps : (2, Z, Y, X) uint8 or float
            Foreground and distance; float maps are quantised first, so that kept maps give the same result.
        thresholds : Thresholds, optional
            Where maps become objects.

        Returns
        -------
        Decoded
            ``labels`` and the ``mask`` of their pixels.
        """
        thresholds = thresholds or self.thresholds
        foreground, distance = quantise(maps)
        mask = at_least(foreground, thresholds.foreground)
        labels = np.zeros(mask.shape, np.int64)
        last = 0
        for part in self._parts(mask):
            found = _objects(mask[part], distance[part], self._spacing, thresholds.splitting)
            labels[part] = np.where(found > 0, found + last, 0)
            last += int(found.max(initial=0))
        sized = remove_small(labels, thresholds.min_size)
        return Decoded(labels=sized, mask=(sized > 0).astype(np.uint8))


def _untouched(labels: NDArray[Any], valid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return False over each whole object that has an invalid neighbour."""
    from scipy.ndimage import binary_dilation

    if valid.all():
        return np.ones(labels.shape, bool)
    beside = binary_dilation(~valid, np.ones((3,) * labels.ndim, bool))
    touched = np.unique(labels[beside & (labels > 0)])
    untouched: NDArray[np.bool_] = ~np.isin(labels, touched)
    return untouched


def _relative_distance(labels: NDArray[Any], spacing: tuple[float, ...]) -> NDArray[np.float32]:
    """Return the distance to the object's edge, divided by its maximum in the object."""
    import edt
    import fastremap

    small, _ = fastremap.renumber(np.ascontiguousarray(labels), in_place=False)
    distance = edt.edt(small, anisotropy=spacing[-labels.ndim :], black_border=False).astype(np.float32)
    # An object that fills all there is has no edge.
    distance[~np.isfinite(distance)] = 1
    distance[small == 0] = 0
    peak = np.zeros(int(small.max(initial=0)) + 1, np.float32)
    np.maximum.at(peak, small.ravel(), distance.ravel())
    peak[0] = 1
    return np.asarray(distance / peak[small], np.float32)


def _objects(
    mask: NDArray[np.bool_], distance: NDArray[np.uint8], spacing: tuple[float, ...], splitting: float
) -> NDArray[np.int64]:
    """Return the objects of a plane or volume, with gaps in their numbers."""
    from scipy.ndimage import gaussian_filter
    from skimage.morphology import local_maxima
    from skimage.segmentation import watershed

    if not mask.any():
        return np.zeros(mask.shape, np.int64)
    height = distance.astype(np.float32) / np.float32(255)
    height = gaussian_filter(height, [1 / max(1.0, step) for step in spacing[-mask.ndim :]])
    # Background, also beyond the edges, lies below all foreground: so each connected part has a peak.
    peaks = local_maxima(np.pad(np.where(mask, height + 1, 0), 1))
    peaks = peaks[(slice(1, -1),) * mask.ndim] & mask
    seeds = connected_objects(np.atleast_3d(peaks), 3).reshape(mask.shape)
    basins = watershed(-height, seeds.astype(np.int32), np.ones((3,) * mask.ndim, bool), mask=mask)
    return merge_shallow(basins, height, splitting)
