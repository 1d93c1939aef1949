import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segloop.inference.tiles import halved, plan_tiles, round_up


@given(st.integers(1, 70), st.integers(1, 40), st.integers(0, 3), st.sampled_from([1, 2, 4, 8]))
def test_tiles_cover_every_pixel_once_and_keep_their_halo(
    size: int, tile: int, halos: int, stride: int
) -> None:
    halo = halos * stride
    covered = np.zeros(size, int)
    for part in plan_tiles([size], [tile], [halo], [stride]):
        (read,), (pad,), (crop,), (write,) = part.read, part.pad, part.crop, part.write
        covered[write] += 1
        assert read.start % stride == 0
        assert part.block_shape[0] % stride == 0
        assert read.start == max(0, write.start - halo)
        assert read.stop + pad >= min(round_up(size, stride), write.stop + halo)
        assert 0 <= read.start < read.stop <= size
        # What is cropped from the block is what is written.
        assert (read.start + crop.start, read.start + crop.stop) == (write.start, write.stop)
        # Padding only where the image ends.
        assert pad == 0 or read.stop == size
    assert (covered == 1).all()


@given(st.integers(1, 200), st.integers(1, 64))
def test_no_tile_is_larger_than_asked_for(size: int, tile: int) -> None:
    for part in plan_tiles([size], [tile], [8], [8]):
        assert part.write[0].stop - part.write[0].start <= round_up(tile, 8)


@given(st.integers(1, 90), st.integers(9, 40), st.integers(1, 12), st.integers(0, 3))
def test_a_part_of_a_plan_is_cut_with_the_halo_it_has_in_the_whole(
    size: int, tile: int, smaller: int, halos: int
) -> None:
    covered = np.zeros(size, int)
    for part in plan_tiles([size], [tile], [8], [4]):
        for piece in plan_tiles([size], [smaller], [4 * halos], [4], part.write):
            (read,), (pad,), (crop,), (write,) = piece.read, piece.pad, piece.crop, piece.write
            covered[write] += 1
            assert write.stop - write.start <= round_up(smaller, 4)
            assert read.start == max(0, write.start - 4 * halos)
            assert read.stop + pad >= min(round_up(size, 4), write.stop + 4 * halos)
            assert (read.start + crop.start, read.start + crop.stop) == (write.start, write.stop)
            assert pad == 0 or read.stop == size
    assert (covered == 1).all()


def test_the_side_that_is_longest_for_its_halo_is_halved_down_to_the_stride() -> None:
    sizes = [(1, 40, 24)]
    while (smaller := halved(sizes[-1], [0, 16, 8], [1, 8, 8])) is not None:
        sizes.append(smaller)
    assert sizes[1:] == [(1, 40, 16), (1, 24, 16), (1, 24, 8), (1, 16, 8), (1, 8, 8)]


def test_tiles_of_several_axes_are_in_c_order() -> None:
    tiles = plan_tiles([1, 20, 30], [1, 16, 16], [0, 8, 8], [1, 8, 8])
    starts = [tuple(part.start for part in tile.write) for tile in tiles]
    assert starts == sorted(starts)
    assert sum(tile.size for tile in tiles) == 600
    assert all(math.prod(tile.block_shape) > 0 for tile in tiles)


def test_a_halo_off_the_stride_is_an_error() -> None:
    with pytest.raises(ValueError, match="not a multiple"):
        plan_tiles([20], [8], [3], [2])
