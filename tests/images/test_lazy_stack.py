"""Stacks that are read where they are looked at."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segloop.images import lazy_stack
from segloop.images.lazy_stack import LazyStack

SHAPE = (4, 5, 6)
ARRAY = np.arange(np.prod(SHAPE), dtype=np.uint16).reshape(SHAPE)

SLICES = st.slices(7)
PARTS = st.one_of(SLICES, st.integers(-4, 3))


def stack(read=lambda block: ARRAY[block].copy()) -> LazyStack:
    return LazyStack(SHAPE, ARRAY.dtype, read)


@given(st.one_of(PARTS, st.lists(PARTS, max_size=3).map(tuple)), st.integers(0, 3), st.booleans())
def test_any_part_is_that_of_the_array(key, at: int, ellipsis: bool) -> None:
    if ellipsis and isinstance(key, tuple):
        key = (*key[:at], ..., *key[at:])
    found = stack()[key]
    assert np.array_equal(found, ARRAY[key])
    assert np.shape(found) == np.shape(ARRAY[key])


def test_no_more_is_read_than_the_part() -> None:
    sizes = []

    def read(block) -> np.ndarray:
        sizes.append(ARRAY[block].shape)
        return ARRAY[block].copy()

    lazy = stack(read)
    lazy[2], lazy[2], lazy[:, 3], lazy[1:3, ::2]
    assert sizes == [(1, 5, 6), (4, 1, 6), (2, 5, 6)]


def test_a_large_part_is_not_kept(monkeypatch) -> None:
    """Such as the whole stack, which a view in 3D asks for."""
    monkeypatch.setattr(lazy_stack, "MOST_KEPT", ARRAY[0].nbytes)
    lazy = stack()
    assert np.array_equal(lazy[...], ARRAY)
    assert lazy._last is None
    assert np.array_equal(lazy[2], ARRAY[2])
    assert lazy._last is not None


def test_it_becomes_an_array() -> None:
    assert np.array_equal(np.asarray(stack()), ARRAY)
    assert np.asarray(stack(), dtype=float).dtype == float
    assert len(stack()) == 4
    assert stack().nbytes == ARRAY.nbytes


@pytest.mark.parametrize("key", [4, (0, 0, 0, 0), (0, 9), "a", (..., ...), ([0, 1],)])
def test_what_is_no_part_is_refused(key) -> None:
    with pytest.raises(IndexError):
        stack()[key]


def test_what_was_read_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        stack()[0][0, 0] = 1
