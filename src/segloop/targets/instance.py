"""The instance target: foreground, and how far inside its object each pixel lies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segloop.config.parameters import NoParameters, ParameterSet, parameter
from segloop.core.metrics import count_pixels
from segloop.targets.basins import ascending_basins, merge_shallow
from segloop.targets.joining import join_slices
from segloop.targets.maps import Decoded, all_valid, at_least, quantise, suggested_min_size
from segloop.targets.objects import remove_small
from segloop.targets.output import LABELS, MASK, PROBABILITY, Output
from segloop.targets.scoring import (
    DICE_UNCERTAINTY,
    ObjectCounts,
    count_objects,
    middle_of_plateau,
    proportion_uncertainty,
)
from segloop.targets.target import Choice, Encoded, LossTerm, MapSpec, Metric, Score, Target

SPLITTING_CANDIDATES = (0.05, 0.075, 0.1, 0.125, 0.15, 0.2, 0.25)
"""Values of ``splitting`` that calibration tries."""

_IOU = (0.5, 0.6, 0.7)


class InstanceParameters(ParameterSet):
    """Where the maps of the instance target become objects."""

    foreground: float = parameter(
        0.5, "Foreground", "Probability from which a pixel is foreground.", minimum=0, maximum=1
    )
    min_size: int = parameter(
        0, "Min. size", "Objects with fewer pixels are removed.", unit="px", minimum=0, maximum=1_000_000_000
    )
    splitting: float = parameter(
        0.15,
        "Splitting",
        "How deep a notch between two halves must be to cut them apart; lower values cut more.",
        minimum=0,
        maximum=1,
    )


class SliceParameters(InstanceParameters):
    """The same where slices are segmented on their own, and how their objects are joined in a stack."""

    join_slices: bool = parameter(
        True,
        "Join slices",
        "In a stack, join the objects of neighbouring slices that overlap.",
        stacks_only=True,
    )
    slice_overlap: float = parameter(
        0.6,
        "Slice overlap",
        "Share of the smaller of two objects in neighbouring slices that must lie in the other to join them.",
        minimum=0.01,
        maximum=1,
        stacks_only=True,
    )


class InstanceTarget(Target[NoParameters, InstanceParameters]):
    """Two sigmoid maps: foreground, and distance to the edge divided by its maximum in the object."""

    title = "objects"
    description = "Separate objects, each with a label of its own"
    needs_objects = True
    metrics = (Metric("ap50", "AP at IoU 0.5", "AP50"), Metric("dice", "Dice"))

    @property
    def parameters_type(self) -> type[InstanceParameters]:  # type: ignore[override]
        """Slices of a stack can be joined where they do not depend on each other."""
        return SliceParameters if self.dims == 2 else InstanceParameters

    @property
    def maps(self) -> tuple[MapSpec, ...]:
        """The network's outputs, in order."""
        return MapSpec("foreground"), MapSpec("distance")

    @property
    def losses(self) -> tuple[LossTerm, ...]:
        """One term for each map."""
        return LossTerm("foreground", "binary_dice", (0,)), LossTerm("distance", "distance", (1,))

    @property
    def outputs(self) -> tuple[Output, ...]:
        """What it can give, the natural one first."""
        return LABELS, MASK, PROBABILITY

    def initial_parameters(self, sizes: NDArray[np.int64]) -> tuple[InstanceParameters, str]:
        """Choose the smallest size by the objects in the labels."""
        smallest = suggested_min_size(sizes)
        note = f"Objects below {smallest} pixels will be removed, based on object sizes in the labels."
        return self.parameters.model_copy(update={"min_size": smallest}), note if smallest > 1 else ""

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

    def decode(self, maps: NDArray[Any], parameters: InstanceParameters | None = None) -> Decoded:
        """Turn maps into objects.

        The distance is smoothed a little; each of its peaks within the foreground gets the pixels from which
        the steepest way up leads to it; neighbours whose notch is shallower than ``splitting`` are joined.
        That is the watershed from h-maxima (Soille, Morphological Image Analysis, 2004, ch. 6 and 9), but
        each connected part of the foreground keeps at least one object.

        Parameters
        ----------
        maps : (2, Z, Y, X) uint8 or float
            Foreground and distance; float maps are quantised first, so that kept maps give the same result.
        parameters : InstanceParameters, optional
            Where maps become objects.

        Returns
        -------
        Decoded
            ``labels`` and the ``mask`` of their pixels.
        """
        parameters = parameters or self.parameters
        foreground, distance = quantise(maps)
        mask = at_least(foreground, parameters.foreground)
        labels = np.zeros(mask.shape, np.int32)
        last = 0
        for part in self._parts(mask):
            found = _objects(mask[part], distance[part], self._spacing, parameters.splitting)
            np.add(found, last, out=labels[part], where=found > 0)
            last += int(found.max(initial=0))
        sized = remove_small(labels, parameters.min_size)
        if isinstance(parameters, SliceParameters) and parameters.join_slices and len(sized) > 1:
            sized = join_slices(sized, parameters.slice_overlap)
        return Decoded(labels=sized, mask=(sized > 0).astype(np.uint8))

    def decoding_memory(self, shape: Sequence[int]) -> int:
        """Return the bytes that `decode` takes; slices that stand on their own are decoded one by one."""
        # Measured: 36 to 37 bytes per pixel of a plane or volume, 18 to 20 of a stack of slices.
        return 20 * math.prod(shape) + 20 * math.prod(shape[1:] if self.dims == 2 else shape)

    def context(self, output: Output, parameters: InstanceParameters) -> tuple[int, int, int] | None:
        """The mask needs no surroundings as long as no object is removed, since objects fill it."""
        return (0, 0, 0) if output == MASK and parameters.min_size <= 1 else None

    def decode_block(
        self, maps: NDArray[Any], parameters: InstanceParameters, outputs: Sequence[Output]
    ) -> Decoded:
        """Return the mask of a block."""
        return Decoded(mask=at_least(quantise(maps[0]), parameters.foreground).astype(np.uint8))

    def with_foreground(self, parameters: InstanceParameters, probability: float) -> InstanceParameters:
        """Return parameters with this ``foreground``."""
        return parameters.override({"foreground": probability})

    def foreground(self, maps: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the first map."""
        return np.asarray(maps[0])

    def measure(self, decoded: Decoded, labels: NDArray[Any], valid: NDArray[np.bool_]) -> ObjectCounts:
        """Count the pixels and the objects that agree."""
        assert decoded.labels is not None
        return ObjectCounts(
            count_pixels(decoded.labels, labels, valid),
            count_objects(decoded.labels, labels, valid, self.dims, _IOU),
        )

    def score(self, counts: ObjectCounts) -> Score:
        """Return average precision at IoU 0.5, which decides, and the Dice coefficient."""
        ap50, n_objects = counts.objects.average_precision(0.5), counts.objects.n_truth
        uncertainty = proportion_uncertainty(ap50, n_objects) if n_objects else DICE_UNCERTAINTY
        return Score({"ap50": ap50, "dice": counts.pixels.dice}, uncertainty)

    def candidates(self, parameters: InstanceParameters) -> list[InstanceParameters]:
        """Return several values of ``splitting``."""
        return [parameters.override({"splitting": splitting}) for splitting in SPLITTING_CANDIDATES]

    def choose(self, counts: Sequence[ObjectCounts]) -> Choice | None:
        """Choose by average precision (mean of IoU 0.5, 0.6 and 0.7), see `middle_of_plateau`."""
        n_objects = counts[0].objects.n_truth
        if n_objects == 0:
            return None
        scores = [each.objects.mean_average_precision() for each in counts]
        index = middle_of_plateau(scores, n_objects)
        return Choice(
            index,
            f"Splitting {SPLITTING_CANDIDATES[index]:g} is the middle of the values that work best on the "
            f"{n_objects} objects of the validation images.",
        )


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
) -> NDArray[np.int32]:
    """Return the objects of a plane or volume, with gaps in their numbers."""
    from scipy.ndimage import gaussian_filter

    if not mask.any():
        return np.zeros(mask.shape, np.int32)
    height = distance.astype(np.float32) / np.float32(255)
    height = gaussian_filter(height, [1 / max(1.0, step) for step in spacing[-mask.ndim :]])
    return merge_shallow(ascending_basins(height, mask, spacing[-mask.ndim :]), height, splitting)
