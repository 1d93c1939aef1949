"""The process behind the Prediction dock: jobs come as lines, and the last model stays loaded."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from segloop.app.helper_protocol import (
    Accepted,
    Answer,
    Failed,
    Finished,
    Loading,
    Ready,
    Refused,
    format_answer,
)
from segloop.app.tasks import execute
from segloop.artifacts.job.job import EventLog, JobFolder
from segloop.artifacts.job.state import JobState
from segloop.artifacts.job.task import read_task
from segloop.core.errors import Cancelled, SegloopError
from segloop.prediction.job import ModelCache

logger = logging.getLogger(__name__)

_STDOUT, _STDERR = 1, 2  # file descriptors


def serve(lines: Iterable[str], answer: Callable[[Answer], None]) -> None:
    """Execute jobs one after the other until ``lines`` ends; a job that fails does not end the loop.

    Parameters
    ----------
    lines : iterable of str
        Such as standard input. Each line is the folder of a job, as a JSON string or as it is, in which
        ``task.json`` says what to do. Empty lines are skipped.
    answer : callable
        Receives what happens.
    """
    answer(Loading())
    _load_libraries()
    answer(Ready())
    models = ModelCache()
    for line in lines:
        if line.strip():
            answer(_execute(_folder(line.strip()), models, answer))


@contextmanager
def answers_to_stdout() -> Iterator[Callable[[Answer], None]]:
    """Provide a function that writes answers to standard output.

    Meanwhile everything else that is printed goes to standard error, so that it can't mix with the answers.
    When nobody reads any more, answers are dropped: jobs whose viewer was closed are finished all the same.
    """
    channel = os.dup(_STDOUT)
    os.dup2(_STDERR, _STDOUT)

    def answer(what: Answer) -> None:
        with suppress(OSError):
            os.write(channel, format_answer(what))

    try:
        yield answer
    finally:
        os.dup2(channel, _STDOUT)
        os.close(channel)


def _load_libraries() -> None:
    import torch  # noqa: F401 - takes seconds, so it is loaded before the first job comes

    import segloop.inference.engine  # noqa: F401


def _folder(line: str) -> Path:
    try:
        value = json.loads(line)
    except ValueError:
        value = line
    return Path(value if isinstance(value, str) else line)


def _execute(folder: Path, models: ModelCache, answer: Callable[[Answer], None]) -> Answer:
    name = str(folder)
    try:
        read_task(folder)
    except SegloopError as error:
        logger.error("%s", error)
        _record_failure(folder, str(error))
        return Refused(folder=name, reason=str(error))
    job = JobFolder(folder)
    if (state := job.recorded_state()) is not None and state.ended:
        return Finished(folder=name)  # stopped while it waited, or the same folder was submitted twice
    if job.stop_requested():
        EventLog(folder).state(JobState.stopped, ended_by="stop")
        return Finished(folder=name)
    answer(Accepted(folder=name))
    try:
        execute(folder, models)
    except Cancelled:
        return Finished(folder=name)
    except Exception as error:  # also in the job's events, unless the folder can't be written
        logger.error("%s: %s", folder, error)
        return Failed(folder=name, error=str(error))
    return Finished(folder=name)


def _record_failure(folder: Path, sentence: str) -> None:
    if not folder.is_dir():
        return
    try:
        log = EventLog(folder)
        log.message(sentence, "error")
        log.state(JobState.failed, error=sentence)
    except SegloopError as error:
        logger.error("%s", error)
