"""Networks by name: our own, those of installed packages, and an allow-list of MONAI's.

A model from a stranger names its network; only these names are looked up, never a path to code.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from segloop.core.errors import ModelError
from segloop.networks.spec import NetworkSpec

if TYPE_CHECKING:
    from torch import nn

ENTRY_POINT_GROUP = "segloop.networks"

MONAI_NAMES = ("monai.AttentionUnet", "monai.BasicUNet", "monai.SegResNet", "monai.UNet")


def network_names() -> tuple[str, ...]:
    """Return the names of all networks that can be built here."""
    installed = {entry.name for entry in entry_points(group=ENTRY_POINT_GROUP)}
    return ("unet", *sorted(installed - {"unet", *MONAI_NAMES}), *MONAI_NAMES)


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
    return _complete(_builder(spec.name)(spec), spec)


def _builder(name: str) -> Callable[[NetworkSpec], nn.Module]:
    if name == "unet":
        from segloop.networks.unet import UNet

        return UNet
    if name in MONAI_NAMES:
        from segloop.networks.monai_nets import build_monai

        return build_monai
    for entry in entry_points(group=ENTRY_POINT_GROUP, name=name):
        builder: Callable[[NetworkSpec], nn.Module] = entry.load()
        return builder
    raise ModelError(
        f"There is no network '{name}': choose one of {', '.join(network_names())}, "
        "or install the package that brings it."
    )


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
