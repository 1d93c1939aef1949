"""Scores, checked against independent implementations on real labels, and brute force on small ones."""

from __future__ import annotations

import tracemalloc
import warnings
from functools import reduce
from itertools import permutations
from operator import add
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from segloop.core.metrics import (
    IOU_THRESHOLDS,
    BinaryCounts,
    InstanceCounts,
    average_precision,
    count_pixels,
    dice,
    f1,
    iou,
    match_instances,
    panoptic_quality,
)

NAMES = ("000", "345")
DAMAGES = ("eroded", "shifted", "merged", "dropped", "halved")


def damaged(labels: np.ndarray, how: str) -> np.ndarray:
    """Return a prediction with one kind of error that segmentations really make."""
    if how == "eroded":
        return np.where(ndimage.minimum_filter(labels, 3) == labels, labels, 0)
    if how == "shifted":
        return np.roll(labels, (2, 3), (0, 1))
    if how == "merged":
        return (labels + 1) // 2
    if how == "dropped":
        return np.where(labels % 3 == 0, 0, labels)
    cut = labels.copy()
    for number, box in enumerate(ndimage.find_objects(labels), 1):
        half = (slice((box[0].start + box[0].stop) // 2, box[0].stop), box[1])
        cut[half][labels[half] == number] += labels.max()
    return cut


@pytest.fixture(scope="module", params=[(name, how) for name in NAMES for how in DAMAGES], ids="-".join)
def real_pair(request: pytest.FixtureRequest, sample_nuclei: Path) -> tuple[np.ndarray, np.ndarray]:
    """A damaged prediction and its real truth, (Y, X) int32 each."""
    name, how = request.param
    truth = tifffile.imread(sample_nuclei / "seg" / f"{name}.tif").astype(np.int32)
    return damaged(truth, how), truth


def test_dice_and_iou_agree_with_scikit_learn(real_pair: tuple[np.ndarray, np.ndarray]) -> None:
    from sklearn.metrics import f1_score, jaccard_score

    pred, truth = real_pair
    p, t = pred.ravel() > 0, truth.ravel() > 0
    assert dice(pred, truth) == pytest.approx(f1_score(t, p), abs=1e-12)
    assert iou(pred, truth) == pytest.approx(jaccard_score(t, p), abs=1e-12)


def test_class_wise_dice_agrees_with_scikit_learn(real_pair: tuple[np.ndarray, np.ndarray]) -> None:
    from sklearn.metrics import f1_score

    pred, truth = (labels % 4 for labels in real_pair)
    expected = f1_score(truth.ravel(), pred.ravel(), labels=[1, 2, 3], average="micro")
    assert count_pixels(pred, truth, classes=True).dice == pytest.approx(expected, abs=1e-12)


def test_dice_and_iou_agree_with_torchmetrics(real_pair: tuple[np.ndarray, np.ndarray]) -> None:
    import torch
    from torchmetrics.functional.classification import binary_jaccard_index
    from torchmetrics.functional.segmentation import dice_score

    pred, truth = (torch.from_numpy((labels > 0).astype(np.int64))[None] for labels in real_pair)
    expected = dice_score(pred[:, None], truth[:, None], num_classes=1, input_format="one-hot")
    assert dice(*real_pair) == pytest.approx(float(expected.squeeze()), abs=1e-6)
    assert iou(*real_pair) == pytest.approx(float(binary_jaccard_index(pred, truth)), abs=1e-6)


def test_panoptic_quality_agrees_with_torchmetrics(real_pair: tuple[np.ndarray, np.ndarray]) -> None:
    import torch
    from torchmetrics.functional.detection import panoptic_quality as reference

    pred, truth = (
        torch.from_numpy(np.stack([labels > 0, labels], -1).astype(np.int64))[None] for labels in real_pair
    )
    # torchmetrics wants IoU above, not at, 0.5; category 0 is the background, which is not averaged in.
    each = reference(pred, truth, things={1}, stuffs={0}, return_per_class=True)
    assert panoptic_quality(*real_pair, 0.5 + 1e-12) == pytest.approx(float(each[0, 0]), abs=1e-6)


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7])
def test_objects_agree_with_monai(real_pair: tuple[np.ndarray, np.ndarray], threshold: float) -> None:
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from monai.metrics.panoptic_quality import compute_panoptic_quality

    pred, truth = (torch.from_numpy(labels.astype(np.int64)) for labels in real_pair)
    # MONAI wants IoU above its threshold.
    limit = np.nextafter(threshold, 0)
    recognition, quality = (
        float(compute_panoptic_quality(pred, truth, name, match_iou_threshold=limit)) for name in ("rq", "pq")
    )
    assert f1(*real_pair, threshold) == pytest.approx(recognition, abs=1e-5)
    assert panoptic_quality(*real_pair, threshold) == pytest.approx(quality, abs=1e-5)


