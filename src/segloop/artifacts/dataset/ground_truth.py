"""Ground truth, composed on demand from segmentations and regions; neither is ever changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segloop.artifacts.dataset.manifest import Sample
from segloop.artifacts.dataset.regions import rasterise_all
from segloop.core.errors import DatasetError
from segloop.targets.objects import label_objects

Labels = NDArray[Any]


@dataclass(frozen=True)
class GroundTruth:
    """The labels of a sample for training and scoring.

    Attributes
    ----------
    labels : (Z, Y, X) int32
        0 is background; other values are object numbers or classes.
    valid : (Z, Y, X) bool
        False where pixels are excluded from training and scores.
    """

    labels: NDArray[np.int32]
    valid: NDArray[np.bool_]


def compose(labels: Mapping[str, Labels], sample: Sample, *, instances: bool = True) -> GroundTruth:
    """Compose a sample's ground truth: base segmentation, then merges from others, then exclusions.

    Merge regions of one segmentation and one cut act together, those that follow objects before those that
    cut at the edge; segmentations follow each other in the sample's order. So the order in which regions were
    drawn doesn't matter. Where an object that stays and one that comes overlap, each keeps the pixels on its
    own side.

    Parameters
    ----------
    labels : mapping of str to (Z, Y, X) integer array
        The segmentations by name; those that the sample doesn't use may be missing.
    sample : Sample
        Says which one is the base, and which regions to apply.
    instances : bool, optional
        Whether labels number objects: then those of the base keep their numbers, and those merged in get new
        ones above them, in the order of their old numbers (where int32 has no room for that, all are
        renumbered from 1, in this order). Otherwise labels are classes and keep their numbers, and an
        "object" is a connected component of one class.

    Raises
    ------
    DatasetError
        If a segmentation that is needed is missing, or two of them differ in shape.
    """
    base = _needed(labels, sample.base, sample)
    shape = _shape(base)
    result = _as_int32(base, instances)
    for name in sample.used_segmentations:
        merges = [each for each in sample.regions if each.kind == "merge" and each.segmentation == name]
        if name == sample.base or not merges:
            continue
        other = _needed(labels, name, sample)
        if other.shape != base.shape:
            raise DatasetError(
                f"The segmentations {sample.base} and {name} of sample {sample.id} differ in shape "
                f"({base.shape}, {other.shape} pixels): remove the merge regions that take from {name}, or "
                "replace one of the files."
            )
        by_object = rasterise_all((region for region in merges if region.cut == "object"), shape)
        by_edge = rasterise_all((region for region in merges if region.cut == "edge"), shape)
        result = _merge(result, _as_int32(other, instances), by_object, by_edge, instances)
    excluded = rasterise_all((region for region in sample.regions if region.kind == "exclude"), shape)
    return GroundTruth(result, ~excluded)


def _needed(labels: Mapping[str, Labels], name: str, sample: Sample) -> Labels:
    if name not in labels:
        raise DatasetError(f"The segmentation {name} of sample {sample.id} is missing: choose another one.")
    return labels[name]


def _shape(labels: Labels) -> tuple[int, int, int]:
    z, y, x = labels.shape
    return z, y, x


def _as_int32(labels: Labels, instances: bool) -> NDArray[np.int32]:
    """Return a copy; object numbers that are too large for int32 are replaced by 1, 2, ... in their order."""
    if labels.size and int(labels.max()) > np.iinfo(np.int32).max:
        if not instances:
            raise DatasetError(f"Class {labels.max()} is too large: number classes from 0 to 63.")
        values, positions = np.unique(labels, return_inverse=True)
        first = 0 if values[0] == 0 else 1
        return (positions.reshape(labels.shape) + first).astype(np.int32)
    return labels.astype(np.int32)


def _merge(
    base: NDArray[np.int32],
    other: NDArray[np.int32],
    by_object: NDArray[np.bool_],
    by_edge: NDArray[np.bool_],
    instances: bool,
) -> NDArray[np.int32]:
    result = base.copy()
    incoming = np.where(by_edge, other, 0)
    if by_object.any():
        leaves = _mostly_inside(base, by_object, instances)
        enters = _mostly_inside(other, by_object, instances) & ~by_edge
        # Of an overlap with an object that stays, only the pixels inside.
        enters &= by_object | leaves | (base == 0)
        result[leaves] = 0
        incoming[enters] = other[enters]
    result[by_edge] = 0
    if instances:
        highest = int(base.max(initial=0))
        if highest > np.iinfo(np.int32).max - np.count_nonzero(np.unique(incoming)):
            result = _number_from(result, 1)
            highest = int(result.max(initial=0))
        incoming = _number_from(incoming, highest + 1)
    return np.where(incoming > 0, incoming, result)


def _mostly_inside(
    labels: NDArray[np.int32], inside: NDArray[np.bool_], instances: bool
) -> NDArray[np.bool_]:
    """Return the pixels of the objects of which more than half lies inside; a tie stays outside."""
    objects: Labels
    if not instances:
        objects = label_objects(labels)
    elif labels.max(initial=0) <= labels.size:
        objects = labels
    else:
        objects = np.unique(labels, return_inverse=True)[1].reshape(labels.shape)
    count = int(objects.max(initial=0)) + 1
    total = np.bincount(objects.ravel(), minlength=count)
    within = np.bincount(objects[inside], minlength=count)
    answer: NDArray[np.bool_] = (2 * within > total)[objects] & (labels > 0)
    return answer


def _number_from(labels: NDArray[np.int32], first: int) -> NDArray[np.int32]:
    """Renumber the objects from ``first`` on, in the order of their old numbers."""
    numbers, positions = np.unique(labels[labels > 0], return_inverse=True)
    result = np.zeros_like(labels)
    result[labels > 0] = (np.arange(len(numbers)) + first)[positions]
    return result
