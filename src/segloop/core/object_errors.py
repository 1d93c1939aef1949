"""What is wrong with the objects of a segmentation: missed, spurious, split or merged."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from segloop.core.matching import Ints, Overlaps, match

FOUND = 0.1
"""Smallest IoU at which a predicted object counts as an attempt at the true one, as in TIDE."""


@dataclass(frozen=True)
class ObjectErrors:
    """Numbers of objects; those of several images are added.

    Attributes
    ----------
    n_truth, n_pred : int
        Objects in the truth, and predicted ones that count.
    found : int
        True objects with a match at an IoU of `FOUND`, one-to-one.
    missed : int
        True objects without one that are not part of a merged object either.
    spurious : int
        Predicted objects without one that are not a part of a split object either.
    split : int
        True objects that hold more than half of the pixels of two or more predicted objects each.
    merged : int
        Predicted objects that hold more than half of the pixels of two or more true objects each.
    count_error : int
        Sum over the images of how far the number of predicted objects is off.
    """

    n_truth: int
    n_pred: int
    found: int
    missed: int
    spurious: int
    split: int
    merged: int
    count_error: int

    def __add__(self, other: ObjectErrors) -> ObjectErrors:
        return ObjectErrors(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @property
    def found_precision(self) -> float:
        """AP at an IoU of `FOUND`; what is lacking to 1 is lost by objects that are missed or spurious."""
        wrong = self.n_truth + self.n_pred - 2 * self.found
        return self.found / (self.found + wrong) if self.found + wrong else 1.0


def count_object_errors(overlaps: Overlaps) -> ObjectErrors:
    """Count the kinds of errors.

    Parameters
    ----------
    overlaps : Overlaps
        Of a prediction and the truth. Predicted objects without a match that lie more than half outside the
        valid pixels are not counted.

    Notes
    -----
    The split into objects that are not found and outlines that are imprecise follows Bolya et al., "TIDE",
    ECCV 2020: an IoU below 0.1 is no attempt at an object.
    """
    chosen = match(overlaps, FOUND)
    found_pred = np.zeros(overlaps.pred_labels.size, bool)
    found_truth = np.zeros(overlaps.truth_labels.size, bool)
    found_pred[overlaps.pred_index[chosen]] = True
    found_truth[overlaps.truth_index[chosen]] = True
    counted = found_pred | ~overlaps.pred_mostly_outside

    in_truth = 2 * overlaps.common > overlaps.pred_area[overlaps.pred_index]
    in_pred = 2 * overlaps.common > overlaps.truth_area[overlaps.truth_index]
    parts = _count(overlaps.truth_index[in_truth], found_truth.size)
    covered = _count(overlaps.pred_index[in_pred], found_pred.size)
    is_part = np.zeros(found_pred.size, bool)
    is_part[overlaps.pred_index[in_truth & (parts[overlaps.truth_index] > 1)]] = True
    is_merged = np.zeros(found_truth.size, bool)
    is_merged[overlaps.truth_index[in_pred & (covered[overlaps.pred_index] > 1)]] = True
    n_truth, n_pred = found_truth.size, int(np.count_nonzero(counted))
    return ObjectErrors(
        n_truth=n_truth,
        n_pred=n_pred,
        found=int(chosen.size),
        missed=int(np.count_nonzero(~found_truth & ~is_merged)),
        spurious=int(np.count_nonzero(counted & ~found_pred & ~is_part)),
        split=int(np.count_nonzero(parts > 1)),
        merged=int(np.count_nonzero(covered > 1)),
        count_error=abs(n_pred - n_truth),
    )


def _count(index: Ints, size: int) -> Ints:
    return np.bincount(index, minlength=size)
