"""A small model with random weights, enough to see predictions run."""

from __future__ import annotations

from pathlib import Path

import pytest
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


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A 2D foreground model with seeded random weights."""
    kwargs = {"filters": [16, 32, 64], "strides": [[1, 1], [2, 2], [2, 2]], "kernels": [[3, 3]] * 3}
    spec = NetworkSpec("unet", 2, 1, 1, kwargs)
    torch.manual_seed(0)
    network = build_network(spec).eval()
    card = ModelCard(
        name="random",
        axes="YX",
        recipe=RecipeCard.of(Recipe.of_channels(["nuclei"])),
        network=spec.to_dict(),
        target=TargetCard(name="semantic", options={"classes": 2}),
        normalisation=NormalisationCard(low=1.0, high=99.8, clip_low=-1.0, clip_high=4.0),
        stride=list(network.stride),
        halo=list(network.halo),
    )
    folder = tmp_path_factory.mktemp("models") / "random"
    Model.save(folder, card, network, torch.randn(1, 32, 32).numpy())
    return folder
