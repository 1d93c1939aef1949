"""A result in the viewer against the truth: a line, and where the errors are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from segloop.core.context import Context
from segloop.core.errors import ImageError
from segloop.core.metrics import count_pixels, match_instances
from segloop.evaluation.error_image import ErrorImage, error_image
from segloop.targets.output import CLASSES, LABELS, Output

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Scored:
    """How well a result agrees with the truth.

    Attributes
    ----------
    words : str
        The scores, in one line.
    errors : ErrorImage or None
        Which objects are found, missed and so on; None for masks and classes.
    """

    words: str
    errors: ErrorImage | None = None


def score(prediction: NDArray[Any], truth: NDArray[Any], *, kind: Output, context: Context) -> Scored:
    """Compare a shown output with the truth.

    Parameters
    ----------
    prediction : (T, Z, Y, X) int
        Labels, a mask or classes, as ``kind`` says.
    truth : int
        The same shape but for axes of length 1.

    Raises
    ------
    ImageError
        If the shapes differ, or the truth is no label image.
    """
    truth = np.squeeze(np.asarray(truth))
    found = np.asarray(prediction)
    if np.squeeze(found).shape != truth.shape:
        raise ImageError(
            f"The truth differs in size ({_sizes(truth.shape)}) from the result "
            f"({_sizes(np.squeeze(found).shape)}): choose the labels that belong to this image."
        )
    wanted = truth.reshape(found.shape)
    context.check()
    dice = count_pixels(found, wanted, classes=kind == CLASSES).dice
    if kind != LABELS:
        return Scored(f"Dice {dice:.2f}")
    counts = match_instances(found[0], wanted[0], (0.5,))
    for t in range(1, len(found)):
        context.check()
        counts += match_instances(found[t], wanted[t], (0.5,))
    context.check()
    words = f"AP at IoU 0.5 is {counts.average_precision(0.5):.2f}, Dice {dice:.2f}"
    return Scored(words, error_image(found, wanted))


def _sizes(shape: Sequence[int]) -> str:
    return " x ".join(str(length) for length in shape)
