"""What a prediction job is asked to do: ``request.json`` in the job's folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from segloop.config import compose
from segloop.config.predict import PredictConfig
from segloop.core.atomic import write_text
from segloop.core.errors import JobError

REQUEST_FILE = "request.json"


class PredictRequest(BaseModel):
    """One prediction job.

    Attributes
    ----------
    model : str
        Path of a model or a run, or the name of a bundled model.
    inputs : list of str
        Image files, folders of images, or glob patterns.
    out : str
        Folder that receives the outputs.
    config : dict
        Knobs of `PredictConfig` as plain values; absent ones take their defaults.
    scene : str, int or None
        The only scene to predict, by name or number; None predicts all scenes.
    """

    model_config = ConfigDict(extra="forbid")

    format: Literal["segloop-predict-request"] = "segloop-predict-request"
    version: Literal[1] = 1
    model: str
    inputs: list[str]
    out: str
    config: dict[str, Any] = {}
    scene: str | int | None = None

    def settings(self) -> PredictConfig:
        """Return the config as a typed, validated object.

        Raises
        ------
        ConfigError
            If a knob does not exist or a value is not allowed.
        """
        return compose.from_dict(PredictConfig, self.config)

    def write(self, job_folder: str | os.PathLike[str]) -> Path:
        """Write ``request.json`` into the job's folder (made if missing), atomically; return its path.

        Raises
        ------
        JobError
            If the folder can't be written.
        """
        path = Path(job_folder) / REQUEST_FILE
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, self.model_dump_json(indent=2) + "\n")
        except OSError as error:
            raise JobError(
                f"{path} can't be written ({error.strerror or error}): choose a folder you may write to."
            ) from error
        return path

    @classmethod
    def read(cls, job_folder: str | os.PathLike[str]) -> PredictRequest:
        """Read the request of a job.

        Raises
        ------
        JobError
            If there is none, or it is damaged.
        """
        path = Path(job_folder) / REQUEST_FILE
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise JobError(
                f"{path} can't be read ({error.strerror or error}): start the prediction again."
            ) from error
        except ValidationError as error:
            raise JobError(f"{path} is not a prediction request: start the prediction again.") from error
