"""The U-Net: MONAI's DynUNet with batch norm, and exact knowledge of how far each output pixel sees."""

from __future__ import annotations

import math
from collections.abc import Sequence

from monai.networks.nets import DynUNet
from torch import Tensor, nn

from segloop.networks.levels import Axes, levels
from segloop.networks.spec import NetworkSpec


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
        filters, strides, kernels = levels(spec)
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
        start_without_checkerboard(self)
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


def start_without_checkerboard(network: nn.Module) -> None:
    """Give all output pixels of each transposed convolution the same random weights.

    These convolutions have kernels as large as their strides, so each is a sub-pixel convolution; one that
    starts as a nearest-neighbour upsampling leaves no checkerboard (ICNR; Aitken et al. 2017).

    Parameters
    ----------
    network : torch.nn.Module
        Is changed.
    """
    for module in network.modules():
        if isinstance(module, nn.ConvTranspose2d | nn.ConvTranspose3d):
            first = module.weight.data.flatten(2)[:, :, :1]
            module.weight.data.copy_(first.expand(-1, -1, module.weight[0, 0].numel()).view_as(module.weight))


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
