"""Which objects were found, missed, invented, split or merged, as an image to look at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segloop.core.matching import Array, Ints, find_overlaps
from segloop.core.object_errors import ErrorKind, classify_objects

COLOURS = {
    ErrorKind.FOUND: "#009E73",
    ErrorKind.MISSED: "#E69F00",
    ErrorKind.SPURIOUS: "#56B4E9",
    ErrorKind.SPLIT: "#CC79A7",
    ErrorKind.MERGED: "#F0E442",
}
"""Of Okabe and Ito, which colour-blind people can tell apart."""


@dataclass(frozen=True)
class ErrorImage:
    """Objects with what became of them.

    Attributes
    ----------
    labels : (T, Z, Y, X) int32
        Objects numbered from 1: true ones that are missed or split, predicted ones that are found, spurious
        or merged.
    kinds : (N,) int64
        The `ErrorKind` of each object, by its number minus 1.
    centres : (N, 4) float64
        T, Z, Y, X of each object's middle, in pixels.
    """

    labels: npt.NDArray[np.int32]
    kinds: Ints
    centres: npt.NDArray[np.float64]

    def of_kind(self, kind: ErrorKind) -> Ints:
        """Return the numbers of the objects of a kind, ascending."""
        return np.flatnonzero(self.kinds == kind) + 1


def error_image(prediction: Array, truth: Array, valid: Array | None = None) -> ErrorImage:
    """Compare the objects of an image with the truth, each time point on its own.

    Parameters
    ----------
    prediction, truth : (T, Z, Y, X) integer
        Labels; 0 is background.
    valid : (T, Z, Y, X) bool, optional
        Where the truth counts; everywhere if left out.

    Raises
    ------
    ValueError
        If the shapes differ, or labels are negative.
    """
    labels = np.zeros(np.shape(truth), np.int32)
    kinds: list[Ints] = []
    centres: list[npt.NDArray[np.float64]] = []
    last = 0
    for t in range(len(labels)):
        within = None if valid is None else valid[t]
        drawn, kind = _drawn(prediction[t], truth[t], within)
        labels[t] = np.where(drawn > 0, drawn + last, 0)
        last += len(kind)
        kinds.append(kind)
        middle = _centres(drawn, len(kind))
        centres.append(np.concatenate([np.full((len(kind), 1), float(t)), middle], axis=1))
    return ErrorImage(labels, np.concatenate(kinds), np.concatenate(centres))


def _drawn(prediction: Array, truth: Array, valid: Array | None) -> tuple[npt.NDArray[np.int32], Ints]:
    """Return numbered objects (Z, Y, X) of a time point, and their kinds."""
    overlaps = find_overlaps(prediction, truth, valid)
    of_pred, of_truth = classify_objects(overlaps)
    drawn = np.zeros(truth.shape, np.int32)
    kinds: list[Ints] = []
    n = 0
    # Predicted objects lie on top: where both are drawn, the prediction is what is looked at.
    for image, numbers, kind, shown in (
        (truth, overlaps.truth_labels, of_truth, (ErrorKind.MISSED, ErrorKind.SPLIT)),
        (
            prediction,
            overlaps.pred_labels,
            of_pred,
            (ErrorKind.FOUND, ErrorKind.SPURIOUS, ErrorKind.MERGED),
        ),
    ):
        chosen = np.isin(kind, shown)
        new = np.zeros(numbers.size, np.int32)
        new[chosen] = np.arange(n + 1, n + 1 + np.count_nonzero(chosen))
        n += int(np.count_nonzero(chosen))
        kinds.append(kind[chosen])
        if numbers.size:
            position = np.minimum(np.searchsorted(numbers, image), numbers.size - 1)
            values = np.where(numbers[position] == image, new[position], 0)
            drawn = np.where(values > 0, values, drawn)
    return drawn.astype(np.int32), np.concatenate(kinds)


def _centres(drawn: npt.NDArray[np.int32], n: int) -> npt.NDArray[np.float64]:
    """Return the mean Z, Y, X of each object; NaN for one that is hidden by others."""
    numbers = drawn[drawn > 0]
    counts = np.bincount(numbers, minlength=n + 1)[1:]
    with np.errstate(invalid="ignore"):
        return np.stack(
            [np.bincount(numbers, axis, minlength=n + 1)[1:] / counts for axis in np.nonzero(drawn)], axis=1
        )
