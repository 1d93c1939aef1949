"""Small networks with fixed random weights, saved as models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from segloop.artifacts.model.model import (
    Model,
    ModelCard,
    NormalisationCard,
    RecipeCard,
    TargetCard,
)
from segloop.images.recipe import Recipe
from segloop.networks import NetworkSpec, build_network
from segloop.targets import make_target


def spec_of(dims: int, in_channels: int, out_channels: int) -> NetworkSpec:
    """Describe a small U-Net."""
    strides = [[1] * dims, [2] * dims, [2] * dims]
    kwargs = {"filters": [8, 16, 24], "strides": strides, "kernels": [[3] * dims] * 3}
    return NetworkSpec("unet", dims, in_channels, out_channels, kwargs)


def save_model(folder: Path, network: torch.nn.Module, spec: NetworkSpec, target: Any, **card: Any) -> Path:
    """Save a network with a test input; return the folder."""
    network.eval()
    values = {
        "name": folder.name,
        "axes": "YX" if spec.dims == 2 else "ZYX",
        "recipe": RecipeCard.of(Recipe.of_channels(["nuclei", "membranes", "actin"][: spec.in_channels])),
        "normalisation": NormalisationCard(low=1.0, high=99.8, clip_low=-1.0, clip_high=4.0),
        "pixel_size_um": (None, None, None),
        "parameters": {"min_size": 20} | ({"splitting": 0.1} if target.name == "instance" else {}),
        "provenance": {},
    } | card
    model_card = ModelCard(
        network=spec.to_dict(),
        target=TargetCard(name=target.name, options=target.options.values()),
        stride=list(network.stride),  # type: ignore[attr-defined,call-overload]
        halo=list(network.halo),  # type: ignore[attr-defined,call-overload]
        **values,
    )
    shape = (len(model_card.recipe.channels), *(4 * step for step in model_card.stride))
    test_input = torch.randn(shape, generator=torch.Generator().manual_seed(1)).numpy()
    Model.save(folder, model_card, network, test_input)
    return folder


def random_model(
    parent: Path, dims: int = 2, channels: int = 1, kind: str = "instance", classes: int = 2, **card: Any
) -> Path:
    """Save a model with seeded random weights and batch statistics; return its folder."""
    target = make_target(kind, {"classes": classes} if kind == "semantic" else {}, dims=dims)
    spec = spec_of(dims, channels, len(target.maps))
    torch.manual_seed(3)
    network = build_network(spec)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d | torch.nn.BatchNorm3d):
            module.running_mean.normal_(0, 0.3)  # type: ignore[union-attr]
            module.running_var.uniform_(0.5, 1.5)  # type: ignore[union-attr]
    return save_model(parent / f"{kind}{classes}-{dims}d-{channels}c", network, spec, target, **card)
