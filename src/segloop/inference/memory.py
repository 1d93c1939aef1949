"""How large a tile may be, from the memory that is free and what the network needs."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from segloop.core.errors import ModelError
from segloop.core.memory import free_memory
from segloop.inference.tiles import round_up

# Pixels in a block with its halo. Larger ones are hardly faster in planes, and progress would come in jumps;
# in volumes the halo is a large part of any block.
_LARGEST_BLOCK = {("cpu", 2): 2**20, ("mps", 2): 2**22, ("cuda", 2): 2**24}
_LARGEST_VOLUME = 2**24
# What a network needs is counted as if it freed nothing; in truth it needs about half of that.
_SHARE_OF_FREE_MEMORY = 0.8
# Only CUDA has an error class for it; Apple's GPU, the CPU and NVIDIA's libraries say it in words.
_OUT_OF_MEMORY = ("out of memory", "allocate memory", "not enough memory", "ALLOC_FAILED")


class BlockTooLargeError(ModelError):
    """A block does not fit into the memory of the device."""


@dataclass(frozen=True)
class TileChoice:
    """A tile size and why.

    Attributes
    ----------
    size : tuple of int
        Per spatial axis of the network, in pixels, without halo.
    reason : str
        One sentence with the numbers it rests on.
    """

    size: tuple[int, ...]
    reason: str


def automatic_tile(
    shape: Sequence[int],
    halo: Sequence[int],
    stride: Sequence[int],
    bytes_per_pixel: float,
    device: str = "cpu",
    free_memory: float | None = None,
) -> TileChoice:
    """Choose the largest tile that fits into most of the free memory; the whole image if it fits.

    Parameters
    ----------
    shape, halo, stride : sequence of int
        Of the image and the network, per spatial axis of the network, in pixels.
    bytes_per_pixel : float
        What the network needs per input pixel (see `bytes_per_pixel`).
    device : {"cpu", "cuda", "mps"}
        Whose memory counts.
    free_memory : float, optional
        In bytes; asked from the device if not given.
    """
    free = available_memory(device) if free_memory is None else free_memory
    largest = _LARGEST_BLOCK.get((device, len(shape)), _LARGEST_VOLUME)
    most = min(largest, _SHARE_OF_FREE_MEMORY * free / bytes_per_pixel)
    parts = [1] * len(shape)

    def tile(axis: int) -> int:
        return round_up(-(-max(1, shape[axis]) // parts[axis]), stride[axis])

    def block() -> int:
        padded = [round_up(size, step) for size, step in zip(shape, stride, strict=True)]
        return math.prod(min(tile(axis) + 2 * halo[axis], padded[axis]) for axis in range(len(shape)))

    while block() > most:
        divisible = [axis for axis in range(len(shape)) if tile(axis) > stride[axis]]
        if not divisible:
            break
        # In units of the halo, so that the share of pixels computed twice stays small.
        longest = max(divisible, key=lambda axis: tile(axis) / max(1, halo[axis]))
        parts[longest] += 1
    size = tuple(tile(axis) for axis in range(len(shape)))
    span = " x ".join(str(value) for value in size)
    whole = "the whole image" if math.prod(parts) == 1 else f"{span} px"
    return TileChoice(
        size,
        f"Tile size {whole}: {free / 1e9:.1f} GB of memory are free, "
        f"the network needs {bytes_per_pixel / 1e3:.1f} kB per pixel.",
    )


def available_memory(device: str) -> float:
    """Return the bytes that a device can still give."""
    if device == "cuda":
        free, _ = torch.cuda.mem_get_info()
        # Memory that torch holds but does not use counts as free.
        return float(free + torch.cuda.memory_reserved() - torch.cuda.memory_allocated())
    return float(free_memory())


def is_out_of_memory(error: Exception) -> bool:
    """Return whether an error of torch says that the memory of a device does not suffice."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _OUT_OF_MEMORY)


def release_memory(device: str) -> None:
    """Give back to the device what torch holds of its memory but does not use."""
    if device == "cuda":
        torch.cuda.empty_cache()
    elif device == "mps":
        torch.mps.empty_cache()


def bytes_per_pixel(network: nn.Module, in_channels: int, stride: Sequence[int]) -> float:
    """Return the bytes that a forward pass needs for each input pixel, as if it freed nothing.

    Counts the outputs of all layers on torch's "meta" device, where tensors have a shape but no data.

    Parameters
    ----------
    network : torch.nn.Module
        In evaluation mode.
    in_channels : int
        Channels of its input.
    stride : sequence of int
        Of the network, per spatial axis.

    Notes
    -----
    A network whose layers torch does not know says it itself, by an attribute ``bytes_per_pixel``.
    """
    stated: Any = getattr(network, "bytes_per_pixel", None)
    if stated is not None:
        return float(stated)
    size = [4 * step for step in stride]
    total = 0

    def count(_: nn.Module, __: object, output: object) -> None:
        nonlocal total
        if isinstance(output, Tensor):
            total += output.numel() * 4

    shapes = copy.deepcopy(network).to("meta")
    for module in shapes.modules():
        if not any(True for _ in module.children()) and not isinstance(module, nn.Identity):
            module.register_forward_hook(count)
    with torch.inference_mode():
        shapes(torch.empty((1, in_channels, *size), device="meta"))
    return total / math.prod(size)
