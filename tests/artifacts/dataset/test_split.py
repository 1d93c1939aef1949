from __future__ import annotations

from collections import Counter, defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segloop.artifacts.dataset.split import assign_splits

GROUPS = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=40)
FRACTION = st.floats(0, 0.49)


@given(GROUPS, FRACTION, FRACTION, st.integers(0, 9))
def test_no_group_is_on_two_sides(groups: list[str], val: float, test: float, seed: int) -> None:
    sides = defaultdict(set)
    for group, split in zip(groups, assign_splits(groups, val, test, seed), strict=True):
        sides[group].add(split)
    assert all(len(side) == 1 for side in sides.values())


@given(GROUPS, st.floats(0.01, 0.49), st.integers(0, 9))
def test_training_always_gets_some_and_validation_where_there_are_two_groups(
    groups: list[str], val: float, seed: int
) -> None:
    splits = set(assign_splits(groups, val, 0, seed))
    assert "train" in splits
    assert ("val" in splits) == (len(set(groups)) > 1)


@given(st.lists(st.integers(1, 5), min_size=2, max_size=7), st.floats(0.01, 0.9), st.integers(0, 9))
def test_the_fraction_is_met_as_closely_as_groups_allow(sizes: list[int], val: float, seed: int) -> None:
    groups = [str(number) for number, size in enumerate(sizes) for _ in range(size)]
    sums = {
        sum(size for number, size in enumerate(sizes) if chosen >> number & 1)
        for chosen in range(1, 2 ** len(sizes) - 1)
    }
    found = assign_splits(groups, val, 0, seed).count("val")
    assert abs(found - val * len(groups)) == pytest.approx(min(abs(s - val * len(groups)) for s in sums))


@given(GROUPS, st.integers(0, 9), st.randoms())
def test_the_order_of_samples_does_not_matter(groups: list[str], seed: int, random) -> None:
    shuffled = random.sample(groups, len(groups))
    by_group = dict(zip(groups, assign_splits(groups, 0.3, 0.2, seed), strict=True))
    assert dict(zip(shuffled, assign_splits(shuffled, 0.3, 0.2, seed), strict=True)) == by_group


def test_single_samples_are_split_exactly() -> None:
    splits = Counter(assign_splits([str(number) for number in range(100)], 0.2, 0.1, 0))
    assert splits == {"train": 70, "val": 20, "test": 10}


def test_the_seed_decides() -> None:
    groups = [str(number) for number in range(20)]
    assert assign_splits(groups, 0.5, 0, 1) == assign_splits(groups, 0.5, 0, 1)
    assert assign_splits(groups, 0.5, 0, 1) != assign_splits(groups, 0.5, 0, 2)


def test_what_was_decided_stays_and_counts() -> None:
    groups = ["old"] * 4 + [str(number) for number in range(16)]
    splits = assign_splits(groups, 0.2, 0, 0, fixed={"old": "val"})
    assert splits == ["val"] * 4 + ["train"] * 16


def test_fractions_that_leave_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="less than 1"):
        assign_splits(["a"], 0.5, 0.5, 0)
