"""Patterns that would never end are stopped, wherever a user may write one."""

from __future__ import annotations

import time

import pytest

from segloop.artifacts.dataset.new_samples import group_of
from segloop.core.errors import DatasetError, PairingError
from segloop.core.user_patterns import compiled
from segloop.images.pair_rule import PairRule

STEM = "a" * 60 + "!"


def test_a_pattern_to_group_by_is_stopped() -> None:
    started = time.process_time()
    with pytest.raises(DatasetError, match="to group by takes too long on 'aaa"):
        group_of(STEM, "(a|aa)+$")
    assert time.process_time() - started < 5


def test_a_rule_for_pairing_is_stopped() -> None:
    rule = PairRule.parse("re:(a|aa)+=(a|aa)+b")
    with pytest.raises(PairingError, match="takes too long on 'aaa"):
        rule.key(0, STEM)


@pytest.mark.parametrize("pattern", ["(", "[", "*", "(?P<n>a)(?P<n", "a" * 5000, "(" * 500])
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        compiled(pattern)
    with pytest.raises(DatasetError, match="is not a regular expression"):
        group_of("a", pattern)


def test_a_repetition_in_another_ends() -> None:
    assert group_of(STEM, "(a+)+$") == STEM


def test_groups_are_found_as_before() -> None:
    assert group_of("plate1_a01", r"(plate\d+)_") == "plate1"
    assert group_of("plate1_a01", r"plate\d+") == "plate1"
    assert group_of("a01", r"plate\d+") == "a01"
