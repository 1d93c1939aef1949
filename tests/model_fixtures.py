"""Small models for the tests of saving, loading and verifying them."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from torch import nn

from segloop.artifacts.model.card import card_digest
from segloop.artifacts.model.model import (
    Model,
    ModelCard,
    NormalisationCard,
    RecipeCard,
    TargetCard,
)
from segloop.images.recipe import Recipe
from segloop.networks import NetworkSpec, build_network

SPEC = NetworkSpec(
    "unet",
    2,
    1,
    2,
    {
        "filters": [4, 4, 8],
        "strides": [[1, 1], [2, 2], [2, 2]],
        "kernels": [[3, 3], [3, 3], [3, 3]],
    },
)


def card(**changes: Any) -> ModelCard:
    values: dict[str, Any] = {
        "name": "my nuclei",
        "axes": "YX",
        "recipe": RecipeCard.of(Recipe.of_channels(["DAPI"])),
        "network": SPEC.to_dict(),
        "target": TargetCard(name="instance"),
        "normalisation": NormalisationCard(low=1, high=99.8, clip_low=-1, clip_high=4),
        "pixel_size_um": (None, 0.5, 0.5),
        "stride": [4, 4],
        "halo": [24, 24],
        "parameters": {"foreground": 0.4, "min_size": 7, "splitting": 0.2},
        "provenance": {"dataset": "cells", "scores": {"ap50": 0.9}},
    }
    return ModelCard(**(values | changes))


def network(seed: int = 1) -> nn.Module:
    torch.manual_seed(seed)
    return build_network(SPEC).eval()


def save(folder: Path, *, seed: int = 1, **changes: Any) -> Model:
    built = network(seed)
    test_input = np.random.default_rng(0).integers(100, 4000, (1, 16, 24)).astype(np.uint16)
    return Model.save(folder, card(**changes), built, test_input)


def edit_card(folder: Path, **changes: Any) -> None:
    file = folder / "model.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def forge(folder: Path, **changes: Any) -> None:
    """Change the card and all hashes of it, as a stranger can."""
    edit_card(folder, **changes)
    file = folder / "model.json"
    weights = safetensors.torch.load((folder / "weights.safetensors").read_bytes())
    metadata = {"format": "pt", "segloop_card": card_digest(json.loads(file.read_text()))}
    content = safetensors.torch.save(weights, metadata)
    (folder / "weights.safetensors").write_bytes(content)
    edit_card(folder, weights_sha256=hashlib.sha256(content).hexdigest())
