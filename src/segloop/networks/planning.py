"""The U-Net's builder, which chooses its levels to suit the images; importing this module is light."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from segloop.config.parameters import ParameterSet, parameter
from segloop.config.train import NetworkConfig, NetworkSize
from segloop.networks.levels import levels
from segloop.networks.spec import NetworkSpec

if TYPE_CHECKING:
    from torch import nn

# Filters of each level. In volumes only the width grows: each further level would double the halo, and tiles
# that are mostly halo soon fit into no memory.
_FILTERS: dict[tuple[int, NetworkSize], tuple[int, ...]] = {
    (2, NetworkSize.small): (16, 32, 64, 128),
    (2, NetworkSize.medium): (32, 64, 128, 256, 256),
    (2, NetworkSize.large): (48, 96, 192, 384, 384, 384),
    (3, NetworkSize.small): (16, 32, 64, 128),
    (3, NetworkSize.medium): (32, 64, 128, 256),
    (3, NetworkSize.large): (48, 96, 192, 384),
}


class UNetOptions(ParameterSet):
    """Width and depth of the U-Net, where its size is not to decide them."""

    features: int = parameter(
        0,
        "Features",
        "Feature maps of the first level, and in proportion in the others; 0 chooses by size.",
        minimum=0,
        maximum=256,
    )
    levels: int = parameter(
        0,
        "Levels",
        "Levels, each at half the resolution of the one before; 0 chooses by size, otherwise 3 to 9.",
        minimum=0,
        maximum=9,
    )

    def filters(self, preset: Sequence[int]) -> list[int]:
        """Return the filters of each level, given those of a size; added levels are as wide as the last."""
        wanted = self.levels or len(preset)
        filters = [*preset[:wanted], *[preset[-1]] * (wanted - len(preset))]
        return [value * self.features // preset[0] for value in filters] if self.features else filters


class UNetBuilder:
    """Builds the U-Net, and chooses its levels as nnU-Net does (Isensee et al. 2021).

    In anisotropic volumes, while slices lie more than twice as far apart as pixels, a level neither
    downsamples along Z nor looks across slices. Z is not halved below 4 slices.
    """

    options_type = UNetOptions

    def arguments(
        self,
        config: NetworkConfig,
        dims: int,
        voxel_size: Sequence[float | None] | None,
        shape: Sequence[int] | None,
    ) -> dict[str, Any]:
        """Return filters, strides and kernels, one entry per level."""
        filters = UNetOptions.from_values(config.options, "network").filters(_FILTERS[dims, config.size])
        ratio = _z_spacing(voxel_size) if dims == 3 else 1.0
        depth = int(shape[0]) if shape is not None and dims == 3 else 0
        strides = [[1] * dims]
        kernels = [_kernel(dims, ratio)]
        for _ in filters[1:]:
            halve_z = ratio <= 2 and not 0 < depth < 8
            stride = [2] * dims if dims == 2 or halve_z else [1, 2, 2]
            if dims == 3:
                depth = depth // stride[0]
                ratio = ratio * stride[0] / 2
            strides.append(stride)
            kernels.append(_kernel(dims, ratio))
        return {"filters": filters, "strides": strides, "kernels": kernels}

    def stride(self, spec: NetworkSpec) -> tuple[int, ...]:
        """Return the stride per spatial axis.

        Raises
        ------
        ModelError
            If an argument does not fit.
        """
        _, strides, _ = levels(spec)
        return tuple(math.prod(axis) for axis in zip(*strides, strict=True))

    def __call__(self, spec: NetworkSpec) -> nn.Module:
        """Return the network with random weights.

        Raises
        ------
        ModelError
            If an argument does not fit.
        """
        from segloop.networks.unet import UNet

        return UNet(spec)


UNET = UNetBuilder()


def _z_spacing(voxel_size: Sequence[float | None] | None) -> float:
    """Return Z over XY spacing, 1 where unknown."""
    if voxel_size is None or any(size is None or size <= 0 for size in voxel_size):
        return 1.0
    z, y, x = (float(size) for size in voxel_size if size is not None)
    return z / min(y, x)


def _kernel(dims: int, ratio: float) -> list[int]:
    return [1 if ratio > 2 else 3, 3, 3] if dims == 3 else [3, 3]
