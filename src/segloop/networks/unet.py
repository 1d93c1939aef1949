"""The U-Net: MONAI's DynUNet with batch norm, and exact knowledge of how far each output pixel sees."""

from __future__ import annotations

import math
from collections.abc import Sequence

from monai.networks.nets import DynUNet
from torch import Tensor

from segloop.core.errors import ModelError
from segloop.networks.spec import NetworkSpec

Axes = tuple[int, ...]


class UNet(DynUNet):
    """A U-Net that gives the same output wherever in the image a pixel lies.

    Batch norm (fixed statistics at inference) and transposed convolutions; no padding-dependent operations
    besides zero padding at the image's edges. Shifting the input by ``stride`` shifts the output.

    Parameters
    ----------
    spec : NetworkSpec
        With ``filters`` (one number a level), ``strides`` and ``kernels`` (one list a level, an entry per
        axis; the first level's strides are 1).

    Attributes
    ----------
    stride : tuple of int
        Input sizes must be multiples of it, per spatial axis.
    halo : tuple of int
        How far from an output pixel an input pixel may lie and still count, rounded up to the stride.
    translation_equivariant : bool
        True.
    """

    translation_equivariant = True

    def __init__(self, spec: NetworkSpec) -> None:
        filters, strides, kernels = _levels(spec)
        super().__init__(
            spatial_dims=spec.dims,
            in_channels=spec.in_channels,
            out_channels=spec.out_channels,
            kernel_size=kernels,
            strides=strides,
            upsample_kernel_size=strides[1:],
            filters=filters,
            norm_name=("batch", {}),
            act_name=("leakyrelu", {"inplace": True, "negative_slope": 0.01}),
        )
        # The same blocks under a second name; without it each weight is saved once.
        del self.skip_layers
        self.stride: Axes = tuple(math.prod(axis) for axis in zip(*strides, strict=True))
        reach = receptive_radius(strides, kernels)
        self.halo: Axes = tuple(-(-r // s) * s for r, s in zip(reach, self.stride, strict=True))

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (N, K, [Z,] Y, X) of (N, C, [Z,] Y, X), whose sizes are multiples of ``stride``."""
        skips = [self.input_block(x)]
        for block in self.downsamples:
            skips.append(block(skips[-1]))
        out = self.bottleneck(skips[-1])
        for block, skip in zip(self.upsamples, reversed(skips), strict=True):
            out = block(out, skip)
        return self.output_block(out)  # type: ignore[no-any-return]


def receptive_radius(strides: Sequence[Axes], kernels: Sequence[Axes]) -> Axes:
    """Return the largest distance, per axis, between an output pixel and an input pixel it depends on.

    Follows the interval of pixels that an output pixel depends on down through all levels, for each position
    relative to the stride (interval arithmetic; Araujo et al. 2019, "Computing receptive fields", sec. 3).
    """
    radii = []
    for axis in range(len(strides[0])):
        step = [level[axis] for level in strides]
        radius = [level[axis] // 2 for level in kernels]
        farthest = 0
        for position in range(math.prod(step)):
            low, high = _decoder_interval(position, position, 0, step, radius)
            farthest = max(farthest, position - low, high - position)
        radii.append(farthest)
    return tuple(radii)


def _decoder_interval(low: int, high: int, level: int, step: list[int], radius: list[int]) -> tuple[int, int]:
    """Return the input interval behind an interval of the decoder's output at a level."""
    if level == len(step) - 1:
        return _encoder_interval(low, high, level, step, radius)
    # The block that goes up to this level has the kernel of the level it comes from.
    low, high = low - 2 * radius[level + 1], high + 2 * radius[level + 1]
    skip = _encoder_interval(low, high, level, step, radius)
    up = step[level + 1]
    deep = _decoder_interval(low // up, high // up, level + 1, step, radius)
    return min(skip[0], deep[0]), max(skip[1], deep[1])


def _encoder_interval(low: int, high: int, level: int, step: list[int], radius: list[int]) -> tuple[int, int]:
    """Return the input interval behind an interval of the encoder's output at a level."""
    for depth in range(level, -1, -1):
        low, high = low - radius[depth], high + radius[depth]
        low, high = low * step[depth] - radius[depth], high * step[depth] + radius[depth]
    return low, high


def _levels(spec: NetworkSpec) -> tuple[list[int], list[Axes], list[Axes]]:
    problem = None
    unknown = set(spec.kwargs) - {"filters", "strides", "kernels"}
    try:
        filters = [int(value) for value in spec.kwargs["filters"]]
        strides = [tuple(int(value) for value in level) for level in spec.kwargs["strides"]]
        kernels = [tuple(int(value) for value in level) for level in spec.kwargs["kernels"]]
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"The description of the U-Net is incomplete: it needs filters, strides and kernels ({error})."
        ) from error
    if unknown:
        problem = f"it does not know {', '.join(sorted(unknown))}"
    elif not 3 <= len(filters) <= 9 or not len(filters) == len(strides) == len(kernels):
        problem = "it needs three to nine levels, each with filters, strides and a kernel"
    elif not all(0 < value <= 4096 for value in filters):
        problem = "the number of filters of each level must be between 1 and 4096"
    elif any(len(level) != spec.dims for level in [*strides, *kernels]):
        problem = f"each level needs {spec.dims} strides and kernel sizes"
    elif any(value not in (1, 2) for level in strides for value in level) or set(strides[0]) != {1}:
        problem = "strides are 1 or 2, and 1 in the first level"
    elif any(value not in (1, 3) for level in kernels for value in level):
        problem = "kernel sizes are 1 or 3"
    if problem:
        raise ModelError(f"The U-Net can't be built: {problem}.")
    return filters, strides, kernels
