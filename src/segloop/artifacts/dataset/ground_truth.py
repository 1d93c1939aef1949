"""Ground truth, composed on demand from segmentations and regions; neither is ever changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segloop.artifacts.dataset.manifest import Sample
from segloop.artifacts.dataset.merging import Labels, Merged, Scan, Segmentation, Source
from segloop.artifacts.dataset.regions import EVERYTHING, Block, RegionMask
from segloop.core.context import Context
from segloop.core.errors import DatasetError


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


class Composition:
    """The ground truth of a sample, of which any block can be composed alone.

    Parameters
    ----------
    labels, sample, instances
        As in `compose`; labels need not be in memory.
    slices_at_once : int, optional
        How many slices of the labels to have in memory while it is found out what a block must know of the
        rest; all by default.
    context : Context, optional
        For cancel.

    Raises
    ------
    DatasetError
        As `compose`.
    Cancelled
        If asked to stop in between.
    """

    def __init__(
        self,
        labels: Mapping[str, Labels],
        sample: Sample,
        *,
        instances: bool = True,
        slices_at_once: int | None = None,
        context: Context | None = None,
    ) -> None:
        base = _needed(labels, sample.base, sample)
        z, y, x = base.shape
        self.shape = (z, y, x)
        excluding = (region for region in sample.regions if region.kind == "exclude")
        self._excluded = RegionMask(excluding, self.shape)
        scan = Scan(self.shape, slices_at_once or max(1, z), context or Context())
        first = Segmentation(base, instances, scan)
        self._source: Source = first
        for name in sample.used_segmentations:
            merges = [each for each in sample.regions if each.kind == "merge" and each.segmentation == name]
            if name == sample.base or not merges:
                continue
            other = _needed(labels, name, sample)
            if other.shape != base.shape:
                raise DatasetError(
                    f"The segmentations {sample.base} and {name} of sample {sample.id} differ in shape "
                    f"({base.shape}, {other.shape} pixels): remove the merge regions that take from {name}, "
                    "or replace one of the files."
                )
            incoming = Segmentation(other, instances, scan)
            for each in (first, incoming):
                each.prepare()
            self._source = Merged(self._source, incoming, merges, instances, scan)

    def block(self, block: Block = EVERYTHING) -> GroundTruth:
        """Compose a part.

        Parameters
        ----------
        block : tuple of slice, optional
            Along Z, Y and X, without steps; everything by default.
        """
        return GroundTruth(self._source.read(block), self.valid(block))

    def valid(self, block: Block = EVERYTHING) -> NDArray[np.bool_]:
        """Return where a part of the ground truth counts; see `GroundTruth`."""
        return ~self._excluded.block(block)


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
    return Composition(labels, sample, instances=instances).block()


def _needed(labels: Mapping[str, Labels], name: str, sample: Sample) -> Labels:
    if name not in labels:
        raise DatasetError(f"The segmentation {name} of sample {sample.id} is missing: choose another one.")
    return labels[name]
