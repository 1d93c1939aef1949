"""Small but real models: nuclei learned from the bundled images; others with fixed random weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch

from segloop.artifacts.model.model import Model
from segloop.inference.engine import Engine
from segloop.networks import build_network
from segloop.targets import make_target
from tiny_models import random_model, save_model, spec_of

PATCH = 80
BATCH = 5
STEPS = 60


@pytest.fixture(scope="session")
def nuclei_model(tmp_path_factory: pytest.TempPathFactory, sample_nuclei: Path) -> Path:
    """Folder of a 2D instance model that has learned nuclei for a few seconds."""
    target = make_target("instance")
    spec = spec_of(2, 1, len(target.maps))
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
    return save_model(tmp_path_factory.mktemp("models") / "nuclei", network, spec, target)


MakeModel = Callable[..., Path]


@pytest.fixture
def make_model(tmp_path: Path) -> MakeModel:
    """Make a model with seeded random weights and batch statistics."""

    def make(*args: Any, **kwargs: Any) -> Path:
        return random_model(tmp_path, *args, **kwargs)

    return make


Load = Callable[[Path], tuple[Model, Engine]]


@pytest.fixture
def load() -> Load:
    """Load a model with its engine on the CPU."""

    def load_model(folder: Path) -> tuple[Model, Engine]:
        model = Model.load(folder)
        return model, Engine(model.network(), model.target())

    return load_model
