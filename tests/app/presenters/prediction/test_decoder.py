"""Thresholds move: the newest count, and of a large result the part in view comes first."""

from __future__ import annotations

import numpy as np
import pytest

from fakes.background import FakeBackground, FakeClock
from fakes.results import result, thresholds
from segloop.app.presenters.prediction.decoder import Decoder
from segloop.app.presenters.prediction.preview import LARGE, MAX_LENGTH, decode_preview
from segloop.core.context import Context
from segloop.prediction.kept import Shown
from segloop.targets import MASK, PROBABILITY, Decoded, Output, make_target

LENGTH = 1600
"""Of a large result."""

VIEW = (slice(0, 1), slice(0, 1), slice(200, 500), slice(600, 1000))


class Bench:
    """A decoder of given results, and what it answered."""

    def __init__(self, *results):
        self.background, self.clock = FakeBackground(), FakeClock()
        self.previews, self.finals = [], []
        self.decoder = Decoder(self.background, self.clock, lambda: results)
        self.decoder.previewed.connect(lambda answers: self.previews.append(answers[0][1]))
        self.decoder.decoded.connect(lambda answers: self.finals.append(answers[0][1]))

    def move(self, foreground):
        self.decoder.set_thresholds(thresholds(foreground))


@pytest.fixture
def small():
    return Bench(result(40))


@pytest.fixture
def large():
    assert LENGTH**2 >= LARGE
    return Bench(result(LENGTH, VIEW))


def test_movements_in_quick_succession_are_one(small):
    for foreground in (0.6, 0.7, 0.8):
        small.move(foreground)
    assert small.decoder.updating
    small.clock.advance(0.05)
    small.background.finish()
    assert [each.parameters.foreground for each in small.finals] == [0.8]
    assert not small.decoder.updating
    assert not small.decoder.slow


def test_a_movement_during_decoding_is_decoded_afterwards(small):
    small.move(0.6)
    small.clock.advance(0.05)
    small.move(0.9)
    small.clock.advance(0.05)
    small.background.finish()
    assert [each.parameters.foreground for each in small.finals] == [0.6, 0.9]
    assert not small.decoder.updating


def test_of_a_large_result_the_part_in_view_comes_first_and_it_says_that_it_is_updating(large):
    large.move(0.9)
    assert large.decoder.slow
    large.clock.advance(0.05)
    large.background.finish("preview")
    (preview,) = large.previews
    mask = preview.arrays[MASK][0, 0]
    assert not mask[200:500, 600:1000].any()  # below 0.9 there
    assert mask[:200, LENGTH // 2 + 10 :].all()  # elsewhere as before
    assert large.decoder.slow
    assert not large.finals
    large.clock.advance(0.5)
    large.background.finish()
    assert [each.parameters.foreground for each in large.finals] == [0.9]
    assert not large.decoder.updating


def test_a_preview_never_waits_for_the_whole_and_an_outdated_whole_is_not_shown(large):
    large.move(0.9)
    large.clock.advance(0.05)
    large.background.finish("preview")
    large.clock.advance(0.5)
    assert "decode" in large.background.waiting
    large.move(0.2)
    large.clock.advance(0.05)
    large.background.finish("preview")
    assert [each.parameters.foreground for each in large.previews] == [0.9, 0.2]
    large.background.finish("decode")
    assert large.finals == []
    assert large.decoder.updating
    large.clock.advance(0.5)
    large.background.finish()
    assert [each.parameters.foreground for each in large.finals] == [0.2]
    assert not large.decoder.updating


def test_the_whole_is_not_decoded_while_thresholds_still_move(large):
    for foreground in (0.6, 0.7, 0.8):
        large.move(foreground)
        large.clock.advance(0.1)
        large.background.finish()
    assert len(large.previews) == 3
    assert large.finals == []
    large.clock.advance(0.5)
    large.background.finish()
    assert [each.parameters.foreground for each in large.finals] == [0.8]


def test_without_a_view_the_whole_is_decoded_at_once():
    bench = Bench(result(LENGTH, None))
    bench.move(0.9)
    bench.clock.advance(0.05)
    bench.background.finish()
    assert bench.previews == []
    assert len(bench.finals) == 1


def test_a_preview_leaves_the_result_itself_alone_and_is_limited_in_size():
    everything = (slice(0, 1), slice(0, 1), slice(-5, 10**6), slice(None))
    whole = result(LENGTH, everything)
    before = whole.shown.arrays[MASK].copy()
    preview = decode_preview(whole.shown, whole.kept.target, thresholds(1.0), everything, Context())
    changed = preview.arrays[MASK] != before
    assert np.array_equal(whole.shown.arrays[MASK], before)
    rows = np.flatnonzero(changed.any(axis=(0, 1, 3)))
    assert len(rows) == MAX_LENGTH
    assert preview.arrays[PROBABILITY] is whole.shown.arrays[PROBABILITY]


def test_a_preview_equals_the_whole_where_it_was_decoded():
    whole = result(LENGTH, VIEW)
    newer = thresholds(0.6)
    final = whole.kept.decode(newer, Context()).arrays[MASK]
    preview = decode_preview(whole.shown, whole.kept.target, newer, VIEW, Context())
    assert np.array_equal(preview.arrays[MASK][VIEW], final[VIEW])


def test_a_preview_decodes_the_outputs_of_any_target():
    class EdgeTarget(type(make_target("semantic"))):
        outputs = (Output("edges"), PROBABILITY)

        def decode(self, maps, parameters=None):
            return Decoded(edges=super().decode(maps, parameters).mask)

    whole = result(LENGTH, VIEW)
    target = EdgeTarget("edges", make_target("semantic").options)
    shown = Shown(
        {Output("edges"): whole.shown.arrays[MASK], PROBABILITY: whole.shown.arrays[PROBABILITY]},
        whole.shown.maps,
        thresholds(),
        "",
    )
    preview = decode_preview(shown, target, thresholds(1.0), VIEW, Context())
    assert shown.arrays[Output("edges")][VIEW].any()
    assert not preview.arrays[Output("edges")][VIEW].any()
