"""How well a segmentation agrees with the truth, as pure functions of label images.

Counts are separate from the scores computed from them, so that images are pooled by adding their counts.
Where both prediction and truth are empty, every score is 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from segloop.core.matching import Array, Overlaps, check_shapes, find_overlaps, match

IOU_THRESHOLDS: tuple[float, ...] = (0.50, 0.55, 0.60, 0.65, 0.70, 0.75, 0.80, 0.85, 0.90, 0.95)


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else 1.0


@dataclass(frozen=True)
class BinaryCounts:
    """Numbers of true positive (tp), false positive (fp) and false negative (fn) pixels."""

    tp: int
    fp: int
    fn: int

    def __add__(self, other: BinaryCounts) -> BinaryCounts:
        return BinaryCounts(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn)

    @property
    def dice(self) -> float:
        """Dice coefficient 2 TP / (2 TP + FP + FN), 0 to 1."""
        return _ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def precision(self) -> float:
        """TP / (TP + FP), 0 to 1."""
        return _ratio(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> float:
        """TP / (TP + FN), 0 to 1; also called sensitivity."""
        return _ratio(self.tp, self.tp + self.fn)

    @property
    def iou(self) -> float:
        """Intersection over union TP / (TP + FP + FN), 0 to 1; also called Jaccard index."""
        return _ratio(self.tp, self.tp + self.fp + self.fn)


def count_pixels(
    pred: Array, truth: Array, valid: Array | None = None, *, classes: bool = False
) -> BinaryCounts:
    """Count foreground pixels.

    Parameters
    ----------
    pred, truth : same shape, integer or bool
        Masks, labels or class maps; 0 is background.
    valid : same shape, bool, optional
        Only pixels where it is True count; all of them if left out.
    classes : bool, optional
        False: everything above 0 is one foreground. True: a foreground pixel is a true positive only if its
        class is right; a wrong class counts as a false positive and as a false negative. Dice and IoU are
        then micro averages over the classes.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    check_shapes(pred, truth, valid)
    p, t = np.asarray(pred) > 0, np.asarray(truth) > 0
    if valid is not None:
        inside = np.asarray(valid, bool)
        p, t = p & inside, t & inside
    agree = p & t
    if classes:
        agree &= np.asarray(pred) == np.asarray(truth)
    tp = int(np.count_nonzero(agree))
    return BinaryCounts(tp, int(np.count_nonzero(p)) - tp, int(np.count_nonzero(t)) - tp)


def count_classes(pred: Array, truth: Array, valid: Array | None = None) -> dict[int, BinaryCounts]:
    """Count the pixels of each class.

    Parameters
    ----------
    pred, truth : same shape, integer or bool
        Class maps; 0 is background.
    valid : same shape, bool, optional
        Only pixels where it is True count; all of them if left out.

    Returns
    -------
    dict of int to BinaryCounts
        For each class above 0 that occurs in either image, ascending. Their sum is what `count_pixels` counts
        with ``classes=True``.

    Raises
    ------
    ValueError
        If the shapes differ, or the values are not integers or are negative.
    """
    check_shapes(pred, truth, valid)
    p, t = (np.ravel(np.asarray(each)) for each in (pred, truth))
    if valid is not None:
        inside = np.ravel(np.asarray(valid, bool))
        p, t = p[inside], t[inside]
    predicted, expected, right = _value_counts(p), _value_counts(t), _value_counts(p[p == t])
    counts = {}
    for value in sorted((predicted.keys() | expected.keys()) - {0}):
        tp = right.get(value, 0)
        counts[value] = BinaryCounts(tp, predicted.get(value, 0) - tp, expected.get(value, 0) - tp)
    return counts


def _value_counts(values: Array) -> dict[int, int]:
    if values.dtype.kind not in "biu":
        raise ValueError(f"Classes must be integers, not {values.dtype}.")
    if values.size and values.min() < 0:
        raise ValueError("Classes must not be negative.")
    found, counts = np.unique(values, return_counts=True)
    return {int(value): int(count) for value, count in zip(found, counts, strict=True)}


def dice(pred: Array, truth: Array, valid: Array | None = None) -> float:
    """Dice coefficient of the foreground (everything above 0); arguments as `count_pixels`."""
    return count_pixels(pred, truth, valid).dice


def iou(pred: Array, truth: Array, valid: Array | None = None) -> float:
    """Intersection over union of the foreground (everything above 0); arguments as `count_pixels`."""
    return count_pixels(pred, truth, valid).iou


