"""The events of a job: one typed object per line of ``events.jsonl``.

Each line is a JSON object with ``version``, ``time`` and ``kind``. Lines of older versions are upgraded
when they are read. Kinds and fields that this version does not know are ignored, so that an older viewer
can follow a job of a newer version.
"""

from __future__ import annotations

import math
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    field_serializer,
    field_validator,
)

from segloop.artifacts.job.state import JobState
from segloop.core.context import Progress

EVENTS_VERSION = 2
"""Version of the lines that are written."""

Level = Literal["info", "warning", "error"]


class _Event(BaseModel):
    """What all events have.

    Attributes
    ----------
    version : int
        Version of the format.
    time : float
        When the event was written, in seconds since the epoch.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    version: int = EVENTS_VERSION
    time: float = 0.0

    def to_line(self) -> dict[str, Any]:
        """Return the event as plain JSON values; fields without a value are left out."""
        return self.model_dump(mode="json", exclude_none=True)


class StateEvent(_Event):
    """The job has a new state.

    Attributes
    ----------
    state : JobState
        The new state.
    pid : int or None
        Number of the process that does the work; None where it is not known yet.
    process_started : float or None
        When that process was created, in seconds since the epoch; distinguishes it from a later one of the
        same number.
    host : str
        Name of the computer that the process runs on.
    error : str
        Why the job failed, in one sentence.
    ended_by : str
        What ended a training: ``time``, ``epochs``, ``patience`` or ``stop``.
    n_done, n_problems : int or None
        How many images a prediction finished, and how many it could not predict.
    """

    kind: Literal["state"] = "state"
    state: JobState
    pid: int | None = None
    process_started: float | None = None
    host: str = ""
    error: str = ""
    ended_by: str = ""
    n_done: int | None = None
    n_problems: int | None = None


class ProgressEvent(_Event):
    """How far the job is; see `segloop.core.context.Progress`."""

    kind: Literal["progress"] = "progress"
    done: float
    total: float
    message: str = ""
    seconds_left: float | None = None

    @property
    def progress(self) -> Progress:
        """The event as a `Progress`."""
        return Progress(self.done, self.total, self.message, self.seconds_left)


class MetricsEvent(_Event):
    """Values measured in one epoch.

    Attributes
    ----------
    epoch : int
        Epoch, counted from 1. An epoch that is reported again replaces the earlier one and those after it.
    values : dict of str to float
        Values by name, such as ``val_dice``. A value that is not finite is stored as null and read as NaN.
    """

    kind: Literal["metrics"] = "metrics"
    epoch: int
    values: dict[str, float]

    @field_validator("values", mode="before")
    @classmethod
    def _null_is_nan(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        return {name: math.nan if value is None else value for name, value in values.items()}

    @field_serializer("values")
    def _nan_is_null(self, values: dict[str, float]) -> dict[str, float | None]:
        return {name: value if math.isfinite(value) else None for name, value in values.items()}


class MessageEvent(_Event):
    """A message to the user, in one plain sentence."""

    kind: Literal["message"] = "message"
    text: str
    level: Level = "info"

    @field_validator("level", mode="before")
    @classmethod
    def _unknown_is_info(cls, level: Any) -> Any:
        return level if level in get_args(Level) else "info"


class OutputEvent(_Event):
    """A file or folder that the job has written.

    Attributes
    ----------
    path : str
        The file or folder.
    input : str
        The image that it was made from.
    output_kind : str
        What it holds, such as ``labels``.
    partial : bool
        Whether it is a Zarr that is still being filled; it is announced again once it is complete.
    """

    kind: Literal["output"] = "output"
    path: str
    input: str = ""
    output_kind: str = ""
    partial: bool = False


class PreviewEvent(_Event):
    """An image that shows what the job has achieved so far.

    Attributes
    ----------
    path : str
        PNG file, relative to the job's folder, with forward slashes.
    sample : str
        Id of the sample that is shown.
    epoch : int or None
        Epoch of the network that was applied.
    shows : str
        What the image shows, in plain words.
    """

    kind: Literal["preview"] = "preview"
    path: str
    sample: str = ""
    epoch: int | None = None
    shows: str = ""

    @field_validator("path")
    @classmethod
    def _stays_in_the_folder(cls, path: str) -> str:
        parts = PurePosixPath(path.replace("\\", "/"))
        if parts.is_absolute() or ".." in parts.parts or ":" in path:
            raise ValueError("the path of a preview must be relative to the job's folder and stay in it")
        return path

    def file(self, folder: Path) -> Path:
        """Return the path of the image file of a job in ``folder``."""
        return folder / self.path


JobEvent = StateEvent | ProgressEvent | MetricsEvent | MessageEvent | OutputEvent | PreviewEvent
"""One line of ``events.jsonl``."""


_ADAPTER: TypeAdapter[JobEvent] = TypeAdapter(
    Annotated[JobEvent, Field(discriminator="kind")], config=ConfigDict(defer_build=True)
)


def parse_event(line: dict[str, Any]) -> JobEvent | None:
    """Return one line of ``events.jsonl`` as an event, or None where this version can't read it.

    Parameters
    ----------
    line : dict
        The JSON object, of any version.
    """
    try:
        return _ADAPTER.validate_python(upgrade(line))
    except ValidationError:
        return None


def upgrade(line: dict[str, Any]) -> dict[str, Any]:
    """Return a line of an older version as one of the present version.

    Version 1 had no ``version``, and called the field ``output_kind`` of an output ``output``.
    """
    if "version" in line:
        return line
    line = {**line, "version": EVENTS_VERSION}
    if line.get("kind") == "output" and "output" in line:
        line["output_kind"] = line.pop("output")
    return line
