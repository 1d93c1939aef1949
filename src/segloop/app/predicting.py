"""Prediction as the command line and Python start it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segloop.app.model import Model
from segloop.artifacts.job.job import EventLog
from segloop.config import compose
from segloop.config.predict import PredictConfig
from segloop.core.context import Context

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from segloop.config.from_python import Settings
    from segloop.config.predict import OutputKind
    from segloop.images.image import Image
    from segloop.prediction.job import Summary
    from segloop.prediction.rethreshold import RethresholdSummary

JOB_FOLDER = ".segloop"
"""Folder below the outputs that holds the events of a prediction started at the command line."""


def predict_files(
    model: str | os.PathLike[str],
    inputs: Sequence[str | os.PathLike[str]],
    *,
    out: str | os.PathLike[str],
    config: PredictConfig | None = None,
    overrides: Sequence[str] = (),
) -> Summary:
    """Predict image files in this process, speaking through ``out/.segloop/events.jsonl``.

    Parameters
    ----------
    model : str or path-like
        Path of a model or run, or a model's name.
    inputs : sequence of str or path-like
        Image files, folders or globs.
    out : path-like
        Folder for the outputs.
    config : PredictConfig, optional
        What to write, and how; the defaults if absent.
    overrides : sequence of str
        Hydra overrides on top of ``config``.

    Returns
    -------
    Summary
        How many were predicted, and a sentence for each input that was not.

    Raises
    ------
    ModelError, ConfigError, JobError
        If the model, the config or the folder can't be used at all.
    """
    from segloop.prediction import job
    from segloop.prediction.request import PredictRequest

    chosen = compose.apply(config or PredictConfig(), overrides)
    request = PredictRequest(
        model=str(model), inputs=[str(path) for path in inputs], out=str(out), config=compose.to_dict(chosen)
    )
    return job.predict_files(request, EventLog(Path(out) / JOB_FOLDER))


def predict(
    model: Model | str | os.PathLike[str],
    image: Image | ArrayLike | str | os.PathLike[str],
    config: PredictConfig | None = None,
    *,
    axes: str | None = None,
    outputs: str | Sequence[str | OutputKind] | None = None,
    scene: str | int | None = None,
    overrides: Settings = (),
    context: Context | None = None,
) -> dict[str, NDArray[Any]]:
    """Apply a model to one image and return the outputs as arrays.

    To predict several images, load the model once with `Model.load` and call its method `predict`.

    Parameters
    ----------
    model : Model, str or path-like
        A loaded model, the path of a model or run, or the name of an installed model.
    image, config, axes, outputs, scene, overrides, context
        As of `Model.predict`.

    Returns
    -------
    dict of str to array
        As of `Model.predict`.

    Raises
    ------
    ModelError, ImageError, ConfigError, Cancelled
        As `Model.predict`; or if there is no such model.
    """
    loaded = model if isinstance(model, Model) else Model.load(model)
    return loaded.predict(
        image,
        config,
        axes=axes,
        outputs=outputs,
        scene=scene,
        overrides=overrides,
        context=context,
    )


def rethreshold(
    folder: str | os.PathLike[str],
    *,
    foreground: float | str | None = None,
    min_size: int | None = None,
    splitting: float | None = None,
    context: Context | None = None,
) -> RethresholdSummary:
    """Decode the probabilities kept in a folder of predictions with other thresholds.

    Parameters
    ----------
    folder : path-like
        Where predictions were written to.
    foreground : float or "otsu", optional
        Probability from which a pixel is foreground, or Otsu's choice for each image; the model's own
        if absent.
    min_size : int, optional
        Smaller objects are removed (pixels); the model's own if absent.
    splitting : float, optional
        Depth of the notch that cuts two halves apart; the model's own if absent.
    context : Context, optional
        Progress and cancel.

    Returns
    -------
    RethresholdSummary
        How many were decoded, and a sentence for each that was not.

    Raises
    ------
    ImageError
        If the folder does not exist or keeps no probabilities.
    """
    from segloop.config.predict import ThresholdConfig
    from segloop.prediction.rethreshold import rethreshold_folder

    thresholds = ThresholdConfig()
    if isinstance(foreground, float | int):
        thresholds = replace(thresholds, foreground=float(foreground))
    if min_size is not None:
        thresholds = replace(thresholds, min_size=min_size)
    if splitting is not None:
        thresholds = replace(thresholds, splitting=splitting)
    return rethreshold_folder(folder, thresholds, context, otsu=foreground == "otsu")