def brute_force(pred: np.ndarray, truth: np.ndarray, threshold: float) -> tuple[int, float]:
    """Return matches and their sum of IoU, by trying every one-to-one assignment."""
    ps, ts = ([value for value in np.unique(labels) if value] for labels in (pred, truth))
    if len(ps) > len(ts):
        return brute_force(truth, pred, threshold)
    table = {
        (p, t): np.count_nonzero((pred == p) & (truth == t)) / np.count_nonzero((pred == p) | (truth == t))
        for p in ps
        for t in ts
    }
    best = (0, 0.0)
    for chosen in permutations(ts, len(ps)):
        found = [table[pair] for pair in zip(ps, chosen, strict=True) if table[pair] >= threshold]
        best = max(best, (len(found), sum(found)))
    return best


small_labels = arrays(np.uint8, (3, 5), elements=st.integers(0, 4))


@settings(deadline=None, max_examples=200)
@given(small_labels, small_labels, st.sampled_from([0.1, 0.2, 1 / 3, 0.5, 0.55, 0.75, 1.0]))
def test_matching_is_as_good_as_trying_everything(
    pred: np.ndarray, truth: np.ndarray, threshold: float
) -> None:
    counts = match_instances(pred, truth, (threshold,))
    matches, iou_sum = brute_force(pred, truth, threshold)
    assert counts.tp == (matches,)
    assert counts.iou_sum[0] == pytest.approx(iou_sum)


@settings(deadline=None, max_examples=100)
@given(small_labels, small_labels)
def test_every_object_is_found_missed_or_made_up(pred: np.ndarray, truth: np.ndarray) -> None:
    counts = match_instances(pred, truth)
    for tp, fp, fn in zip(counts.tp, counts.fp, counts.fn, strict=True):
        assert tp + fp == np.count_nonzero(np.unique(pred))
        assert tp + fn == np.count_nonzero(np.unique(truth))


@settings(deadline=None, max_examples=100)
@given(small_labels, small_labels, arrays(np.bool_, (3, 5)), small_labels)
def test_labels_outside_the_valid_mask_change_nothing(
    pred: np.ndarray, truth: np.ndarray, valid: np.ndarray, other: np.ndarray
) -> None:
    changed = np.where(valid, truth, other)
    assert count_pixels(pred, changed, valid) == count_pixels(pred, truth, valid)
    assert match_instances(pred, changed, valid=valid) == match_instances(pred, truth, valid=valid)


def test_objects_halved_exactly_count_once_at_one_half() -> None:
    truth, pred = np.array([1, 1, 1, 1]), np.array([1, 1, 2, 2])
    counts = match_instances(pred, truth, (0.5,))
    assert (counts.tp, counts.fp, counts.fn) == ((1,), (1,), (0,))


def test_a_threshold_is_reached_by_equality() -> None:
    truth, pred = np.ones(20, int), np.repeat([1, 0], [11, 9])
    assert match_instances(pred, truth, (0.55, 0.60)).tp == (1, 0)


def test_more_matches_win_over_a_higher_iou() -> None:
    # Prediction 1 overlaps truth 1 best, but truth 2 has no other partner.
    pred = np.array([1, 1, 1, 1, 1, 2, 2])
    truth = np.array([2, 2, 1, 1, 1, 1, 1])
    counts = match_instances(pred, truth, (0.25,))
    assert counts.tp == (2,)
    assert counts.iou_sum[0] == pytest.approx(2 / 5 + 2 / 5)


def test_a_perfect_prediction_scores_one_whatever_the_numbers(sample_nuclei: Path) -> None:
    truth = tifffile.imread(sample_nuclei / "seg" / "105.tif")
    pred = np.where(truth > 0, 4_000_000_000 - truth.astype(np.uint32), np.uint32(0))
    counts = match_instances(pred, truth)
    assert counts.mean_average_precision() == counts.panoptic_quality() == counts.f1(0.95) == 1.0


def test_nothing_to_find_and_nothing_found_is_perfect() -> None:
    empty = np.zeros((1, 4, 4), np.uint16)
    assert dice(empty, empty) == iou(empty, empty) == 1.0
    assert average_precision(empty, empty) == panoptic_quality(empty, empty) == f1(empty, empty) == 1.0


