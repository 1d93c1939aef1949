"""The picture of errors: each kind, in planes and stacks, at several times, with excluded pixels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from segloop.core.matching import find_overlaps
from segloop.core.object_errors import ErrorKind, classify_objects, count_object_errors
from segloop.evaluation.error_image import error_image


def scene(depth: int) -> tuple[np.ndarray, np.ndarray]:
    """Return prediction and truth (1, Z, Y, X) with one object of each kind, from left to right."""
    truth, pred = np.zeros((2, 1, depth, 10, 60), np.int32)
    truth[..., 1:9, 1:9] = 4  # found
    pred[..., 1:9, 2:9] = 7
    truth[..., 1:9, 12:18] = 5  # missed
    pred[..., 1:9, 21:27] = 8  # spurious
    truth[..., 1:9, 30:40] = 6  # split
    pred[..., 1:9, 30:35], pred[..., 1:9, 35:40] = 9, 10
    truth[..., 1:9, 43:49], truth[..., 1:9, 49:55] = 20, 21  # merged
    pred[..., 1:9, 43:55] = 30
    return pred, truth


@pytest.mark.parametrize("depth", [1, 3])
def test_each_kind_is_drawn_as_the_object_that_it_is_about(depth: int) -> None:
    pred, truth = scene(depth)

    found = error_image(pred, truth)

    def where(kind: ErrorKind) -> np.ndarray:
        return np.isin(found.labels, found.of_kind(kind))

    assert np.array_equal(where(ErrorKind.FOUND), pred == 7)
    assert np.array_equal(where(ErrorKind.MISSED), truth == 5)
    assert np.array_equal(where(ErrorKind.SPURIOUS), pred == 8)
    assert np.array_equal(where(ErrorKind.SPLIT), truth == 6)
    assert np.array_equal(where(ErrorKind.MERGED), pred == 30)
    assert [len(found.of_kind(kind)) for kind in ErrorKind] == [1, 1, 1, 1, 1]
    (missed,) = found.of_kind(ErrorKind.MISSED)
    assert found.centres[missed - 1].tolist() == [0, (depth - 1) / 2, 4.5, 14.5]


def test_time_points_are_compared_on_their_own() -> None:
    pred, truth = scene(1)
    found = error_image(np.concatenate([pred, truth]), np.concatenate([truth, truth]))

    assert len(found.of_kind(ErrorKind.FOUND)) == 1 + 5
    assert len(found.of_kind(ErrorKind.MISSED)) == 1
    assert sorted(np.unique(found.labels)) == list(range(len(found.kinds) + 1))
    assert set(found.centres[:, 0]) == {0, 1}


def test_what_lies_in_excluded_pixels_is_no_error() -> None:
    pred, truth = scene(1)
    valid = np.ones(truth.shape, bool)
    valid[..., 10:29] = False  # missed and spurious
    found = error_image(pred, truth, valid)

    assert len(found.of_kind(ErrorKind.MISSED)) == len(found.of_kind(ErrorKind.SPURIOUS)) == 0


def test_images_without_objects_have_no_errors() -> None:
    nothing = np.zeros((1, 1, 4, 4), np.uint16)
    assert len(error_image(nothing, nothing).kinds) == 0
    assert error_image(nothing, nothing).labels.shape == nothing.shape


labels = arrays(np.uint8, (1, 1, 6, 7), elements=st.integers(0, 5))


@given(labels, labels)
def test_kinds_agree_with_their_numbers(pred: np.ndarray, truth: np.ndarray) -> None:
    overlaps = find_overlaps(pred[0], truth[0])
    counts, (of_pred, of_truth) = count_object_errors(overlaps), classify_objects(overlaps)
    found = error_image(pred, truth)

    assert counts.split == np.count_nonzero(of_truth == ErrorKind.SPLIT)
    assert counts.merged == np.count_nonzero(of_pred == ErrorKind.MERGED)
    assert counts.merged == len(found.of_kind(ErrorKind.MERGED))
    assert np.count_nonzero(of_truth == ErrorKind.MISSED) <= counts.missed
    assert np.count_nonzero(of_pred == ErrorKind.SPURIOUS) <= counts.spurious
    assert set(np.unique(found.labels)) <= set(range(len(found.kinds) + 1))
    assert not np.any((found.labels > 0) & (pred == 0) & (truth == 0))
