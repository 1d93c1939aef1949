"""Prediction as the command line and Python start it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from segloop.artifacts.job.job import EventLog
from segloop.artifacts.model.model import Model
from segloop.config import compose
from segloop.config.predict import PredictConfig
from segloop.core.context import Context
from segloop.core.errors import ImageError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

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
    scene: str | int | None = None,
    context: Context | None = None,
) -> dict[str, NDArray[Any]]:
    """Apply a model to one image and return the outputs as arrays.

    Parameters
    ----------
    model : Model, str or path-like
        A model, or where it is.
    image : Image, array or path-like
        An array needs ``axes``.
    config : PredictConfig, optional
        What to give; by default what the model learned (labels, mask or classes).
    axes : str, optional
        Axes of an array, such as ``"YX"``, ``"CYX"`` or ``"ZYX"``.
    scene : str or int, optional
        Scene of a file; the first if absent.
    context : Context, optional
        Progress and cancel.

    Returns
    -------
    dict of str to array
        By output, such as ``"labels"``. (Y, X) of a single plane, (Z, Y, X) of a stack; several time points
        come first, and the maps of ``"probability"`` come before Z.

    Raises
    ------
    ModelError, ImageError, ConfigError
        If the model, the image or the config can't be used.
    """
    from segloop.images.image import Image
    from segloop.images.read import open_image
    from segloop.prediction.job import ModelCache
    from segloop.prediction.predict import predict_image

    chosen = config or PredictConfig()
    if isinstance(image, str | os.PathLike):
        image = open_image(image, scene)
    elif not isinstance(image, Image):
        import numpy as np

        if axes is None:
            raise ImageError("An array needs its axes: pass axes='YX', 'CYX', 'ZYX' or the like.")
        image = Image.from_array(np.asarray(image), axes)
    loaded, engine, _ = ModelCache().get(
        str(model.path if isinstance(model, Model) else model), chosen.device
    )
    with TemporaryDirectory(prefix="segloop-") as folder:
        result = predict_image(loaded, engine, image, chosen, Path(folder), "image", context)
        return {kind.value: _plain(open_image(path)) for kind, path in result.outputs.items()}


def _plain(output: Image) -> NDArray[Any]:
    import numpy as np

    array: NDArray[Any] = np.asarray(output.data)
    drop = tuple(axis for axis in (0, 1, 2) if array.shape[axis] == 1)
    return array.squeeze(axis=drop)


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
