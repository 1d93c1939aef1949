"""A block decoded with its surroundings equals that part of the whole image."""

from __future__ import annotations

import numpy as np
import pytest

from segloop.targets import make_target
from segloop.targets.output import LABELS, MASK, PROBABILITY

CASES = [("instance", {}), ("semantic", {"classes": 2}), ("semantic", {"classes": 4})]


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("min_size", [0, 1, 9])
@pytest.mark.parametrize(("name", "options"), CASES)
def test_a_block_is_decoded_as_the_whole_is(
    name: str, options: dict[str, int], min_size: int, dims: int
) -> None:
    target = make_target(name, options, dims=dims)
    parameters = target.parameters.override({"foreground": 0.6, "min_size": min_size})
    rng = np.random.default_rng(min_size + dims)
    maps = rng.random((len(target.maps), 24, 40, 40)).astype(np.float32)
    if target.activation == "softmax":
        maps /= maps.sum(0)
    whole = target.decode(maps, parameters)
    outputs = [kind for kind in target.outputs if kind != PROBABILITY]
    contexts = {kind: target.context(kind, parameters) for kind in outputs}
    assert contexts.get(LABELS) is None
    assert min_size > 1 or contexts[MASK] == (0, 0, 0)

    for kind, context in contexts.items():
        if context is None:
            continue
        block = (slice(10, 15), slice(0, 13), slice(12, 30))
        around = tuple(
            slice(max(0, s.start - c), min(size, s.stop + c))
            for s, c, size in zip(block, context, maps.shape[1:], strict=True)
        )
        inside = tuple(slice(s.start - a.start, s.stop - a.start) for s, a in zip(block, around, strict=True))
        found = getattr(target.decode_block(maps[(slice(None), *around)], parameters, [kind]), kind.name)
        expected = getattr(whole, kind.name)[block]
        assert 0 < np.count_nonzero(expected) < expected.size
        np.testing.assert_array_equal(found[inside], expected)
