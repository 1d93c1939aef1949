"""From a few choices to the full description of a network."""

from __future__ import annotations

from collections.abc import Sequence

from segloop.config.train import NetworkConfig, NetworkSize
from segloop.networks.spec import NetworkSpec

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


def plan_network(
    config: NetworkConfig,
    dims: int,
    in_channels: int,
    out_channels: int,
    voxel_size: Sequence[float | None] | None = None,
    shape: Sequence[int] | None = None,
) -> NetworkSpec:
    """Choose the levels of a network, with nnU-Net's rule for anisotropic volumes (Isensee et al. 2021).

    Parameters
    ----------
    config : NetworkConfig
        Name and size.
    dims : {2, 3}
        Spatial dimensions.
    in_channels, out_channels : int
        Number of image channels and of output maps.
    voxel_size : sequence of (float or None), optional
        Z, Y, X in micrometres. While slices lie more than twice as far apart as pixels, a level neither
        downsamples along Z nor looks across slices.
    shape : sequence of int, optional
        Z, Y, X of a typical image; Z is not halved below 4 slices.

    Returns
    -------
    NetworkSpec
        Networks other than ``"unet"`` get no further arguments.
    """
    if config.name != "unet":
        return NetworkSpec(config.name, dims, in_channels, out_channels)
    filters = list(_FILTERS[dims, config.size])
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
    return NetworkSpec(
        "unet", dims, in_channels, out_channels, {"filters": filters, "strides": strides, "kernels": kernels}
    )


def _z_spacing(voxel_size: Sequence[float | None] | None) -> float:
    """Return Z over XY spacing, 1 where unknown."""
    if voxel_size is None or any(size is None or size <= 0 for size in voxel_size):
        return 1.0
    z, y, x = (float(size) for size in voxel_size if size is not None)
    return z / min(y, x)


def _kernel(dims: int, ratio: float) -> list[int]:
    return [1 if ratio > 2 else 3, 3, 3] if dims == 3 else [3, 3]
