"""How an image is cut into tiles so that the tiled result equals the one of the whole image."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

Slices = tuple[slice, ...]


@dataclass(frozen=True)
class Tile:
    """One forward pass.

    Attributes
    ----------
    read : tuple of slice
        Part of the image to read, per axis.
    pad : tuple of int
        Pixels to add beyond the far end of each axis, only where the tile reaches the image's end.
    crop : tuple of slice
        Part of the padded block's output to keep.
    write : tuple of slice
        Where in the image that part lies.
    """

    read: Slices
    pad: tuple[int, ...]
    crop: Slices
    write: Slices

    @property
    def block_shape(self) -> tuple[int, ...]:
        """Shape of the block after padding."""
        return tuple(r.stop - r.start + p for r, p in zip(self.read, self.pad, strict=True))

    @property
    def size(self) -> int:
        """Number of pixels that the tile contributes."""
        pixels = 1
        for part in self.write:
            pixels *= part.stop - part.start
        return pixels


def plan_tiles(
    shape: Sequence[int],
    tile: Sequence[int],
    halo: Sequence[int],
    stride: Sequence[int],
    within: Slices | None = None,
) -> list[Tile]:
    """Cut an image into tiles whose inner parts cover it once.

    The reference is one forward pass over the whole image, padded at its far ends to a multiple of the
    stride. Tiles start at multiples of the stride and read ``halo`` further pixels, but only where the image
    (as padded) continues, so that every output pixel sees exactly what it sees in the reference.

    Parameters
    ----------
    shape, tile, halo, stride : sequence of int
        Per axis, in pixels. Tile sizes are rounded up to the stride and made about equal; ``halo`` must be a
        multiple of ``stride``.
    within : tuple of slice, optional
        The part of the image to cover, what a tile of another plan writes; all of it if not given.

    Returns
    -------
    list of Tile
        In C order; empty if the image is.
    """
    within = within or tuple(slice(0, size) for size in shape)
    axes = [_plan_axis(*sizes) for sizes in zip(shape, tile, halo, stride, within, strict=True)]
    return [
        Tile(
            read=tuple(part[0] for part in parts),
            pad=tuple(part[1] for part in parts),
            crop=tuple(part[2] for part in parts),
            write=tuple(part[3] for part in parts),
        )
        for parts in itertools.product(*axes)
    ]


def halved(tile: Sequence[int], halo: Sequence[int], stride: Sequence[int]) -> tuple[int, ...] | None:
    """Return a tile size halved on the axis where it is longest for its halo; None if it is the smallest."""
    divisible = [axis for axis in range(len(tile)) if tile[axis] > stride[axis]]
    if not divisible:
        return None
    longest = max(divisible, key=lambda axis: tile[axis] / max(1, halo[axis]))
    half = round_up(-(-tile[longest] // 2), stride[longest])
    return tuple(half if axis == longest else size for axis, size in enumerate(tile))


def _plan_axis(
    size: int, tile: int, halo: int, stride: int, within: slice
) -> list[tuple[slice, int, slice, slice]]:
    if halo % stride:
        raise ValueError(f"the halo {halo} is not a multiple of the stride {stride}")
    padded = round_up(size, stride)
    end = round_up(within.stop, stride)
    span = end - within.start
    step = round_up(min(tile, span), stride) if span else stride
    count = -(-span // step) if span else 0
    step = round_up(-(-span // count), stride) if count else step
    plan = []
    for start in range(within.start, end, step):
        stop = min(start + step, end)
        first, last = max(0, start - halo), min(padded, stop + halo)
        read = slice(first, min(last, size))
        write = slice(start, min(stop, size))
        crop = slice(start - first, write.stop - first)
        plan.append((read, last - read.stop, crop, write))
    return plan


def round_up(value: int, step: int) -> int:
    """Return the smallest multiple of ``step`` that is at least ``value``."""
    return -(-value // step) * step
