"""Small but real models: nuclei learned from the bundled images; others with fixed random weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch

from segloop.artifacts.model.model import (
    Model,
    ModelCard,
    NormalisationCard,
    RecipeCard,
    TargetCard,
)
from segloop.images.recipe import Recipe
from segloop.inference.engine import Engine
from segloop.networks import NetworkSpec, build_network
from segloop.targets import make_target

PATCH = 80
BATCH = 5
STEPS = 60


def _spec(dims: int, in_channels: int, out_channels: int) -> NetworkSpec:
    strides = [[1] * dims, [2] * dims, [2] * dims]
    kwargs = {"filters": [8, 16, 24], "strides": strides, "kernels": [[3] * dims] * 3}
    return NetworkSpec("unet", dims, in_channels, out_channels, kwargs)


def _save(folder: Path, network: torch.nn.Module, spec: NetworkSpec, target: Any, **card: Any) -> Path:
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


@pytest.fixture(scope="session")
def nuclei_model(tmp_path_factory: pytest.TempPathFactory, sample_nuclei: Path) -> Path:
    """Folder of a 2D instance model that has learned nuclei for a few seconds."""
    target = make_target("instance")
    spec = _spec(2, 1, len(target.maps))
    torch.manual_seed(0)
    network = build_network(spec).train()
    rng = np.random.default_rng(0)
    pairs = []
    for path in sorted((sample_nuclei / "raw").glob("*.tif"))[1:11]:
        raw = tifffile.imread(path).astype(np.float32)
        low, high = np.percentile(raw, [1, 99.8]).astype(np.float32)
        encoded = target.encode(
            tifffile.imread(sample_nuclei / "seg" / path.name)[None].astype(np.int32), None
        )
        pairs.append((((raw - low) / (high - low)).clip(-1, 4), encoded.maps[:, 0]))
    optimiser = torch.optim.AdamW(network.parameters(), 6e-3)
    for _ in range(STEPS):
        crops = []
        for number in rng.integers(len(pairs), size=BATCH):
            raw, maps = pairs[number]
            y, x = (int(rng.integers(size - PATCH + 1)) for size in raw.shape)
            at = (slice(y, y + PATCH), slice(x, x + PATCH))
            crops.append((raw[None][(slice(None), *at)], maps[(slice(None), *at)]))
        image, wanted = (torch.from_numpy(np.stack(part)) for part in zip(*crops, strict=True))
        loss = torch.nn.functional.binary_cross_entropy_with_logits(network(image), wanted)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return _save(tmp_path_factory.mktemp("models") / "nuclei", network, spec, target)


MakeModel = Callable[..., Path]


@pytest.fixture
def make_model(tmp_path: Path) -> MakeModel:
    """Make a model with seeded random weights and batch statistics."""

    def make(dims: int = 2, channels: int = 1, kind: str = "instance", classes: int = 2, **card: Any) -> Path:
        target = make_target(kind, {"classes": classes} if kind == "semantic" else {}, dims=dims)
        spec = _spec(dims, channels, len(target.maps))
        torch.manual_seed(3)
        network = build_network(spec)
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d | torch.nn.BatchNorm3d):
                module.running_mean.normal_(0, 0.3)  # type: ignore[union-attr]
                module.running_var.uniform_(0.5, 1.5)  # type: ignore[union-attr]
        return _save(tmp_path / f"{kind}{classes}-{dims}d-{channels}c", network, spec, target, **card)

    return make


Load = Callable[[Path], tuple[Model, Engine]]


@pytest.fixture
def load() -> Load:
    """Load a model with its engine on the CPU."""

    def load_model(folder: Path) -> tuple[Model, Engine]:
        model = Model.load(folder)
        return model, Engine(model.network(), model.target())

    return load_model
