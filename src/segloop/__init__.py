"""Deep-learning segmentation of 2D and 3D microscopy, as a loop: curate, train, predict, correct.

Everything public is imported on first use, so that ``import segloop`` stays light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segloop.app.comparing import compare
    from segloop.app.evaluating import evaluate
    from segloop.app.predicting import predict
    from segloop.app.training import train
    from segloop.artifacts.dataset.curated_dataset import CuratedDataset
    from segloop.artifacts.model.model import Model
    from segloop.artifacts.run.run import Run
    from segloop.config.predict import PredictConfig
    from segloop.config.train import TrainConfig
    from segloop.images.image import Image

__all__ = [
    "CuratedDataset",
    "Image",
    "Model",
    "PredictConfig",
    "Run",
    "TrainConfig",
    "compare",
    "evaluate",
    "predict",
    "train",
]

_HOME = {
    "CuratedDataset": "segloop.artifacts.dataset.curated_dataset",
    "Image": "segloop.images.image",
    "Model": "segloop.artifacts.model.model",
    "PredictConfig": "segloop.config.predict",
    "Run": "segloop.artifacts.run.run",
    "TrainConfig": "segloop.config.train",
    "compare": "segloop.app.comparing",
    "evaluate": "segloop.app.evaluating",
    "predict": "segloop.app.predicting",
    "train": "segloop.app.training",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
