"""Distances of boundaries against MONAI, and where there is no boundary."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import tifffile
import torch
from scipy.ndimage import binary_dilation

from segloop.app.sample import sample_folder
from segloop.core.boundaries import TOLERANCE, BoundaryScore, compare_boundaries


@pytest.fixture
def truth() -> np.ndarray:
    """A mask (Y, X) of nuclei, none of which touches the edge of the image."""
    return np.pad(tifffile.imread(sample_folder() / "seg" / "000.tif") > 0, 20)


@pytest.mark.parametrize("kind", ["shifted", "grown", "holes", "volume"])
def test_the_distances_are_those_of_monai(truth: np.ndarray, kind: str) -> None:
    from monai.metrics import compute_hausdorff_distance, compute_surface_dice

    pred = np.roll(truth, (3, 1), (0, 1))
    if kind == "grown":
        pred = binary_dilation(truth, iterations=2)
    if kind == "holes":
        pred = truth & (np.random.default_rng(0).random(truth.shape) > 0.01)
    if kind == "volume":
        truth = np.pad(np.stack([truth, truth, pred]), ((2, 2), (0, 0), (0, 0)))
        pred = np.roll(truth, 1, 0)

    def both(mask: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.stack([~mask, mask])[None].astype(np.float32))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        distance = compute_hausdorff_distance(both(pred), both(truth), percentile=95)
        dice = compute_surface_dice(both(pred), both(truth), class_thresholds=[TOLERANCE])
    found = compare_boundaries(pred, truth)
    assert found.hd95 == pytest.approx(float(distance[0, 0]), abs=1e-4)
    assert found.surface_dice == pytest.approx(float(dice[0, 0]), abs=1e-4)


def test_what_is_not_there_has_no_distance(truth: np.ndarray) -> None:
    nothing = np.zeros_like(truth)
    assert compare_boundaries(truth, truth) == BoundaryScore(0.0, 1.0)
    assert compare_boundaries(nothing, nothing) == BoundaryScore(0.0, 1.0)
    assert compare_boundaries(nothing, truth) == BoundaryScore(None, 0.0)
    assert compare_boundaries(truth, nothing) == BoundaryScore(None, 0.0)
    assert compare_boundaries(~nothing, truth) == BoundaryScore(None, 0.0)  # all foreground has no boundary


def test_what_is_not_valid_changes_nothing(truth: np.ndarray) -> None:
    valid = np.ones_like(truth)
    valid[:, 150:] = False
    pred = np.roll(truth, 2, 0)
    changed = [np.where(valid, mask, other) for mask, other in ((pred, True), (truth, False))]
    assert compare_boundaries(*changed, valid) == compare_boundaries(pred, truth, valid)
    assert compare_boundaries(pred, truth, valid).surface_dice > 0.5
