"""Networks of MONAI, by name and with plain-valued arguments only."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from monai.networks import nets
from torch import nn

from segloop.core.errors import ModelError
from segloop.networks.spec import NetworkSpec


def _strided(kwargs: Mapping[str, Any]) -> int:
    return math.prod(int(stride) for stride in kwargs["strides"])


def _fixed_16(_: Mapping[str, Any]) -> int:
    return 16


def _residual(kwargs: Mapping[str, Any]) -> int:
    return int(2 ** (len(kwargs["blocks_down"]) - 1))


_Entry = tuple[Callable[..., nn.Module], dict[str, Any], Callable[[Mapping[str, Any]], int]]

# The class, arguments that fill in what is not said, and how the stride follows from the arguments.
_NETS: dict[str, _Entry] = {
    "monai.AttentionUnet": (
        nets.AttentionUnet,
        {"channels": [16, 32, 64, 128], "strides": [2, 2, 2]},
        _strided,
    ),
    "monai.BasicUNet": (nets.BasicUNet, {"norm": "batch"}, _fixed_16),
    "monai.SegResNet": (nets.SegResNet, {"blocks_down": [1, 2, 2, 4], "norm": "batch"}, _residual),
    "monai.UNet": (
        nets.UNet,
        {"channels": [16, 32, 64, 128], "strides": [2, 2, 2], "norm": "batch"},
        _strided,
    ),
}


def build_monai(spec: NetworkSpec) -> nn.Module:
    """Build one of the allowed networks of `monai.networks.nets`.

    They do not say how far their outputs see, so they are marked as not translation-equivariant and blended
    where an image needs several tiles.

    Raises
    ------
    ModelError
        If an argument is unknown or does not fit.
    """
    build, defaults, stride_of = _NETS[spec.name]
    kwargs = defaults | spec.kwargs
    try:
        stride = stride_of(kwargs)
        network = build(
            spatial_dims=spec.dims, in_channels=spec.in_channels, out_channels=spec.out_channels, **kwargs
        )
    except (TypeError, ValueError, KeyError, NotImplementedError, AssertionError) as error:
        raise ModelError(f"The network '{spec.name}' can't be built with these arguments: {error}") from error
    network.stride = (stride,) * spec.dims  # type: ignore[assignment]
    network.halo = None  # type: ignore[assignment]
    network.translation_equivariant = False  # type: ignore[assignment]
    return network
