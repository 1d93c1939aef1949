from collections.abc import Callable

import pytest
from torch import nn

from segloop.inference.memory import automatic_tile, available_memory, bytes_per_pixel


def test_an_image_that_fits_is_one_tile() -> None:
    choice = automatic_tile((300, 500), (48, 48), (8, 8), 1000.0, free_memory=8e9)
    assert choice.size == (304, 504)
    assert "the whole image" in choice.reason


@pytest.mark.parametrize("free", [2e7, 1e8, 1e9])
@pytest.mark.parametrize(
    ("shape", "halo", "stride"),
    [((5000, 7000), (48, 48), (8, 8)), ((300, 2000, 900), (8, 16, 16), (2, 8, 8))],
    ids=["plane", "volume"],
)
def test_a_block_fits_into_the_free_memory(
    shape: tuple[int, ...], halo: tuple[int, ...], stride: tuple[int, ...], free: float
) -> None:
    choice = automatic_tile(shape, halo, stride, 400.0, free_memory=free)
    block = 1
    for tile, reach in zip(choice.size, halo, strict=True):
        block *= tile + 2 * reach
    assert block * 400.0 < free
    assert all(tile % step == 0 for tile, step in zip(choice.size, stride, strict=True))


def test_less_memory_gives_smaller_tiles_and_says_so() -> None:
    sizes = []
    for free in (1e8, 1e9):
        choice = automatic_tile((5000, 5000), (48, 48), (8, 8), 1000.0, free_memory=free)
        assert f"{free / 1e9:.1f} GB" in choice.reason
        sizes.append(choice.size[0])
    assert sizes[0] < sizes[1]


def test_without_enough_memory_the_smallest_tile_is_tried() -> None:
    assert automatic_tile((100, 100), (48, 48), (8, 8), 1e6, free_memory=1.0).size == (8, 8)


def test_wider_networks_need_more_memory(make_network: Callable[..., nn.Module]) -> None:
    small, medium = (
        bytes_per_pixel(make_network(size=size), 1, stride)
        for size, stride in (("small", (8, 8)), ("medium", (16, 16)))
    )
    assert 200 < small < medium < 10_000


def test_this_machine_has_memory() -> None:
    assert available_memory("cpu") > 1e6
