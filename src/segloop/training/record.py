"""What a run and its model write down about how they came to be."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.run.plan import TrainingPlan
from segloop.config import compose
from segloop.config.train import TrainConfig
from segloop.inference.device import ResolvedDevice
from segloop.training.cache import CachedSample


def pinned(config: TrainConfig, plan: TrainingPlan) -> TrainConfig:
    """Return the config with every automatic choice replaced by what was chosen before.

    A continued run must not change its mind because the dataset was edited in the meantime.
    """
    patch = replace(
        config.patch,
        size=list(plan.patch_size),
        batch_size=plan.batch_size,
        per_epoch=plan.batch_size * plan.batches_per_epoch,
    )
    return replace(
        config,
        patch=patch,
        network=replace(config.network, dimensions=plan.dimensions),
        target=replace(config.target, options=dict(plan.target_options)),
        recipe=replace(config.recipe, channels=list(plan.channels)),
    )


def provenance(
    config: TrainConfig,
    dataset: CuratedDataset,
    train: Sequence[CachedSample],
    val: Sequence[CachedSample],
    device: ResolvedDevice,
) -> dict[str, Any]:
    """Return, as plain values, what a model was made from, with what, and when.

    ``sha256`` of the dataset covers the content of every sample used and what the curator decided about it.
    """
    keys = sorted(sample.folder.name for sample in (*train, *val))
    packages = ("torch", "lightning", "monai", "numpy", "scipy", "scikit-image")
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "segloop_version": metadata.version("napari-segloop"),
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in packages},
        "device": device.device,
        "dataset": {
            "name": dataset.name,
            "path": str(dataset.path),
            "sha256": hashlib.sha256("\n".join(keys).encode()).hexdigest(),
            "train_samples": len(train),
            "val_samples": len(val),
        },
        "config": compose.to_dict(config),
    }
