"""Which object of one label image is which object of another: sparse overlaps and one-to-one matching."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Overlaps:
    """Objects of a prediction and of the truth, and the pairs of them that share pixels.

    Attributes
    ----------
    pred_labels, truth_labels : (P,), (T,) int64
        Label of each object that has at least one valid pixel, ascending.
    pred_mostly_outside : (P,) bool
        True for a predicted object with more than half of its pixels outside the valid mask.
    pred_index, truth_index : (K,) int64
        For each overlapping pair, positions in ``pred_labels`` and ``truth_labels``.
    iou : (K,) float64
        Intersection over union of each pair, over valid pixels only, in (0, 1].
    common : (K,) int64
        Number of valid pixels that each pair shares.
    pred_area, truth_area : (P,), (T,) int64
        Number of valid pixels of each object.
    """

    pred_labels: Ints
    truth_labels: Ints
    pred_mostly_outside: npt.NDArray[np.bool_]
    pred_index: Ints
    truth_index: Ints
    iou: npt.NDArray[np.float64]
    common: Ints
    pred_area: Ints
    truth_area: Ints


def find_overlaps(pred: Array, truth: Array, valid: Array | None = None) -> Overlaps:
    """Find all overlapping pairs of objects, in time linear in the number of pixels.

    Parameters
    ----------
    pred, truth : same shape, integer or bool
        Label images; 0 is background, each other value one object. Any number of axes.
    valid : same shape, bool, optional
        Only pixels where it is True exist, in both images; all of them if left out.

    Raises
    ------
    ValueError
        If the shapes differ, or labels are not integers or are negative.
    """
    check_shapes(pred, truth, valid)
    pred_values, p = _consecutive(pred)
    truth_values, t = _consecutive(truth)
    whole_area = np.bincount(p, minlength=pred_values.size + 1)[1:]
    if valid is not None:
        inside = valid.ravel().astype(bool, copy=False)
        p, t = p[inside], t[inside]
    shape = (pred_values.size + 1, truth_values.size + 1)
    pred_area = np.bincount(p, minlength=shape[0])[1:]
    truth_area = np.bincount(t, minlength=shape[1])[1:]

    from scipy.sparse import coo_array  # SciPy takes over half a second to import

    both = (p > 0) & (t > 0)
    row, column = p[both], t[both]
    pixels = (np.ones(row.size, np.int64), (row - 1, column - 1))
    # Going through CSR sums the pixels of each pair without sorting them.
    table = coo_array(pixels, shape=(pred_area.size, truth_area.size)).tocsr().tocoo()
    row, column, common = table.row, table.col, table.data
    iou = common / (pred_area[row] + truth_area[column] - common)

    # Objects without a valid pixel do not exist; the others move up.
    pred_here, truth_here = pred_area > 0, truth_area > 0
    return Overlaps(
        pred_labels=pred_values[pred_here],
        truth_labels=truth_values[truth_here],
        pred_mostly_outside=(2 * pred_area < whole_area)[pred_here],
        pred_index=(np.cumsum(pred_here) - 1)[row].astype(np.int64),
        truth_index=(np.cumsum(truth_here) - 1)[column].astype(np.int64),
        iou=iou.astype(np.float64),
        common=common.astype(np.int64),
        pred_area=pred_area[pred_here],
        truth_area=truth_area[truth_here],
    )


def match(overlaps: Overlaps, threshold: float) -> Ints:
    """Choose pairs one-to-one: as many with IoU >= ``threshold`` as possible, then the largest sum of IoU.

    Above 0.5 no object has two candidates, so that the candidates are the matching. At or below 0.5 the few
    objects that do are assigned within their connected component of the candidate graph.

    Parameters
    ----------
    overlaps : Overlaps
        From `find_overlaps`.
    threshold : float
        Smallest IoU of a match, above 0 and up to 1.

    Returns
    -------
    (M,) int64
        Positions of the chosen pairs in ``overlaps.iou``, ascending.

    Raises
    ------
    ValueError
        If the threshold is not in (0, 1].

    Notes
    -----
    The optimum is that of StarDist's ``matching`` (Weigert et al., WACV 2020), which solves one dense
    assignment.
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"An IoU threshold must be above 0 and at most 1, not {threshold}.")
    candidates = np.flatnonzero(overlaps.iou >= threshold)
    row, column = overlaps.pred_index[candidates], overlaps.truth_index[candidates]
    alone = (np.bincount(row)[row] == 1) & (np.bincount(column)[column] == 1)
    chosen = [candidates[alone], *_assign_contested(overlaps, candidates[~alone])]
    return np.sort(np.concatenate(chosen)).astype(np.int64)


def _assign_contested(overlaps: Overlaps, candidates: Ints) -> list[Ints]:
    """Solve one small assignment for each connected component of the candidate pairs."""
    if not candidates.size:
        return []
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    row, column = overlaps.pred_index[candidates], overlaps.truth_index[candidates]
    n_pred = overlaps.pred_labels.size
    n_nodes = n_pred + overlaps.truth_labels.size
    graph = coo_array((np.ones(candidates.size), (row, column + n_pred)), shape=(n_nodes, n_nodes))
    component = connected_components(graph, directed=False)[1][row]
    order = np.argsort(component, kind="stable")
    groups = np.split(candidates[order], np.flatnonzero(np.diff(component[order])) + 1)
    return [_assign(overlaps, group) for group in groups]


def _assign(overlaps: Overlaps, candidates: Ints) -> Ints:
    from scipy.optimize import linear_sum_assignment

    rows, r = np.unique(overlaps.pred_index[candidates], return_inverse=True)
    columns, c = np.unique(overlaps.truth_index[candidates], return_inverse=True)
    position = np.full((rows.size, columns.size), -1)
    position[r, c] = candidates
    # One more match always outweighs any gain in IoU, which adds up to a half at most.
    gain = np.zeros(position.shape)
    gain[r, c] = 1 + overlaps.iou[candidates] / (2 * min(position.shape))
    picked = position[linear_sum_assignment(gain, maximize=True)]
    return np.asarray(picked[picked >= 0], np.int64)


def check_shapes(pred: Array, truth: Array, valid: Array | None) -> None:
    """Raise ValueError unless all arrays have one shape."""
    shapes = {np.shape(array) for array in (pred, truth, valid) if array is not None}
    if len(shapes) > 1:
        raise ValueError(f"Prediction, truth and valid mask must have one shape, not {sorted(shapes)}.")


def _consecutive(labels: Array) -> tuple[Ints, npt.NDArray[np.int32]]:
    """Return the labels present, ascending, and the flat image renumbered 1, 2, ... in that order."""
    flat = np.ravel(labels)
    if flat.dtype == bool:
        flat = flat.view(np.uint8)
    if not np.issubdtype(flat.dtype, np.integer):
        raise ValueError(f"Labels must be integers, not {flat.dtype}.")
    if flat.size and flat.min() < 0:
        raise ValueError("Labels must not be negative.")
    highest = int(flat.max(initial=0))
    if highest > 2 * flat.size + 65535:
        values, inverse = np.unique(np.append(flat, flat.dtype.type(0)), return_inverse=True)
        return values[1:].astype(np.int64), inverse[:-1].astype(np.int32)
    number = np.zeros(highest + 1, np.int32)
    number[flat] = 1
    number[0] = 0
    values = np.flatnonzero(number)
    number[values] = np.arange(1, values.size + 1)
    return values.astype(np.int64), number[flat]
