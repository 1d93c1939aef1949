"""How much a score would change with other images of the same kind: bootstrap intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segloop.core.metrics import IOU_THRESHOLDS, BinaryCounts, InstanceCounts

LEVEL = 0.95
"""Share of the resamples whose score lies in an interval."""

FEWEST = 5
"""Images; fewer say nothing about how scores vary."""

_RESAMPLES = 2000
_UP_TO = 0.90  # IoU of the mean AP

Interval = tuple[float, float]


def intervals(
    pixels: Sequence[BinaryCounts], objects: Sequence[InstanceCounts | None]
) -> dict[str, Any] | None:
    """Return 95 % intervals of the main scores, by the names that the scores have in ``metrics.json``.

    Images are drawn with replacement, as many as there are, 2,000 times with a fixed seed; an interval holds
    the middle 95 % of the scores (percentile bootstrap; Efron and Tibshirani 1993, ch. 13). Pooled scores are
    pooled again for each draw.

    Parameters
    ----------
    pixels, objects : sequence of BinaryCounts, of InstanceCounts or None
        One for each image. Intervals of objects are given if they are known of every image.

    Returns
    -------
    dict or None
        ``level``, ``semantic`` and ``instance`` (None for masks and classes); None if there are fewer than
        five images.
    """
    n = len(pixels)
    if n < FEWEST:
        return None
    draws, table = _draws(n), _pixel_table(pixels)
    semantic = {
        "dice": _middle(_dice(draws @ table)),
        "dice_per_image_mean": _middle(draws @ _dice(table) / n),
    }
    found = [one for one in objects if one is not None]
    if len(found) < n:
        return {"level": LEVEL, "semantic": semantic, "instance": None}
    counts = _object_table(found)
    pooled = np.tensordot(draws, counts, 1)
    ap, ap_each = _average_precision(pooled), _average_precision(counts)
    used = np.array(IOU_THRESHOLDS) <= _UP_TO
    at = {threshold: f"{threshold:.2f}" for threshold in IOU_THRESHOLDS}
    instance = {
        "ap": {name: _middle(ap[:, i]) for i, name in enumerate(at.values())},
        "mean_ap_50_90": _middle(ap[:, used].mean(axis=1)),
        "ap50_per_image_mean": _middle(draws @ ap_each[:, 0] / n),
        "mean_ap_per_image_50_90": _middle(draws @ ap_each[:, used].mean(axis=1) / n),
    }
    return {"level": LEVEL, "semantic": semantic, "instance": instance}


def paired_difference(
    first: Sequence[BinaryCounts] | Sequence[InstanceCounts],
    second: Sequence[BinaryCounts] | Sequence[InstanceCounts],
) -> tuple[float, Interval | None]:
    """Return how much higher the first of two pooled scores is, and its 95 % interval.

    Both are scores of the same images, and each resample takes the same images for both: what makes an image
    hard for both does not widen the interval.

    Parameters
    ----------
    first, second : sequence of BinaryCounts or of InstanceCounts
        One for each image, in the same order. Pixels are compared by Dice, objects by AP at an IoU of 0.5.

    Returns
    -------
    difference : float
        Of the pooled scores.
    interval : (low, high) or None
        As in `intervals`; None if there are fewer than five images.

    Raises
    ------
    ValueError
        If the numbers of images differ, or there are none.
    """
    n = len(first)
    if n == 0 or len(second) != n:
        raise ValueError("Scores can be compared if they are of the same images.")
    everything = np.ones((1, n))

    def pooled(counts: Sequence[Any], draws: NDArray[np.float64]) -> NDArray[np.float64]:
        if isinstance(counts[0], InstanceCounts):
            return _average_precision(np.tensordot(draws, _object_table(counts), 1))[:, 0]
        return _dice(draws @ _pixel_table(counts))

    difference = float((pooled(first, everything) - pooled(second, everything))[0])
    if n < FEWEST:
        return difference, None
    draws = _draws(n)
    return difference, _middle(pooled(first, draws) - pooled(second, draws))


def interval_text(found: Mapping[str, Any] | None, keys: Sequence[str], decimals: int = 3) -> str:
    """Return the interval of a score, named by the keys of `intervals`, as text; empty if it is not known."""
    value: Any = found
    for key in keys:
        value = (value or {}).get(key)
    return "" if value is None else f"{value[0]:.{decimals}f} to {value[1]:.{decimals}f}"


def _draws(n: int) -> NDArray[np.float64]:
    """Return how often each of ``n`` images is in each resample."""
    return np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), size=_RESAMPLES).astype(float)


def _pixel_table(counts: Sequence[BinaryCounts]) -> NDArray[np.float64]:
    """Return TP, FP, FN by image."""
    return np.array([[one.tp, one.fp, one.fn] for one in counts], float)


def _object_table(counts: Sequence[InstanceCounts]) -> NDArray[np.float64]:
    """Return TP, FP, FN by image, kind and threshold."""
    return np.array([[one.tp, one.fp, one.fn] for one in counts], float)


def _middle(values: NDArray[np.float64]) -> Interval:
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _dice(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    tp, fp, fn = counts.T
    return _ratio(2 * tp, 2 * tp + fp + fn)


def _average_precision(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    return _ratio(counts[:, 0], counts.sum(axis=1))


def _ratio(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.ones_like(whole), where=whole > 0)
