"""Size and number of the patches that a training draws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from segloop.artifacts.run.plan import Choice
from segloop.config.train import NetworkSize, PatchConfig
from segloop.core.wording import counted

WORK = {NetworkSize.small: 1, NetworkSize.medium: 4, NetworkSize.large: 9}
"""Work per voxel relative to that of the small network."""

_PATCH_2D = {"cpu": 128, "mps": 256, "cuda": 256}
_PATCH_3D = {"cpu": 48, "mps": 64, "cuda": 96}  # edge of a cube with as many voxels
_VOXELS_A_BATCH = {"cpu": 8 * 128**2, "mps": 8 * 256**2, "cuda": 16 * 256**2}  # of a small network
_FEWEST_BATCHES = {"cpu": 20, "mps": 25, "cuda": 40}
_MOST_BATCHES = 250


@dataclass(frozen=True)
class PatchPlan:
    """The patches that training draws.

    Attributes
    ----------
    size : (Y, X) or (Z, Y, X)
        In pixels, multiples of the network's stride.
    batch_size : int
        Patches a step.
    batches : int
        Steps an epoch.
    choices : tuple of Choice
        The same for people, with reasons.
    warnings : tuple of str
        What the user should know.
    """

    size: tuple[int, ...]
    batch_size: int
    batches: int
    choices: tuple[Choice, ...]
    warnings: tuple[str, ...] = ()


def plan_patches(
    config: PatchConfig,
    shapes: Sequence[tuple[int, int, int]],
    *,
    stride: Sequence[int],
    device: str,
    network: NetworkSize = NetworkSize.small,
    voxel_size_um: Sequence[float | None] = (None, None, None),
) -> PatchPlan:
    """Choose patch size, batch size and length of an epoch where the config leaves them open.

    Parameters
    ----------
    config : PatchConfig
        What the user chose.
    shapes : sequence of (Z, Y, X)
        Of the training images.
    stride : sequence of int
        Of the network, per spatial axis; its length gives the dimensions.
    device : {"cpu", "cuda", "mps"}
        Larger patches and batches go where there is more power.
    network : NetworkSize
        Larger networks get smaller batches.
    voxel_size_um : (z, y, x)
        Volumes with thick slices get flatter patches.
    """
    dims = len(stride)
    largest = np.max(np.array(shapes)[:, 3 - dims :], axis=0)
    warnings = []
    if config.size:
        wanted = _as_dims(config.size, dims)
        size = tuple(_round_up(side, step) for side, step in zip(wanted, stride, strict=True))
        size_reason = f"Patch size {_text(size)} as set by patch.size."
        if size != wanted:
            size_reason = (
                f"Patch size {_text(size)} instead of {_text(wanted)} because sides must be multiples of the "
                f"network's stride {_text(stride)}."
            )
    else:
        size = _patch_size(largest, stride, device, voxel_size_um)
        size_reason = f"Patch size {_text(size)} for images of up to {_text(largest)} pixels on {device}."
    if any(side > full for side, full in zip(size, largest, strict=True)):
        warnings.append(
            f"Patches of {_text(size)} are larger than the images ({_text(largest)} at most): "
            "the rest is filled by reflection and ignored."
        )
    voxels = math.prod(size)
    batch_size = config.batch_size
    batch_reason = f"{batch_size} patches per step as set by patch.batch_size."
    if not batch_size:
        batch_size = int(np.clip(_VOXELS_A_BATCH[device] / voxels / math.sqrt(WORK[network]), 2, 64))
        batch_reason = f"{batch_size} patches per step, each of {voxels} pixels."
    if config.per_epoch:
        batches = max(1, round(config.per_epoch / batch_size))
        epoch_reason = f"{batches * batch_size} patches per epoch as set by patch.per_epoch."
    else:
        covering = sum(math.prod(shape) for shape in shapes) / (voxels * batch_size)
        batches = int(np.clip(covering, _FEWEST_BATCHES[device], _MOST_BATCHES))
        images = counted(len(shapes), "training image")
        epoch_reason = f"{batches * batch_size} patches per epoch for {images}."
    choices = (
        Choice(name="Patch size", value=f"{_text(size)} px", reason=size_reason),
        Choice(name="Batch size", value=str(batch_size), reason=batch_reason),
        Choice(name="Epoch", value=f"{batches} steps", reason=epoch_reason),
    )
    return PatchPlan(size, batch_size, batches, choices, tuple(warnings))


def _patch_size(
    largest: Sequence[int], stride: Sequence[int], device: str, voxel_size_um: Sequence[float | None]
) -> tuple[int, ...]:
    if len(stride) == 2:
        wanted = [float(_PATCH_2D[device])] * 2
    else:
        edge = _PATCH_3D[device]
        z, y, x = voxel_size_um
        flatness = max(1.0, z / math.sqrt(y * x)) if z and y and x else 1.0
        # The same number of voxels, spread so that the patch is as long in micrometres along each axis.
        wanted = [edge / flatness ** (2 / 3), edge * flatness ** (1 / 3), edge * flatness ** (1 / 3)]
    capped = [min(side, float(full)) for side, full in zip(wanted, largest, strict=True)]
    if len(stride) == 3:
        # What a thin volume leaves unused along Z goes to Y and X.
        spare = math.sqrt(max(1.0, math.prod(wanted) / (capped[0] * wanted[1] * wanted[2])))
        capped = [capped[0], *(min(wanted[i] * spare, float(largest[i])) for i in (1, 2))]
    return tuple(_round_up(round(side), step) for side, step in zip(capped, stride, strict=True))


def _as_dims(size: Sequence[int], dims: int) -> tuple[int, ...]:
    """Drop a leading Z for a 2D network; a lacking Z is taken as Y."""
    if len(size) >= dims:
        return tuple(size[-dims:])
    return (size[0],) * (dims - len(size)) + tuple(size)


def _round_up(value: int, step: int) -> int:
    return max(step, -(-value // step) * step)


def _text(size: Sequence[int]) -> str:
    return " × ".join(str(int(side)) for side in size)
