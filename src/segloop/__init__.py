"""Deep-learning segmentation of 2D and 3D microscopy, as a loop: curate, train, predict, correct.

Everything public is imported on first use, so that ``import segloop`` stays light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segloop.app.comparing import compare
    from segloop.app.evaluating import evaluate
    from segloop.app.model import Model
    from segloop.app.predicting import predict, rethreshold
    from segloop.app.run import Run
    from segloop.app.training import train
    from segloop.artifacts.dataset.curated_dataset import CuratedDataset
    from segloop.artifacts.job.events import JobEvent
    from segloop.config.parameters import ParameterSet, parameter
    from segloop.config.predict import PredictConfig
    from segloop.config.train import TrainConfig
    from segloop.core.context import Context, Progress
    from segloop.core.errors import (
        Cancelled,
        ConfigError,
        DatasetError,
        ImageError,
        JobError,
        ModelError,
        PairingError,
        RunError,
        SegloopError,
    )
    from segloop.images.image import Image
    from segloop.images.importers import LabelItem
    from segloop.images.pairing import pair_by_stem
    from segloop.images.read import open_image
    from segloop.images.write import write_image

    __version__: str

__all__ = [
    "Cancelled",
    "ConfigError",
    "Context",
    "CuratedDataset",
    "DatasetError",
    "Image",
    "ImageError",
    "JobError",
    "JobEvent",
    "LabelItem",
    "Model",
    "ModelError",
    "PairingError",
    "ParameterSet",
    "PredictConfig",
    "Progress",
    "Run",
    "RunError",
    "SegloopError",
    "TrainConfig",
    "__version__",
    "compare",
    "evaluate",
    "open_image",
    "pair_by_stem",
    "parameter",
    "predict",
    "rethreshold",
    "train",
    "write_image",
]

_HOME = {
    "Cancelled": "segloop.core.errors",
    "ConfigError": "segloop.core.errors",
    "Context": "segloop.core.context",
    "CuratedDataset": "segloop.artifacts.dataset.curated_dataset",
    "DatasetError": "segloop.core.errors",
    "Image": "segloop.images.image",
    "ImageError": "segloop.core.errors",
    "JobError": "segloop.core.errors",
    "JobEvent": "segloop.artifacts.job.events",
    "LabelItem": "segloop.images.importers",
    "Model": "segloop.app.model",
    "ModelError": "segloop.core.errors",
    "PairingError": "segloop.core.errors",
    "ParameterSet": "segloop.config.parameters",
    "PredictConfig": "segloop.config.predict",
    "Progress": "segloop.core.context",
    "Run": "segloop.app.run",
    "RunError": "segloop.core.errors",
    "SegloopError": "segloop.core.errors",
    "TrainConfig": "segloop.config.train",
    "compare": "segloop.app.comparing",
    "evaluate": "segloop.app.evaluating",
    "open_image": "segloop.images.read",
    "pair_by_stem": "segloop.images.pairing",
    "parameter": "segloop.config.parameters",
    "predict": "segloop.app.predicting",
    "rethreshold": "segloop.app.predicting",
    "train": "segloop.app.training",
    "write_image": "segloop.images.write",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("napari-segloop")
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
