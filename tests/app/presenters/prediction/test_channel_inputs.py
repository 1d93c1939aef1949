"""Which channel feeds which input: names first, then order, then a question."""

from __future__ import annotations

import pytest

from segloop.app.presenters.prediction.channel_inputs import channel_inputs


@pytest.mark.parametrize(
    ("inputs", "channels", "wanted", "chosen"),
    [
        (["nuclei"], ["DAPI"], [], []),
        (["nuclei"], ["GFP", "nuclei"], [], [1]),
        (["nuclei"], ["GFP", "NUCLEI"], [], [1]),
        (["nuclei"], ["GFP", "DAPI"], [], [None]),
        (["nuclei"], ["GFP", "DAPI"], ["DAPI"], [1]),
        (["nuclei", "cells"], ["a", "b"], [], [0, 1]),
        (["nuclei", "cells"], ["cells", "nuclei"], [], [1, 0]),
        (["Channel 0"], ["Channel 0", "Channel 1"], [], [None]),
        (["nuclei"], ["nuclei", "nuclei"], [], [None]),
    ],
)
def test_a_guess_is_made_where_names_or_order_suggest_one(inputs, channels, wanted, chosen):
    assert [each.chosen for each in channel_inputs(inputs, channels, wanted)] == chosen


def test_channels_are_named_by_number_where_a_name_is_not_clear():
    (found,) = channel_inputs(["nuclei"], ["a", "a", "7", "b"])
    assert found.keys == (0, 1, 2, "b")
