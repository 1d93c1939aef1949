"""A network over an image of any size: exact tiling, lazy reading, bounded memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from segloop.core.context import Context
from segloop.core.errors import ModelError
from segloop.inference.blending import ramp
from segloop.inference.memory import (
    BlockTooLargeError,
    TileChoice,
    automatic_tile,
    bytes_per_pixel,
    is_out_of_memory,
    release_memory,
)
from segloop.inference.tiles import Slices, Tile, halved, plan_tiles, round_up
from segloop.inference.watching import watched
from segloop.networks.activation import activate
from segloop.networks.folding import fold_batch_norm
from segloop.targets import Target, quantise

Read = Callable[[Slices], NDArray[np.float32]]
Piece = tuple[Slices, NDArray[np.float32]]


class Engine:
    """Applies one network; keep it for many images.

    Parameters
    ----------
    network : torch.nn.Module
        As `segloop.networks.build_network` gives it. It is copied, with batch norm folded; make a new engine
        when its weights have changed.
    target : Target
        Says what turns its outputs into maps, and whether it works on planes or volumes.
    device : {"cpu", "cuda", "mps"}
        Where to compute.
    mixed : bool
        Whether to compute in 16 bit where it is safe (CUDA only). Results of one precision are compared only
        with each other.

    Notes
    -----
    Translation-equivariant networks give the same maps for every tile size, equal to `run_whole` up to the
    rounding of 32-bit floats. Others are blended over overlapping tiles; that holds the maps of the whole
    image in memory.
    """

    def __init__(self, network: nn.Module, target: Target, device: str = "cpu", mixed: bool = False) -> None:
        self.target = target
        self.device = torch.device(device)
        self.mixed = mixed and self.device.type == "cuda"
        dims = target.dims
        stride: Any = network.stride
        halo: Any = network.halo
        in_channels: Any = network.in_channels
        self.in_channels: int = in_channels
        self.stride: tuple[int, ...] = (1,) * (3 - dims) + tuple(stride)
        self.halo: tuple[int, ...] | None = None if halo is None else (0,) * (3 - dims) + tuple(halo)
        # Convolutions in planes are faster on channels-last memory; in volumes it makes no difference.
        self._format = torch.channels_last if dims == 2 else torch.contiguous_format
        folded = fold_batch_norm(network)
        self._network: nn.Module = folded.to(self.device)
        self._network.to(memory_format=self._format)  # type: ignore[call-overload]
        # The block itself, before and after padding and on its way to the device, comes on top.
        self._bytes_per_pixel = bytes_per_pixel(folded, self.in_channels, stride) + 16 * self.in_channels
        # Pixels; lowered by each lack of memory, so that the next image does not run into the same one.
        self._fitting = math.inf

    def run(
        self,
        read: Read,
        shape: Sequence[int],
        *,
        tile_size: Sequence[int] | None = None,
        context: Context | None = None,
    ) -> Iterator[Piece]:
        """Yield the maps of an image piece by piece; the next block is read while one is computed.

        Parameters
        ----------
        read : callable
            Given slices (z, y, x) inside the image, returns that block (C, z, y, x) float32, normalised.
            Called in a thread of its own.
        shape : sequence of int
            Z, Y, X of the image. A network for planes takes each slice on its own.
        tile_size : sequence of int, optional
            [Z,] Y, X in pixels of the part computed at once, without halo; rounded up to the stride. Chosen
            by free memory if not given, and halved if it does not fit after all. It does not change the
            result.
        context : Context, optional
            Receives progress in pixels; Cancel takes effect before each layer of the network.

        Yields
        ------
        slices : tuple of slice
            Where (z, y, x) the piece lies; pieces cover the image once.
        maps : (K, z, y, x) float32
            Between 0 and 1.

        Raises
        ------
        ModelError
            If the image has other channels than the network, a tile does not fit into memory, or the network
            returns values that are not finite.
        Cancelled
            If the user has asked to stop.
        """
        context = context or Context()
        if min(shape) == 0:
            return
        size = self._tile(shape, tile_size)
        tiles = self._plan(shape, size)
        while (
            not tile_size
            and _largest_block(tiles) > self._fitting
            and (smaller := halved(size, self._overlap(size), self.stride))
        ):
            size, tiles = smaller, self._plan(shape, smaller)
        while tiles:
            done = 0
            try:
                for piece in self._pieces(read, shape, tiles, context):
                    yield piece
                    done += 1
                return
            except BlockTooLargeError as error:
                if tile_size:
                    raise
                size = self._smaller(size, tiles[done], error)
            # Only now, after the handler, is the memory of the failed pass free.
            release_memory(self.device.type)
            tiles = [part for tile in tiles[done:] for part in self._plan(shape, size, tile.write)]
            self._fitting = _largest_block(tiles)

    def forget_limits(self) -> None:
        """Try blocks again that did not fit into memory: other programs may have given theirs back."""
        self._fitting = math.inf

    def maps(
        self,
        read: Read,
        shape: Sequence[int],
        *,
        tile_size: Sequence[int] | None = None,
        context: Context | None = None,
    ) -> NDArray[np.uint8]:
        """Return the quantised maps (K, Z, Y, X) uint8 of a whole image; parameters as in `run`."""
        whole = np.zeros((len(self.target.maps), *shape), np.uint8)
        for where, piece in self.run(read, shape, tile_size=tile_size, context=context):
            whole[(slice(None), *where)] = quantise(piece)
        return whole

    def run_whole(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the reference: one forward pass over the image, padded at its far ends to the stride.

        Parameters
        ----------
        image : (C, Z, Y, X) float32
            Normalised.

        Returns
        -------
        (K, Z, Y, X) float32
        """
        shape = image.shape[1:]
        far = [round_up(size, step) - size for size, step in zip(shape, self.stride, strict=True)]
        maps = self._forward(_pad(image, far), lambda _: None)
        return maps[(slice(None), *(slice(size) for size in shape))]

    def choose_tile(self, shape: Sequence[int]) -> TileChoice:
        """Return the tile size for an image of shape (Z, Y, X), and why, by the memory that is free now."""
        first = 3 - self.target.dims
        halo = self.halo or tuple(4 * step for step in self.stride)
        return automatic_tile(
            shape[first:], halo[first:], self.stride[first:], self._bytes_per_pixel, self.device.type
        )

    def _tile(self, shape: Sequence[int], tile_size: Sequence[int] | None) -> tuple[int, ...]:
        dims = self.target.dims
        if not tile_size:
            tile_size = self.choose_tile(shape).size
        if len(tile_size) < dims or min(tile_size) < 1:
            axes = "Y and X" if dims == 2 else "Z, Y and X"
            raise ModelError(
                f"The tile size {list(tile_size)} does not fit the model: give {axes} in pixels."
            )
        return (1,) * (3 - dims) + tuple(tile_size)[-dims:]

    def _plan(self, shape: Sequence[int], size: tuple[int, ...], within: Slices | None = None) -> list[Tile]:
        return plan_tiles(shape, size, self._overlap(size), self.stride, within)

    def _smaller(self, size: tuple[int, ...], tile: Tile, error: BlockTooLargeError) -> tuple[int, ...]:
        """Return the tile size to try when a tile of this size did not fit."""
        smaller = halved(size, self._overlap(size), self.stride)
        if smaller is None:
            remedy = "" if self.device.type == "cpu" else " that use it, or compute on the CPU"
            sentence = self._does_not_fit(tile.block_shape)
            raise ModelError(f"Even {sentence}: close other programs{remedy}.") from error
        return smaller

    def _does_not_fit(self, shape: Sequence[int]) -> str:
        span = " x ".join(str(size) for size in shape[-self.target.dims :])
        place = "memory" if self.device.type == "cpu" else "the memory of the GPU"
        return f"a block of {span} pixels does not fit into {place}"

    def _overlap(self, tile: Sequence[int]) -> tuple[int, ...]:
        if self.halo is not None:
            return self.halo
        quarter = [0 if size == 1 else -(-size // 4) for size in tile]
        return tuple(round_up(size, step) for size, step in zip(quarter, self.stride, strict=True))

    def _pieces(
        self, read: Read, shape: Sequence[int], tiles: list[Tile], context: Context
    ) -> Iterator[Piece]:
        """Yield what each tile writes, in their order."""
        if self.halo is None and any(_is_cut(tile, shape, self.target.dims) for tile in tiles):
            yield from self._run_blended(read, shape, tiles, context)
            return
        for tile, maps in self._computed(read, shape, tiles, context):
            yield tile.write, maps[(slice(None), *tile.crop)]

    def _computed(
        self, read: Read, shape: Sequence[int], tiles: list[Tile], context: Context
    ) -> Iterator[tuple[Tile, NDArray[np.float32]]]:
        """Yield each tile with the maps (K, z, y, x) of its padded block."""

        def block(tile: Tile) -> NDArray[np.float32]:
            return _pad(np.asarray(read(tile.read), np.float32), tile.pad)

        total = math.prod(shape)
        done = total - sum(tile.size for tile in tiles)
        with ThreadPoolExecutor(1, "segloop-read") as reader:
            following: Future[NDArray[np.float32]] | None = reader.submit(block, tiles[0]) if tiles else None
            for number, tile in enumerate(tiles):
                assert following is not None
                now = following.result()
                following = reader.submit(block, tiles[number + 1]) if number + 1 < len(tiles) else None

                def advance(share: float, done: int = done, size: int = tile.size) -> None:
                    context.progress(done + share * size, total, "Predicting")

                yield tile, self._forward(now, advance)
                done += tile.size
        context.progress(total, total, "Predicting")

    def _run_blended(
        self, read: Read, shape: Sequence[int], tiles: list[Tile], context: Context
    ) -> Iterator[Piece]:
        """Average overlapping tiles, each weighing less towards its edges inside the image."""
        added = np.zeros((len(self.target.maps), *shape), np.float32)
        weights = np.zeros(tuple(shape), np.float32)
        for tile, maps in self._computed(read, shape, tiles, context):
            inside = tuple(slice(0, part.stop - part.start) for part in tile.read)
            weight = ramp(tile)
            added[(slice(None), *tile.read)] += maps[(slice(None), *inside)] * weight
            weights[tile.read] += weight
        for tile in tiles:
            yield tile.write, added[(slice(None), *tile.write)] / weights[tile.write]

    def _forward(self, block: NDArray[np.float32], advance: Callable[[float], None]) -> NDArray[np.float32]:
        """Return the maps (K, z, y, x) of a block (C, z, y, x) whose sizes are multiples of the stride.

        ``advance`` is called before each layer with the fraction done (0 to 1); raising ends the pass.
        """
        if len(block) != self.in_channels:
            raise ModelError(
                f"The image has {len(block)} channels, but the model expects {self.in_channels}: "
                "choose them under Channels."
            )
        try:
            maps = self._on_device(block, advance, self.mixed)
            if self.mixed and not np.isfinite(maps).all():  # beyond the range of 16 bit
                maps = self._on_device(block, advance, mixed=False)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            sentence = self._does_not_fit(block.shape).capitalize()
            raise BlockTooLargeError(f"{sentence}: choose a smaller tile size.") from error
        if not np.isfinite(maps).all():
            raise ModelError(
                "The model returns values that are not finite: its weights are damaged, or its training "
                "failed. Get a new copy of it, or train it again."
            )
        return maps

    def _on_device(
        self, block: NDArray[np.float32], advance: Callable[[float], None], mixed: bool
    ) -> NDArray[np.float32]:
        inputs = torch.from_numpy(np.ascontiguousarray(block))
        # In planes, (C, z, y, x) to (z, C, y, x): slices are a batch.
        inputs = inputs.transpose(0, 1) if self.target.dims == 2 else inputs[None]
        inputs = inputs.to(device=self.device).contiguous(memory_format=self._format)
        autocast = torch.autocast("cuda", torch.float16) if mixed else nullcontext()
        with torch.inference_mode(), autocast, watched(self._network, advance):
            maps = activate(self._network(inputs), self.target.activation)
        maps = maps.transpose(0, 1) if self.target.dims == 2 else maps[0]
        return np.ascontiguousarray(maps.cpu().numpy())


def _pad(block: NDArray[np.float32], far: Sequence[int]) -> NDArray[np.float32]:
    """Mirror a block (C, z, y, x) beyond the far end of each axis."""
    if not any(far):
        return block
    return np.pad(block, [(0, 0), *((0, size) for size in far)], mode="reflect")


def _largest_block(tiles: Sequence[Tile]) -> int:
    """Return the number of pixels in the largest block that these tiles read."""
    return max(math.prod(tile.block_shape) for tile in tiles)


def _is_cut(tile: Tile, shape: Sequence[int], dims: int) -> bool:
    """Return whether a tile is less than the whole image (or plane)."""
    first = 3 - dims
    parts = zip(tile.write[first:], shape[first:], strict=True)
    return any(part.stop - part.start < size for part, size in parts)