@pytest.mark.parametrize("swap", [False, True])
def test_objects_against_nothing_score_zero(swap: bool) -> None:
    pair = [np.zeros((4, 4), np.uint16), np.ones((4, 4), np.uint16)]
    pred, truth = reversed(pair) if swap else pair
    assert dice(pred, truth) == average_precision(pred, truth) == panoptic_quality(pred, truth) == 0.0


def test_an_unmatched_object_mostly_outside_is_not_held_against_the_prediction() -> None:
    truth = np.zeros(10, int)
    pred = np.array([0, 1, 1, 0, 0, 0, 2, 2, 2, 2])
    valid = np.arange(10) < 7
    assert match_instances(pred, truth, (0.5,), valid).fp == (1,)


def test_an_object_mostly_outside_still_matches_what_is_left_of_the_true_one() -> None:
    truth = np.array([0, 0, 1, 1, 1, 1, 1])
    valid = np.arange(7) < 4
    counts = match_instances(truth, truth, (0.5,), valid)
    assert (counts.tp, counts.fp, counts.fn) == ((1,), (0,), (0,))


def test_adding_counts_pools_images(sample_nuclei: Path) -> None:
    truths = [
        tifffile.imread(sample_nuclei / "seg" / f"{name}.tif").astype(np.int32) for name in ("000", "045")
    ]
    preds = [damaged(truth, "merged") for truth in truths]
    pooled = reduce(add, [match_instances(p, t) for p, t in zip(preds, truths, strict=True)])
    # Side by side (the second one with numbers of its own) the two images are one.
    shape = np.maximum(truths[0].shape, truths[1].shape)
    padded = [
        [np.pad(a, [(0, n - m) for n, m in zip(shape, a.shape, strict=True)]) for a in s]
        for s in (preds, truths)
    ]
    one = [np.concatenate([a, np.where(b > 0, b + 10_000, 0)]) for a, b in padded]
    together = match_instances(*one)
    assert pooled.tp == together.tp
    assert pooled.fp == together.fp
    assert pooled.fn == together.fn
    assert pooled.iou_sum == pytest.approx(together.iou_sum)
    assert pooled.n_truth == sum(np.unique(truth).size - 1 for truth in truths)


def test_pixel_counts_add_up() -> None:
    assert BinaryCounts(1, 2, 3) + BinaryCounts(10, 20, 30) == BinaryCounts(11, 22, 33)
    assert BinaryCounts(3, 1, 2).dice == pytest.approx(6 / 9)
    assert BinaryCounts(3, 1, 2).iou == pytest.approx(3 / 6)


def test_means_run_over_the_thresholds_up_to_the_highest() -> None:
    truth, pred = np.ones(20, int), np.repeat([1, 0], [15, 5])
    counts = match_instances(pred, truth)
    assert [counts.average_precision(threshold) for threshold in IOU_THRESHOLDS] == [1] * 6 + [0] * 4
    assert counts.mean_average_precision(0.90) == pytest.approx(6 / 9)
    assert counts.mean_average_precision(0.95) == pytest.approx(6 / 10)


def test_thousands_of_objects_are_matched_in_little_memory() -> None:
    side, pitch = 2048, 16
    rows, columns = np.indices((side, side), np.int32)
    inside = (rows % pitch < 12) & (columns % pitch < 12)
    truth = np.where(inside, rows // pitch * (side // pitch) + columns // pitch + 1, 0)
    pred = np.roll(truth, 1, 0)
    tracemalloc.start()
    counts = match_instances(pred, truth)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # Moved by one of twelve rows, they overlap by 11/13. A dense table of 16,384 objects would need 2 GB.
    assert counts.tp == (128 * 128,) * 7 + (0,) * 3
    assert peak < 400e6


@pytest.mark.parametrize(
    ("pred", "message"),
    [
        (np.zeros((3, 3), int), "one shape"),
        (np.zeros((2, 2), np.float32), "integers"),
        (np.full((2, 2), -1), "negative"),
    ],
)
def test_unfit_labels_are_refused(pred: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        match_instances(pred, np.zeros((2, 2), int))


@pytest.mark.parametrize("threshold", [0.0, -0.5, 1.1])
def test_an_impossible_threshold_is_refused(threshold: float) -> None:
    with pytest.raises(ValueError, match="threshold"):
        match_instances(np.zeros(2, int), np.zeros(2, int), (threshold,))


def test_a_score_at_a_threshold_that_was_not_counted_is_refused() -> None:
    counts = InstanceCounts((0.5,), (1,), (0,), (0,), (1.0,))
    with pytest.raises(ValueError, match=r"0\.75"):
        counts.average_precision(0.75)
    with pytest.raises(ValueError, match="different"):
        counts + InstanceCounts((0.75,), (1,), (0,), (0,), (1.0,))
