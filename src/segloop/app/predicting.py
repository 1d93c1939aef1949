"""Prediction as the command line and Python start it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segloop.app.model import Model
from segloop.app.tasks import TaskResult, execute, submit
from segloop.app.training import absolute_if_path
from segloop.artifacts.job.task import PredictTask, RethresholdTask
from segloop.config import compose
from segloop.config.predict import PredictConfig
from segloop.core.context import Context
from segloop.core.errors import ImageError
from segloop.core.paths import is_folder

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from segloop.config.from_python import Settings
    from segloop.images.image import Image
    from segloop.prediction.rethreshold import RethresholdSummary

JOB_FOLDER = ".segloop"
"""Folder below the outputs that holds the task and the events of a prediction of files."""

RETHRESHOLD_FOLDER = f"{JOB_FOLDER}/rethreshold"
"""Folder below the outputs that holds the task and the events of a change of thresholds."""


def predict_files(
    model: str | os.PathLike[str],
    inputs: Sequence[str | os.PathLike[str]],
    *,
    out: str | os.PathLike[str],
    config: PredictConfig | None = None,
    overrides: Sequence[str] = (),
) -> TaskResult:
    """Predict image files in this process; the events go to ``out/.segloop/events.jsonl``.

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
    TaskResult
        How many were predicted, and a sentence for each input that was not.

    Raises
    ------
    ModelError, ConfigError, JobError
        If the model, the config or the folder can't be used at all.
    """
    chosen = compose.apply(config or PredictConfig(), overrides)
    task = PredictTask(
        model=absolute_if_path(model),
        inputs=[str(Path(path).absolute()) for path in inputs],
        out=str(Path(out).absolute()),
        config=compose.to_dict(chosen),
    )
    folder = Path(out) / JOB_FOLDER
    submit(folder, task)
    return execute(folder)


def rethreshold_files(
    folder: str | os.PathLike[str], parameters: Mapping[str, Any], *, otsu: bool = False
) -> TaskResult:
    """Decode the probabilities kept in a folder with other thresholds, as a task in this process.

    Parameters
    ----------
    folder : path-like
        Folder of the predictions; the events go to ``.segloop/rethreshold/events.jsonl`` below it.
    parameters : mapping of str to plain value
        New values of the target's parameters; the model's own for those left out.
    otsu : bool, optional
        Whether to choose the foreground threshold of each image by Otsu's method.

    Returns
    -------
    TaskResult
        How many were decoded, and a sentence for each prediction that was not.

    Raises
    ------
    ImageError
        If the folder does not exist or keeps no probabilities.
    JobError
        If the folder can't be written.
    """
    if not is_folder(folder):
        raise ImageError(f"There is no folder {folder}: choose the folder that predictions were written to.")
    job_folder = Path(folder) / RETHRESHOLD_FOLDER
    path = str(Path(folder).absolute())
    submit(job_folder, RethresholdTask(predictions=path, thresholds=dict(parameters), otsu=otsu))
    return execute(job_folder)


def predict(
    model: Model | str | os.PathLike[str],
    image: Image | ArrayLike | str | os.PathLike[str],
    config: PredictConfig | None = None,
    *,
    axes: str | None = None,
    outputs: str | Sequence[str] | None = None,
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
        As in `Model.predict`.

    Returns
    -------
    dict of str to array
        As in `Model.predict`.

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
    context: Context | None = None,
    **parameters: float | str | None,
) -> RethresholdSummary:
    """Decode the probabilities kept in a folder of predictions with other thresholds.

    Parameters
    ----------
    folder : path-like
        Where predictions were written to.
    context : Context, optional
        Progress and cancel.
    **parameters
        Parameters of the model's target, such as ``foreground=0.4``, ``min_size=30`` or ``splitting=0.1``;
        the model's own for those left out or None. ``foreground="otsu"`` chooses the foreground threshold of
        each image by Otsu's method.

    Returns
    -------
    RethresholdSummary
        How many were decoded, and a sentence for each that was not.

    Raises
    ------
    ImageError
        If the folder does not exist or keeps no probabilities.
    """
    from segloop.prediction.rethreshold import rethreshold_folder

    chosen = {name: value for name, value in parameters.items() if value is not None}
    otsu = chosen.get("foreground") == "otsu"
    if otsu:
        del chosen["foreground"]
    return rethreshold_folder(folder, chosen, context, otsu=otsu)
