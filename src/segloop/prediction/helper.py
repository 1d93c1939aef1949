"""The warm process behind the Prediction dock: jobs come as lines, the last model stays loaded."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from pathlib import Path

from segloop.artifacts.job.job import EventLog
from segloop.artifacts.job.state import JobState
from segloop.core.errors import SegloopError
from segloop.prediction.job import ModelCache, predict_files
from segloop.prediction.request import PredictRequest

logger = logging.getLogger(__name__)


def serve(lines: Iterable[str]) -> None:
    """Execute prediction jobs one after the other until ``lines`` ends; no failure of a job ends the loop.

    Parameters
    ----------
    lines : iterable of str
        Such as standard input. Each line is the folder of a job, as JSON string or as it is, in which
        ``request.json`` says what to do. Empty lines are passed over.
    """
    _warm_up()
    cache = ModelCache()
    for line in lines:
        if line.strip():
            _execute(_folder(line.strip()), cache)


def _warm_up() -> None:
    import torch  # noqa: F401 - takes seconds, so it is loaded before the first job comes

    import segloop.inference.engine  # noqa: F401


def _folder(line: str) -> Path:
    try:
        value = json.loads(line)
    except ValueError:
        value = line
    return Path(value if isinstance(value, str) else line)


def _execute(folder: Path, cache: ModelCache) -> None:
    try:
        request = PredictRequest.read(folder)
    except SegloopError as error:
        logger.error("%s", error)
        _tell_failure(folder, str(error))
        return
    try:
        predict_files(request, EventLog(folder), cache)
    except Exception as error:  # the job's folder has been told, unless it can't be written
        logger.error("%s: %s", folder, error)


def _tell_failure(folder: Path, sentence: str) -> None:
    if not folder.is_dir():
        return
    try:
        log = EventLog(folder)
        log.message(sentence, "error")
        log.state(JobState.failed, error=sentence)
    except SegloopError as error:
        logger.error("%s", error)
