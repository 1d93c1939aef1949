"""What is wrong with the objects of a segmentation: missed, spurious, split or merged."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from segloop.core.matching import Ints, Overlaps, match

FOUND = 0.1
"""Smallest IoU at which a predicted object counts as an attempt at the true one, as in TIDE."""


class ErrorKind(IntEnum):
    """What became of an object; see `ObjectErrors` for what the words mean."""

    FOUND = 1
    MISSED = 2
    SPURIOUS = 3
    SPLIT = 4
    MERGED = 5


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
    known = _fates(overlaps)
    n_truth, n_pred = known.found_truth.size, int(np.count_nonzero(known.counted))
    return ObjectErrors(
        n_truth=n_truth,
        n_pred=n_pred,
        found=int(np.count_nonzero(known.found_truth)),
        missed=int(np.count_nonzero(known.missed)),
        spurious=int(np.count_nonzero(known.spurious)),
        split=int(np.count_nonzero(known.split)),
        merged=int(np.count_nonzero(known.merged)),
        count_error=abs(n_pred - n_truth),
    )


def classify_objects(overlaps: Overlaps) -> tuple[Ints, Ints]:
    """Return the `ErrorKind` of each object.

    Returns
    -------
    pred : (P,) int64
        Of the predicted objects: found, spurious, merged, or split for the parts of a split object; 0 for one
        that does not count.
    truth : (T,) int64
        Of the true objects: found, missed, split, or merged for those that a merged object covers.
    """
    known = _fates(overlaps)
    pred = np.where(known.counted, int(ErrorKind.FOUND), 0).astype(np.int64)
    pred[known.spurious] = ErrorKind.SPURIOUS
    pred[known.is_part] = ErrorKind.SPLIT
    pred[known.merged] = ErrorKind.MERGED
    truth = np.full(known.found_truth.size, int(ErrorKind.FOUND), np.int64)
    truth[known.missed] = ErrorKind.MISSED
    truth[known.is_merged] = ErrorKind.MERGED
    truth[known.split] = ErrorKind.SPLIT
    return pred, truth


Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class _Fates:
    """By the position of predicted (``counted``, ``is_part``, ``merged``, ``spurious``) and true objects."""

    found_truth: Mask
    missed: Mask
    split: Mask
    is_merged: Mask
    counted: Mask
    is_part: Mask
    merged: Mask
    spurious: Mask


def _fates(overlaps: Overlaps) -> _Fates:
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
    return _Fates(
        found_truth=found_truth,
        missed=~found_truth & ~is_merged,
        split=parts > 1,
        is_merged=is_merged,
        counted=counted,
        is_part=is_part,
        merged=covered > 1,
        spurious=counted & ~found_pred & ~is_part,
    )


def _count(index: Ints, size: int) -> Ints:
    return np.bincount(index, minlength=size)
