"""Bootstrap intervals against an independent implementation, and where there are none."""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import Any

import numpy as np
import pytest
from scipy.stats import bootstrap

from segloop.core.metrics import BinaryCounts, InstanceCounts
from segloop.evaluation import intervals as module
from segloop.evaluation.scores import ImageScore


def intervals(scores: list[ImageScore]) -> dict[str, Any] | None:
    return module.intervals([score.pixels for score in scores], [score.instance for score in scores])


def score(rng: np.random.Generator, objects: bool = True) -> ImageScore:
    pixels = BinaryCounts(*map(int, rng.integers(50, 2000, 3)))
    if not objects:
        return ImageScore(pixels, None, 10_000)
    truth, tp = int(rng.integers(5, 60)), 0
    found = []
    for _ in range(10):
        tp = int(rng.integers(0, truth)) if not found else int(rng.integers(0, found[-1] + 1))
        found.append(tp)
    extra = int(rng.integers(0, 9))
    thresholds = tuple(round(0.5 + 0.05 * i, 2) for i in range(10))
    fp, fn = tuple(truth + extra - t for t in found), tuple(truth - t for t in found)
    return ImageScore(
        pixels, InstanceCounts(thresholds, tuple(found), fp, fn, tuple(0.8 * t for t in found)), 10_000
    )


@pytest.fixture
def scores() -> list[ImageScore]:
    rng = np.random.default_rng(3)
    return [score(rng) for _ in range(24)]


def test_intervals_are_those_of_scipy(scores: list[ImageScore]) -> None:
    def pooled(index: np.ndarray) -> float:
        counts = reduce(add, (scores[i].instance for i in index.astype(int)))
        return counts.mean_average_precision(0.90)

    def mean(index: np.ndarray) -> float:
        return float(np.mean([scores[i].pixels.dice for i in index.astype(int)]))

    found = intervals(scores)
    assert found is not None
    for statistic, ours in (
        (pooled, found["instance"]["mean_ap_50_90"]),
        (mean, found["semantic"]["dice_per_image_mean"]),
    ):
        theirs = bootstrap(
            (np.arange(len(scores)),), statistic, n_resamples=2000, method="percentile", vectorized=False
        ).confidence_interval
        assert ours == pytest.approx((theirs.low, theirs.high), abs=0.1 * (theirs.high - theirs.low))


def test_a_score_lies_within_its_interval_and_more_images_narrow_it(scores: list[ImageScore]) -> None:
    few, many = intervals(scores), intervals(scores * 4)
    assert few is not None
    assert many is not None
    for name, threshold in (("0.50", 0.5), ("0.60", 0.6)):
        low, high = many["instance"]["ap"][name]
        pooled = reduce(add, (one.instance for one in scores)).average_precision(threshold)
        assert low < pooled < high
        assert high - low < np.diff(few["instance"]["ap"][name])[0]
    assert intervals(scores) == intervals(scores)


def test_few_images_have_none_and_masks_have_those_of_pixels(scores: list[ImageScore]) -> None:
    rng = np.random.default_rng(1)
    assert intervals(scores[:4]) is None
    masks = intervals([score(rng, objects=False) for _ in range(5)])
    assert masks is not None
    assert masks["instance"] is None
    assert set(masks["semantic"]) == {"dice", "dice_per_image_mean"}


def test_images_without_anything_to_find_are_perfect() -> None:
    empty = ImageScore(BinaryCounts(0, 0, 0), None, 100)
    found = intervals([empty] * 5)
    assert found is not None
    assert found["semantic"]["dice"] == (1.0, 1.0)


def test_paired_differences_are_those_of_scipy(scores: list[ImageScore]) -> None:
    first, second = [one.instance for one in scores], [one.instance for one in scores[::-1]]

    def difference(index: np.ndarray) -> float:
        pooled = [reduce(add, (counts[i] for i in index.astype(int))) for counts in (first, second)]
        return pooled[0].average_precision(0.5) - pooled[1].average_precision(0.5)

    value, interval = module.paired_difference(first, second)
    theirs = bootstrap(
        (np.arange(len(scores)),),
        difference,
        n_resamples=2000,
        method="percentile",
        vectorized=False,
        random_state=1,
    ).confidence_interval
    assert value == pytest.approx(difference(np.arange(len(scores))))
    assert interval == pytest.approx((theirs.low, theirs.high), abs=0.02)


def test_what_is_hard_for_both_does_not_widen_a_paired_interval() -> None:
    rng = np.random.default_rng(0)
    hits = rng.integers(0, 1000, 20)  # from image to image, both vary widely
    first = [BinaryCounts(int(tp), int(1000 - tp), int(1000 - tp)) for tp in hits]
    second = [BinaryCounts(one.tp + 10, one.fp - 10, one.fn - 10) for one in first if one.fp >= 10]
    first = [one for one in first if one.fp >= 10]

    value, interval = module.paired_difference(second, first)

    assert value == pytest.approx(0.01, abs=1e-6)
    assert interval == pytest.approx((0.01, 0.01), abs=1e-6)


def test_a_paired_difference_of_few_images_has_no_interval_and_of_others_no_value() -> None:
    counts = [BinaryCounts(5, 5, 5)] * 3
    assert module.paired_difference(counts, counts) == (0.0, None)
    with pytest.raises(ValueError, match="of the same images"):
        module.paired_difference(counts, counts[:2])
