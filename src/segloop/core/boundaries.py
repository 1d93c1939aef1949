"""How far the boundaries of two masks lie apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

TOLERANCE = 2.0
"""Distance in pixels up to which a boundary counts as right."""


@dataclass(frozen=True)
class BoundaryScore:
    """How well two boundaries agree.

    Attributes
    ----------
    hd95 : float or None
        Hausdorff distance without the farthest 5 %, in pixels: the larger of the 95th percentiles of the
        distances from one boundary to the other (as in MONAI). None if only one of the masks has a boundary;
        0 if none has.
    surface_dice : float
        Normalised surface Dice: the share of both boundaries that lies within `TOLERANCE` of the other
        (Nikolov et al. 2021), 0 to 1; 1 if none of the masks has a boundary.
    """

    hd95: float | None
    surface_dice: float


def compare_boundaries(pred: ArrayLike, truth: ArrayLike, valid: ArrayLike | None = None) -> BoundaryScore:
    """Compare the boundaries of two masks.

    A boundary is made of the foreground pixels with background beside them, by a face. Where pixels are not
    valid, and at the edges of the image, there is none.

    Parameters
    ----------
    pred, truth : same shape, usually (Z, Y, X)
        Foreground where not 0.
    valid : same shape, bool, optional
        Only pixels where it is True count; all of them if left out.
    """
    first, second = np.asarray(pred) != 0, np.asarray(truth) != 0
    known = np.ones(first.shape, bool) if valid is None else np.asarray(valid, bool)
    boundaries = [_boundary(mask, known) for mask in (first, second)]
    lengths = [int(np.count_nonzero(boundary)) for boundary in boundaries]
    if 0 in lengths:
        nothing = lengths == [0, 0]
        return BoundaryScore(0.0 if nothing else None, float(nothing))
    away = [_distance_to(boundaries[1])[boundaries[0]], _distance_to(boundaries[0])[boundaries[1]]]
    near = sum(int(np.count_nonzero(distances <= TOLERANCE)) for distances in away)
    hd95 = max(float(np.percentile(distances, 95)) for distances in away)
    return BoundaryScore(hd95, near / sum(lengths))


def _boundary(mask: NDArray[np.bool_], valid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    from scipy.ndimage import binary_erosion

    # What is not known, and what lies beyond the image, is taken for foreground: it makes no boundary.
    inner = binary_erosion(mask | ~valid, border_value=True)
    return np.asarray(mask & valid & ~inner)


def _distance_to(boundary: NDArray[np.bool_]) -> NDArray[np.floating[Any]]:
    import edt

    return np.asarray(edt.edt(~boundary, black_border=False))
