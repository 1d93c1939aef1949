"""The next object and the next slice without labels, against slow references."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from segloop.curation.label_search import middle_of, neighbour, unlabelled_ranges, unlabelled_slice

VOLUMES = arrays(np.uint32, (3, 4, 5), elements=st.sampled_from([0, 0, 0, 1, 2, 5, 9]))


@given(labels=VOLUMES, number=st.integers(0, 12))
def test_the_neighbours_go_round_all_objects(labels: np.ndarray, number: int) -> None:
    present = sorted(set(labels.ravel().tolist()) - {0})
    after = [each for each in present if each > number] + present
    before = [each for each in reversed(present) if each < number] + present[::-1]
    assert neighbour(labels, number, 1) == (after[0] if present else 0)
    assert neighbour(labels, number, -1) == (before[0] if present else 0)


@given(labels=VOLUMES)
def test_the_middle_lies_in_the_object_in_its_largest_slice(labels: np.ndarray) -> None:
    for number in set(labels.ravel().tolist()) - {0}:
        z, y, x = middle_of(labels, number)
        assert labels[z, y, x] == number
        assert (labels[z] == number).sum() == max((plane == number).sum() for plane in labels)


def test_an_object_that_is_gone_has_no_middle() -> None:
    with pytest.raises(ValueError, match="no object 3"):
        middle_of(np.zeros((1, 2, 2), np.uint32), 3)


@given(labels=VOLUMES, z=st.integers(0, 2))
def test_slices_without_labels_are_found_in_a_circle(labels: np.ndarray, z: int) -> None:
    empty = [each for each in range(3) if not labels[each].any()]
    after = [each for each in empty if each > z] + empty
    assert unlabelled_slice(labels, z) == (after[0] if empty else None)


@pytest.mark.parametrize(
    ("filled", "ranges"),
    [
        ("", [(0, 5)]),
        ("012345", []),
        ("0", [(1, 5)]),
        ("5", [(0, 4)]),
        ("23", [(0, 1), (4, 5)]),
        ("135", [(0, 0), (2, 2), (4, 4)]),
    ],
)
def test_runs_of_slices_without_labels(filled: str, ranges: list[tuple[int, int]]) -> None:
    labels = np.zeros((6, 3, 3), np.uint32)
    labels[[int(each) for each in filled], 1, 1] = 7
    assert unlabelled_ranges(labels) == ranges
