"""Networks by name: our own, an allow-list of MONAI's, and those of installed packages.

A model from a stranger names its network; only these names are looked up, never a path to code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from segloop.config import registries
from segloop.config.parameters import options_type_of
from segloop.core.errors import ModelError
from segloop.core.registry import Registry
from segloop.networks.spec import NetworkSpec

if TYPE_CHECKING:
    from torch import nn

    from segloop.config.train import NetworkConfig


class NetworkBuilder(Protocol):
    """Builds a network from its description; a function will do.

    If networks of this kind have options of their own, such as ``network.dropout=0.1``, the attribute
    ``options_type`` is their `ParameterSet`. Their values are then in ``spec.kwargs``. The docks read the
    options, so import torch only when a network is built.
    """

    def __call__(self, spec: NetworkSpec) -> nn.Module:
        """Return a network with random weights.

        It maps (N, C, [Z,] Y, X) to logits (N, K, [Z,] Y, X) and has the attributes ``stride`` (a tuple, one
        entry per spatial axis: input sizes must be multiples of it) and, if it is translation-equivariant,
        ``halo`` (alike) and ``translation_equivariant = True``.
        """
        ...


@runtime_checkable
class PlanningNetworkBuilder(NetworkBuilder, Protocol):
    """A builder that also knows, without importing torch, how to choose arguments and what stride follows."""

    def arguments(
        self,
        config: NetworkConfig,
        dims: int,
        voxel_size: Sequence[float | None] | None,
        shape: Sequence[int] | None,
    ) -> dict[str, Any]:
        """Return all arguments (plain values): the options of the config, and what suits the images.

        See `plan_network`.
        """
        ...

    def stride(self, spec: NetworkSpec) -> tuple[int, ...]:
        """Return the stride of the network of this description, per spatial axis."""
        ...


NETWORKS: Registry[NetworkBuilder] = registries.NETWORKS
"""The networks by name: our own, MONAI's, those registered by a script, and those of installed packages."""

ONNX = "onnx"
"""Name of a network that is kept as ONNX; it can't be trained, so it is not among the others."""


def plan_network(
    config: NetworkConfig,
    dims: int,
    in_channels: int,
    out_channels: int,
    voxel_size: Sequence[float | None] | None = None,
    shape: Sequence[int] | None = None,
) -> NetworkSpec:
    """Choose the arguments of a network.

    Parameters
    ----------
    config : NetworkConfig
        Name, size and options.
    dims : {2, 3}
        Spatial dimensions.
    in_channels, out_channels : int
        Number of image channels and of output maps.
    voxel_size : sequence of (float or None), optional
        Z, Y, X in micrometres.
    shape : sequence of int, optional
        Z, Y, X of a typical image.

    Raises
    ------
    ModelError
        If there is no such network.
    ConfigError
        If it has no such option, or a value is not valid.
    """
    builder = NETWORKS.get(config.name)
    if isinstance(builder, PlanningNetworkBuilder):
        chosen = builder.arguments(config, dims, voxel_size, shape)
    else:
        chosen = dict(options_type_of(builder).from_values(config.options, "network").values())
    return NetworkSpec(config.name, dims, in_channels, out_channels, chosen)


def plans_without_torch(name: str) -> bool:
    """Return whether `network_stride` of a network needs no torch."""
    return isinstance(NETWORKS.get(name), PlanningNetworkBuilder)


def network_stride(spec: NetworkSpec) -> tuple[int, ...]:
    """Return the stride of a network per spatial axis; builds it if its builder can't say it.

    Raises
    ------
    ModelError
        If the name is unknown or the arguments do not fit.
    """
    builder = NETWORKS.get(spec.name)
    if isinstance(builder, PlanningNetworkBuilder):
        return builder.stride(spec)
    stride: Any = build_network(spec).stride
    return tuple(int(step) for step in stride)


def build_network(spec: NetworkSpec) -> nn.Module:
    """Build a network with random weights.

    Parameters
    ----------
    spec : NetworkSpec
        Name and plain-valued arguments.

    Returns
    -------
    torch.nn.Module
        Maps (N, C, [Z,] Y, X) to logits (N, K, [Z,] Y, X); carries ``in_channels``, ``stride`` and ``halo``
        (tuples, one entry per spatial axis; ``halo`` is None where unknown) and ``translation_equivariant``.

    Raises
    ------
    ModelError
        If the name is unknown or the arguments do not fit.
    """
    if spec.name == ONNX:
        from segloop.networks.onnx_network import build

        return _complete(build(spec), spec)
    return _complete(NETWORKS.get(spec.name)(spec), spec)


def _complete(network: nn.Module, spec: NetworkSpec) -> nn.Module:
    stride = getattr(network, "stride", None)
    if not isinstance(stride, tuple) or len(stride) != spec.dims:
        raise ModelError(f"The network '{spec.name}' does not say its stride along each of {spec.dims} axes.")
    network.in_channels = spec.in_channels  # type: ignore[assignment]
    halo = getattr(network, "halo", None)
    if halo is None or not getattr(network, "translation_equivariant", False):
        # Without a known halo a tiled result can't be exact.
        network.halo = None  # type: ignore[assignment]
        network.translation_equivariant = False  # type: ignore[assignment]
    elif len(halo) != spec.dims or any(h % s for h, s in zip(halo, stride, strict=True)):
        raise ModelError(f"The halo of the network '{spec.name}' is not a multiple of its stride.")
    return network
