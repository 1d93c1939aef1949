"""Kinds of errors in objects, checked by hand-made cases and against brute force on small label images."""

from __future__ import annotations

from functools import reduce
from operator import add

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from segloop.core.matching import find_overlaps
from segloop.core.metrics import match_instances
from segloop.core.object_errors import FOUND, ObjectErrors, count_object_errors

small = arrays(np.int32, (4, 6), elements=st.integers(0, 4))


def errors_of(pred: np.ndarray, truth: np.ndarray, valid: np.ndarray | None = None) -> ObjectErrors:
    return count_object_errors(find_overlaps(pred, truth, valid))


def bars(*labels: int) -> np.ndarray:
    """Return a label image of columns, each two pixels wide."""
    return np.repeat(np.array(labels, np.int32), 2)[None].repeat(6, 0)


@pytest.mark.parametrize(
    ("pred", "truth", "expected"),
    [
        (bars(1, 0, 2), bars(1, 0, 2), {}),
        (bars(1, 0, 0), bars(1, 0, 2), {"missed": 1, "count_error": 1}),
        (bars(1, 0, 2), bars(1, 0, 0), {"spurious": 1, "count_error": 1}),
        (bars(1, 1, 1), bars(1, 0, 2), {"merged": 1, "count_error": 1}),
        (bars(1, 0, 2), bars(1, 1, 1), {"split": 1, "count_error": 1}),
        (bars(1, 0, 2, 3), bars(1, 1, 1, 2), {"split": 1, "count_error": 1}),
        (bars(1, 0, 0, 2), bars(0, 3, 0, 2), {"missed": 1, "spurious": 1}),
        (bars(0), bars(0), {}),
    ],
)
def test_each_error_is_counted_as_its_kind(
    pred: np.ndarray, truth: np.ndarray, expected: dict[str, int]
) -> None:
    errors = errors_of(pred, truth)
    kinds = ("missed", "spurious", "split", "merged", "count_error")
    assert {kind: getattr(errors, kind) for kind in kinds} == dict.fromkeys(kinds, 0) | expected


@given(small, small, arrays(np.bool_, (4, 6)))
@settings(max_examples=150)
def test_counts_are_those_of_brute_force(pred: np.ndarray, truth: np.ndarray, valid: np.ndarray) -> None:
    errors = errors_of(pred, truth, valid)
    p, t = np.where(valid, pred, 0), np.where(valid, truth, 0)
    predicted, true = (set(np.unique(each)) - {0} for each in (p, t))
    parts = {b: [a for a in predicted if 2 * np.sum((p == a) & (t == b)) > np.sum(p == a)] for b in true}
    covered = {a: [b for b in true if 2 * np.sum((p == a) & (t == b)) > np.sum(t == b)] for a in predicted}
    assert errors.split == sum(len(each) > 1 for each in parts.values())
    assert errors.merged == sum(len(each) > 1 for each in covered.values())
    assert errors.n_truth == len(true)
    counts = match_instances(pred, truth, (FOUND,), valid)
    assert errors.found == counts.tp[0]
    assert errors.missed <= counts.fn[0]
    assert errors.spurious <= counts.fp[0]
    assert errors.found_precision == pytest.approx(counts.average_precision(FOUND))


@given(st.lists(st.tuples(small, small), min_size=1, max_size=4))
@settings(max_examples=30)
def test_errors_of_images_are_added(pairs: list[tuple[np.ndarray, np.ndarray]]) -> None:
    each = [errors_of(pred, truth) for pred, truth in pairs]
    pooled = reduce(add, each)
    assert pooled.missed == sum(one.missed for one in each)
    assert pooled.count_error == sum(abs(one.n_pred - one.n_truth) for one in each)


def test_what_is_excluded_is_no_error() -> None:
    truth, pred = bars(1, 0, 2), bars(1, 3, 0)
    assert errors_of(pred, truth).spurious == 1
    assert errors_of(pred, truth, valid=bars(1, 0, 0) > 0).spurious == 0
    assert errors_of(pred, truth, valid=bars(1, 0, 0) > 0).missed == 0