@dataclass(frozen=True)
class InstanceCounts:
    """Numbers of true positive, false positive and false negative objects at several IoU thresholds.

    Attributes
    ----------
    thresholds : tuple of float
        Smallest IoU at which a predicted object counts as the true one.
    tp, fp, fn : tuple of int
        At each threshold: matched pairs, predicted objects without a match, true objects without a match.
    iou_sum : tuple of float
        At each threshold: sum of the IoU of the matched pairs.
    """

    thresholds: tuple[float, ...]
    tp: tuple[int, ...]
    fp: tuple[int, ...]
    fn: tuple[int, ...]
    iou_sum: tuple[float, ...]

    def __add__(self, other: InstanceCounts) -> InstanceCounts:
        if self.thresholds != other.thresholds:
            raise ValueError("Counts at different IoU thresholds can't be added.")
        return InstanceCounts(
            self.thresholds,
            tuple(a + b for a, b in zip(self.tp, other.tp, strict=True)),
            tuple(a + b for a, b in zip(self.fp, other.fp, strict=True)),
            tuple(a + b for a, b in zip(self.fn, other.fn, strict=True)),
            tuple(a + b for a, b in zip(self.iou_sum, other.iou_sum, strict=True)),
        )

    @property
    def n_truth(self) -> int:
        """Number of true objects."""
        return self.tp[0] + self.fn[0]

    @property
    def n_pred(self) -> int:
        """Number of predicted objects that count at the first threshold."""
        return self.tp[0] + self.fp[0]

    def average_precision(self, threshold: float = 0.5) -> float:
        """AP = TP / (TP + FP + FN) at one threshold, 0 to 1, as in the StarDist paper."""
        i = self._index(threshold)
        return _ratio(self.tp[i], self.tp[i] + self.fp[i] + self.fn[i])

    def mean_average_precision(self, highest: float = 0.95) -> float:
        """Mean of AP over the thresholds up to and including ``highest``, 0 to 1."""
        chosen = [threshold for threshold in self.thresholds if threshold <= highest]
        if not chosen:
            raise ValueError(f"There are no counts at IoU thresholds up to {highest}.")
        return float(np.mean([self.average_precision(threshold) for threshold in chosen]))

    def f1(self, threshold: float = 0.5) -> float:
        """F1 = 2 TP / (2 TP + FP + FN) of the objects at one threshold, 0 to 1."""
        i = self._index(threshold)
        return _ratio(2 * self.tp[i], 2 * self.tp[i] + self.fp[i] + self.fn[i])

    def panoptic_quality(self, threshold: float = 0.5) -> float:
        """PQ = sum of matched IoU / (TP + FP/2 + FN/2), 0 to 1 (Kirillov et al., CVPR 2019, equation 1)."""
        i = self._index(threshold)
        return _ratio(self.iou_sum[i], self.tp[i] + 0.5 * self.fp[i] + 0.5 * self.fn[i])

    def segmentation_quality(self, threshold: float = 0.5) -> float:
        """SQ: mean IoU of the matched pairs, 0 to 1; PQ is SQ times RQ, which is F1."""
        i = self._index(threshold)
        return _ratio(self.iou_sum[i], self.tp[i])

    def precision(self, threshold: float = 0.5) -> float:
        """TP / (TP + FP) of the objects at one threshold, 0 to 1."""
        i = self._index(threshold)
        return _ratio(self.tp[i], self.tp[i] + self.fp[i])

    def recall(self, threshold: float = 0.5) -> float:
        """TP / (TP + FN) of the objects at one threshold, 0 to 1."""
        i = self._index(threshold)
        return _ratio(self.tp[i], self.tp[i] + self.fn[i])

    def _index(self, threshold: float) -> int:
        try:
            return self.thresholds.index(threshold)
        except ValueError:
            raise ValueError(
                f"There are no counts at IoU threshold {threshold}, only at {self.thresholds}."
            ) from None


def match_instances(
    pred: Array,
    truth: Array,
    thresholds: Sequence[float] = IOU_THRESHOLDS,
    valid: Array | None = None,
) -> InstanceCounts:
    """Match objects one-to-one, optimally at each threshold, and count.

    Parameters
    ----------
    pred, truth : same shape, integer or bool
        Label images; 0 is background, each other value one object. Any number of axes.
    thresholds : sequence of float, optional
        IoU thresholds, above 0 and up to 1; a match needs IoU >= threshold.
    valid : same shape, bool, optional
        Only pixels where it is True exist, in both images. As in panoptic quality, a predicted object without
        a match that lies more than half outside is not held against the prediction. True objects are cut at
        the edge, so that nothing depends on the labels outside.

    Raises
    ------
    ValueError
        If the shapes differ, labels are not integers or are negative, or a threshold is not in (0, 1].

    Notes
    -----
    Matching as in StarDist (Weigert et al., WACV 2020), ignored pixels as in panoptic quality (Kirillov et
    al., CVPR 2019, section 4.2).
    """
    return count_instances(find_overlaps(pred, truth, valid), thresholds)


def count_instances(overlaps: Overlaps, thresholds: Sequence[float] = IOU_THRESHOLDS) -> InstanceCounts:
    """Count matched objects; as `match_instances`, of overlaps that are known."""
    tp, fp, fn, iou_sum = [], [], [], []
    for threshold in thresholds:
        chosen = match(overlaps, threshold)
        held_against = ~overlaps.pred_mostly_outside
        held_against[overlaps.pred_index[chosen]] = False
        tp.append(int(chosen.size))
        fp.append(int(np.count_nonzero(held_against)))
        fn.append(int(overlaps.truth_labels.size - chosen.size))
        iou_sum.append(float(overlaps.iou[chosen].sum()))
    return InstanceCounts(tuple(thresholds), tuple(tp), tuple(fp), tuple(fn), tuple(iou_sum))


def average_precision(pred: Array, truth: Array, threshold: float = 0.5, valid: Array | None = None) -> float:
    """AP of the objects at one IoU threshold; arguments as `match_instances`."""
    return match_instances(pred, truth, (threshold,), valid).average_precision(threshold)


def f1(pred: Array, truth: Array, threshold: float = 0.5, valid: Array | None = None) -> float:
    """F1 of the objects at one IoU threshold; arguments as `match_instances`."""
    return match_instances(pred, truth, (threshold,), valid).f1(threshold)


def panoptic_quality(pred: Array, truth: Array, threshold: float = 0.5, valid: Array | None = None) -> float:
    """Panoptic quality of the objects at one IoU threshold; arguments as `match_instances`."""
    return match_instances(pred, truth, (threshold,), valid).panoptic_quality(threshold)
