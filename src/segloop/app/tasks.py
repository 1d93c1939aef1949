"""Submitting and executing tasks; see `segloop.artifacts.job.task`.

The same function executes a task in the process of the command line or of Python code, in the prediction
helper, in a process that a dock started, and in a scheduler's job.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from segloop.artifacts.job.job import EVENTS_FILE, JOB_FILES, STOP_FILE, EventLog, JobFolder, working_on
from segloop.artifacts.job.state import JobState
from segloop.artifacts.job.task import (
    PredictTask,
    RethresholdTask,
    Task,
    TrainTask,
    read_task,
    write_task,
)
from segloop.artifacts.run.run import Run
from segloop.config.train import StopConfig, TrainConfig
from segloop.core.atomic import clear_abandoned
from segloop.core.errors import JobError
from segloop.core.file_errors import writing
from segloop.core.own_entries import require_own_entries

if TYPE_CHECKING:
    from segloop.artifacts.job.job import OnEvent
    from segloop.prediction.job import ModelCache
    from segloop.training.extras import Extras


@dataclass(frozen=True)
class TaskResult:
    """What came of a task.

    Attributes
    ----------
    n_done : int
        Number of images that were predicted or decoded, or of models that were compared; 1 for a training.
    problems : tuple of str
        One sentence for each image or model that could not be.
    n_kept : int
        How many of the predictions were there already: by the same model, with the same settings.
    """

    n_done: int
    problems: tuple[str, ...] = ()
    n_kept: int = 0


def submit(folder: Path, task: Task) -> None:
    """Write a task into the folder of a job, so that `execute` can execute it.

    Of an earlier prediction in this folder, the events and the request to stop are removed. A run keeps its
    events.

    Raises
    ------
    JobError
        If a job in this folder is under way, or the folder can't be written.
    """
    if not isinstance(task, TrainTask):
        # Hidden folders that Segloop makes in the folder of the predictions.
        for each in (folder.parent, folder) if isinstance(task, RethresholdTask) else (folder,):
            require_own_entries(each.parent, (), [each.name], JobError)
    require_own_entries(folder, JOB_FILES, (), JobError)
    events = folder / EVENTS_FILE
    state = JobFolder(folder).state()
    if events.exists() and not (state.ended or (isinstance(task, TrainTask) and state is JobState.waiting)):
        raise JobError(
            f"A job in {folder} is still running: wait for it or stop it, or choose another folder."
        )
    clear_abandoned(folder, lambda _, name: name in JOB_FILES)
    write_task(folder, task)
    if not isinstance(task, TrainTask) and events.exists():
        with writing(folder, JobError):
            for path in (events, folder / STOP_FILE):
                path.unlink(missing_ok=True)


def train_run(
    config: TrainConfig, path: Path, on_event: OnEvent | None = None, extras: Extras | None = None
) -> None:
    """Create a run and train it in this process; see `segloop.training.fit.create_run` and `execute`."""
    from segloop.training.fit import create_run

    create_run(config, path)
    submit(path, TrainTask())
    execute(path, on_event=on_event, extras=extras)


def resume_run(path: Path, stop: StopConfig | None = None) -> None:
    """Continue a run in this process, with new limits where ``stop`` is given; see `execute`.

    Raises
    ------
    RunError
        If there is no such run, it is still being trained, or nothing is left to do.
    """
    Run.open(path)
    submit(path, TrainTask(stop=None if stop is None else asdict(stop)))
    execute(path)


def execute(
    folder: Path,
    models: ModelCache | None = None,
    on_event: OnEvent | None = None,
    extras: Extras | None = None,
) -> TaskResult:
    """Execute the task of a job in this process; its events go into the folder.

    Parameters
    ----------
    folder : Path
        The folder of the job.
    models : ModelCache, optional
        Where the model of a prediction may be loaded already.
    on_event : callable, optional
        Called with each event once it is written, on the thread that writes it.
    extras : Extras, optional
        What Python code passes to a training.

    Raises
    ------
    SegloopError
        If the task can't be executed at all; the job's state is then ``failed``.
    Cancelled
        If a prediction was asked to stop; what was finished by then is kept.
    """
    task = read_task(folder)
    with working_on(folder):
        return _execute(task, folder, models, on_event, extras)


def _execute(
    task: Task,
    folder: Path,
    models: ModelCache | None,
    on_event: OnEvent | None,
    extras: Extras | None,
) -> TaskResult:
    if isinstance(task, TrainTask):
        from segloop.training.fit import fit

        fit(folder, task.limits(), on_event, extras)
        return TaskResult(1)
    from segloop.prediction.job import predict_files, rethreshold_predictions

    log = EventLog(folder, on_event)
    if isinstance(task, PredictTask):
        summary = predict_files(task, log, models)
    elif isinstance(task, RethresholdTask):
        summary = rethreshold_predictions(task, log)
    else:
        from segloop.app.comparing import compare_models

        summary = compare_models(task, log)
    return TaskResult(summary.n_done, summary.problems, summary.n_kept)
