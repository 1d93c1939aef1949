"""Networks of MONAI, by name and with plain-valued arguments only; importing this module is light."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from segloop.config.parameters import ParameterSet, parameter
from segloop.core.errors import ModelError
from segloop.networks.spec import NetworkSpec

if TYPE_CHECKING:
    from torch import nn

    from segloop.config.train import NetworkConfig


class DropoutOptions(ParameterSet):
    """Options that MONAI's networks have in common."""

    dropout: float = parameter(
        0.0, "Dropout", "Share of the features that are set to 0 in training.", minimum=0, maximum=0.9
    )


class UNetOptions(DropoutOptions):
    """Options of MONAI's UNet."""

    num_res_units: int = parameter(
        0, "Residual units", "Residual units of each level; 0 uses plain convolutions.", minimum=0, maximum=8
    )


class SegResNetOptions(ParameterSet):
    """Options of MONAI's SegResNet."""

    init_filters: int = parameter(
        8,
        "Filters",
        "Features of the first level; each further level has twice as many.",
        minimum=8,
        maximum=64,
        step=8,
    )
    dropout_prob: float = parameter(
        0.0, "Dropout", "Share of the features that are set to 0 in training.", minimum=0, maximum=0.9
    )


_PLAIN_UNET = {"channels": [16, 32, 64, 128], "strides": [2, 2, 2]}


def _strided(arguments: Mapping[str, Any]) -> int:
    return math.prod(int(stride) for stride in arguments["strides"])


def _residual(arguments: Mapping[str, Any]) -> int:
    return int(2 ** (len(arguments["blocks_down"]) - 1))


@dataclass(frozen=True)
class MonaiBuilder:
    """Builds one class of `monai.networks.nets`.

    These networks do not say how far their outputs see, so they are marked as not translation-equivariant and
    blended where an image needs several tiles.

    Attributes
    ----------
    class_name : str
        Name of the class.
    defaults : mapping
        Arguments that fill in what is not said.
    step : callable
        Returns the stride along each axis for given arguments.
    options_type : type of ParameterSet
        Arguments that a user can choose, as MONAI calls them.
    """

    class_name: str
    defaults: Mapping[str, Any]
    step: Callable[[Mapping[str, Any]], int]
    options_type: type[ParameterSet] = DropoutOptions

    def arguments(
        self,
        config: NetworkConfig,
        dims: int,
        voxel_size: Sequence[float | None] | None,
        shape: Sequence[int] | None,
    ) -> dict[str, Any]:
        """Return the options; they and the defaults suit all images alike."""
        return dict(self.options_type.from_values(config.options, "network").values())

    def stride(self, spec: NetworkSpec) -> tuple[int, ...]:
        """Return the stride per spatial axis.

        Raises
        ------
        ModelError
            If an argument does not fit.
        """
        try:
            return (self.step({**self.defaults, **spec.kwargs}),) * spec.dims
        except (TypeError, ValueError) as error:
            raise self._refusal(spec, error) from error

    def __call__(self, spec: NetworkSpec) -> nn.Module:
        """Return the network with random weights.

        Raises
        ------
        ModelError
            If an argument is unknown or does not fit.
        """
        from monai.networks import nets

        stride = self.stride(spec)
        try:
            network: nn.Module = getattr(nets, self.class_name)(
                spatial_dims=spec.dims,
                in_channels=spec.in_channels,
                out_channels=spec.out_channels,
                **{**self.defaults, **spec.kwargs},
            )
        except (TypeError, ValueError, KeyError, NotImplementedError, AssertionError) as error:
            raise self._refusal(spec, error) from error
        network.stride = stride  # type: ignore[assignment]
        network.halo = None  # type: ignore[assignment]
        network.translation_equivariant = False  # type: ignore[assignment]
        return network

    @staticmethod
    def _refusal(spec: NetworkSpec, error: Exception) -> ModelError:
        return ModelError(f"The network '{spec.name}' can't be built with these arguments: {error}")


ATTENTION_UNET = MonaiBuilder("AttentionUnet", _PLAIN_UNET, _strided)
BASIC_UNET = MonaiBuilder("BasicUNet", {"norm": "batch"}, lambda _: 16)
SEG_RES_NET = MonaiBuilder(
    "SegResNet", {"blocks_down": [1, 2, 2, 4], "norm": "batch"}, _residual, SegResNetOptions
)
UNET = MonaiBuilder("UNet", {**_PLAIN_UNET, "norm": "batch"}, _strided, UNetOptions)
