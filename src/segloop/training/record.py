"""What a run and its model write down about how they came to be."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.config import compose
from segloop.config.train import TrainConfig
from segloop.inference.device import ResolvedDevice
from segloop.networks import NetworkSpec
from segloop.targets import Thresholds
from segloop.training.material import Material
from segloop.training.plan import PatchPlan
from segloop.training.survey import Survey


def plan_record(
    found: Survey,
    spec: NetworkSpec,
    patches: PatchPlan,
    thresholds: Thresholds,
    material: Material,
    device: ResolvedDevice,
) -> dict[str, Any]:
    """Return, as plain values, what was chosen automatically and why; see `pinned`."""
    return {
        "dimensions": found.dims,
        "channels": list(found.channels),
        "classes": found.classes,
        "voxel_size_um": list(found.voxel_size_um),
        "network": spec.to_dict(),
        "patch_size": list(patches.size),
        "batch_size": patches.batch_size,
        "batches_per_epoch": patches.batches,
        "thresholds": asdict(thresholds),
        "device": {"kind": device.device, "mixed": device.mixed},
        "train_samples": [sample.id for sample in material.train],
        "val_samples": [sample.id for sample in material.val],
        "notes": [*found.notes, *patches.notes, device.reason],
    }


def pinned(config: TrainConfig, plan: Mapping[str, Any]) -> TrainConfig:
    """Return the config with every automatic choice replaced by what was chosen before.

    A continued run must not change its mind because the dataset was edited in the meantime.
    """
    patch = replace(
        config.patch,
        size=list(plan["patch_size"]),
        batch_size=plan["batch_size"],
        per_epoch=plan["batch_size"] * plan["batches_per_epoch"],
    )
    return replace(
        config,
        patch=patch,
        network=replace(config.network, dimensions=plan["dimensions"]),
        target=replace(config.target, classes=plan["classes"]),
        recipe=replace(config.recipe, channels=list(plan["channels"])),
    )


def provenance(
    config: TrainConfig,
    dataset: CuratedDataset,
    material: Material,
    device: ResolvedDevice,
) -> dict[str, Any]:
    """Return, as plain values, what a model was made from, with what, and when.

    ``sha256`` of the dataset covers the content of every sample used and what the curator decided about it.
    """
    keys = sorted(sample.folder.name for sample in (*material.train, *material.val))
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
            "train_samples": len(material.train),
            "val_samples": len(material.val),
        },
        "config": compose.to_dict(config),
    }
