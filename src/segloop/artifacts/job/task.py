"""What a job is to do: ``task.json`` in its folder.

A task is executed by `segloop.app.tasks.execute`, whether in the prediction helper, a process of its own,
or a scheduler's job (``segloop run-task FOLDER``).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from segloop.config import compose
from segloop.config.predict import PredictConfig
from segloop.config.train import StopConfig, TrainConfig
from segloop.core.atomic import write_text
from segloop.core.errors import JobError
from segloop.core.file_errors import reading, writing
from segloop.core.own_files import parse_json, read_own_bytes
from segloop.core.paths import is_unicode
from segloop.core.wording import printable

TASK_FILE = "task.json"
OLD_TASK_FILE = "request.json"
"""Name of the file in version 1, which knew predictions only."""

TASK_VERSION = 2

_FORMAT = "segloop-task"
_LARGEST = 16 << 20  # bytes


class _Task(BaseModel):
    """What all tasks have."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    format: Literal["segloop-task"] = "segloop-task"
    version: Literal[2] = 2


class TrainTask(_Task):
    """Train the run in whose folder the task is, from its ``config.yaml``, or continue it.

    Attributes
    ----------
    stop : dict or None
        New limits of a run that is continued, as values of `StopConfig`; None keeps those of the run.
    """

    kind: Literal["train"] = "train"
    stop: dict[str, Any] | None = None

    def limits(self) -> StopConfig | None:
        """Return the new limits as a typed, validated object.

        Raises
        ------
        ConfigError
            If a setting does not exist or a value is not allowed.
        """
        return None if self.stop is None else compose.from_dict(TrainConfig, {"stop": self.stop}).stop


class PredictTask(_Task):
    """Apply a model to image files.

    Attributes
    ----------
    model : str
        Path of a model or a run, or the name of an installed model.
    inputs : list of str
        Image files, folders of images, or glob patterns.
    out : str
        Folder for the outputs.
    config : dict
        Settings of `PredictConfig`; absent ones have their defaults.
    scene : str, int or None
        The only scene to predict, by name or number; None predicts all scenes.
    """

    kind: Literal["predict"] = "predict"
    model: str
    inputs: list[str]
    out: str
    config: dict[str, Any] = {}
    scene: str | int | None = None

    def settings(self) -> PredictConfig:
        """Return the settings as a typed, validated object.

        Raises
        ------
        ConfigError
            If a setting does not exist or a value is not allowed.
        """
        return compose.from_dict(PredictConfig, self.config)


class RethresholdTask(_Task):
    """Decode the probabilities kept in a folder of predictions with other thresholds.

    Attributes
    ----------
    predictions : str
        Folder of the predictions.
    thresholds : dict
        New values of the target's parameters by name; the model's own for those left out.
    otsu : bool
        Whether to choose the foreground threshold of each image by Otsu's method.
    """

    kind: Literal["rethreshold"] = "rethreshold"
    predictions: str
    thresholds: dict[str, Any] = {}
    otsu: bool = False


class CompareTask(_Task):
    """Score several models on the same images of a curated dataset.

    Attributes
    ----------
    models : list of str
        Runs, models, or names of models.
    dataset : str
        Folder of the dataset.
    split : str
        ``"train"``, ``"val"`` or ``"test"``.
    out : str
        Folder for scores and predictions.
    """

    kind: Literal["compare"] = "compare"
    models: list[str]
    dataset: str
    split: Literal["train", "val", "test"] = "val"
    out: str


Task = TrainTask | PredictTask | RethresholdTask | CompareTask
"""What a job is to do."""

_ADAPTER: TypeAdapter[Task] = TypeAdapter(
    Annotated[Task, Field(discriminator="kind")], config=ConfigDict(defer_build=True)
)


def write_task(folder: str | os.PathLike[str], task: Task) -> Path:
    """Write a task into the folder of a job, which is created if it is missing; return the file.

    Raises
    ------
    JobError
        If the folder can't be written, or a name in the task is not valid Unicode.
    """
    path = Path(folder) / TASK_FILE
    for text in _texts(task.model_dump()):
        if not is_unicode(text):
            raise JobError(f"{printable(text)} is not valid Unicode: rename it.")
    with writing(path, JobError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, task.model_dump_json(indent=2) + "\n")
    return path


def _texts(value: object) -> Iterator[str]:
    """Yield all texts in nested lists and dictionaries, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for pair in value.items():
            yield from _texts(list(pair))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


def read_task(folder: str | os.PathLike[str]) -> Task:
    """Read the task of a job.

    Raises
    ------
    JobError
        If there is none, it is damaged, or it was written by a newer version.
    """
    path = Path(folder) / TASK_FILE
    if not path.is_file() and (old := path.with_name(OLD_TASK_FILE)).is_file():
        path = old
    with reading(path, JobError, "start the job again"):
        content = read_own_bytes(path, _LARGEST)
    try:
        value = upgrade(parse_json(content))
    except (ValueError, TypeError) as error:
        raise JobError(f"{path} is damaged: start the job again.") from error
    version = value.get("version")
    if isinstance(version, int) and version > TASK_VERSION:
        raise JobError(f"{path} was written by a newer version of Segloop: update Segloop to execute it.")
    try:
        return _ADAPTER.validate_python(value)
    except ValidationError as error:
        raise JobError(f"{path} is not a task that Segloop knows: start the job again.") from error


def upgrade(value: Any) -> dict[str, Any]:
    """Return the contents of a task file of an older version as those of the present version.

    Version 1 was the file ``request.json`` of a prediction.

    Raises
    ------
    TypeError
        If it is not a JSON object.
    """
    if not isinstance(value, dict):
        raise TypeError("not a JSON object")
    if value.get("format") == "segloop-predict-request" and value.get("version") == 1:
        config = dict(value.get("config") or {})
        # A threshold of -1 meant the model's own, which is now said by leaving it out.
        thresholds = {name: each for name, each in (config.get("threshold") or {}).items() if each != -1}
        config["threshold"] = thresholds
        return {**value, "format": _FORMAT, "version": TASK_VERSION, "kind": "predict", "config": config}
    return value
