"""Progress goes out, cancel comes in."""

from __future__ import annotations

import time

import pytest

from segloop.core.context import Context, Progress, time_left
from segloop.core.errors import Cancelled


def test_items_pass_through_in_order() -> None:
    assert list(Context().track("abc", 3)) == ["a", "b", "c"]


def test_each_item_is_reported_before_it_is_handed_out_and_the_end_after() -> None:
    seen: list[Progress] = []
    for item in Context(report=seen.append).track(range(2), 2, "Reading"):
        assert seen[-1].done == item
    assert [(step.done, step.total, step.message) for step in seen] == [
        (0, 2, "Reading"),
        (1, 2, "Reading"),
        (2, 2, "Reading"),
    ]


def test_a_cancel_ends_the_loop_before_the_next_item() -> None:
    handed_out: list[int] = []
    context = Context(cancelled=lambda: len(handed_out) == 2)
    with pytest.raises(Cancelled, match="kept"):
        handed_out.extend(context.track(range(5), 5))
    assert handed_out == [0, 1]


def test_a_cancel_after_the_last_item_still_counts() -> None:
    context = Context(cancelled=iter([False, True]).__next__)
    with pytest.raises(Cancelled):
        list(context.track([1], 1))


def test_nothing_is_reported_once_cancelled() -> None:
    seen: list[Progress] = []
    with pytest.raises(Cancelled):
        Context(report=seen.append, cancelled=lambda: True).progress(1, 2)
    assert seen == []


def test_time_left_follows_from_the_pace_so_far() -> None:
    seen: list[Progress] = []
    context = Context(report=seen.append, _started=time.monotonic() - 600)
    context.progress(2, 8)
    assert seen[0].seconds_left == pytest.approx(1800, rel=0.01)


def test_time_left_in_a_loop_follows_from_its_own_pace() -> None:
    seen: list[Progress] = []
    after_a_long_step = Context(report=seen.append, _started=time.monotonic() - 600)
    list(after_a_long_step.track("abc", 3))
    assert seen[1].seconds_left is not None
    assert seen[1].seconds_left < 60


@pytest.mark.parametrize(("done", "total"), [(0, 5), (3, 0)])
def test_time_left_is_unknown_without_a_pace_or_an_end(done: float, total: float) -> None:
    seen: list[Progress] = []
    Context(report=seen.append).progress(done, total)
    assert seen[0].seconds_left is None


@pytest.mark.parametrize(("done", "total", "fraction"), [(1, 4, 0.25), (5, 4, 1.0), (3, 0, 0.0)])
def test_the_fraction_stays_between_nothing_and_all(done: float, total: float, fraction: float) -> None:
    assert Progress(done, total).fraction == fraction


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, ""),
        (-1, ""),
        (0.2, "1 s left"),
        (59, "59 s left"),
        (240, "4 min left"),
        (5400, "1 h 30 min left"),
        (36_000, "10 h left"),
    ],
)
def test_time_left_is_said_as_people_say_it(seconds: float | None, words: str) -> None:
    assert time_left(seconds) == words
