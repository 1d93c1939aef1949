"""Training from start to end, in this process."""

from __future__ import annotations

import errno
import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.job.job import EventLog, OnEvent
from segloop.artifacts.job.state import JobState
from segloop.artifacts.model.model import Model
from segloop.artifacts.run.run import Run
from segloop.config.knob import validate
from segloop.config.train import StopConfig, TrainConfig
from segloop.core.errors import Cancelled, ConfigError, RunError, SegloopError
from segloop.core.file_errors import cannot_write, writing
from segloop.core.own_files import open_own_to_append
from segloop.training.limits import require_more

if TYPE_CHECKING:
    from segloop.training.extras import Extras
    from segloop.training.training_run import Outcome, TrainingRun

logger = logging.getLogger("segloop.training")

_LOOK_INTERVAL = 0.1  # seconds between two looks for a stop request


def create_run(config: TrainConfig, path: str | Path) -> Run:
    """Create the folder of a new run, once all that can be checked at once was checked.

    Parameters
    ----------
    config : TrainConfig
        What to train, and on which dataset.
    path : path
        Folder of the new run; must be new or empty.

    Raises
    ------
    ConfigError, DatasetError, ModelError, RunError
        If the config, the dataset, the initial model or the folder can't be used; nothing is created then.
    """
    validate(config)
    if not config.dataset:
        raise ConfigError("No dataset is named: set 'dataset' to the folder of a curated dataset.")
    config = replace(config, dataset=str(Path(config.dataset).resolve()))
    CuratedDataset.open(config.dataset)
    if config.init:
        Model.load(config.init)
    return Run.create(path, config)


def fit(
    run_path: str | Path,
    stop: StopConfig | None = None,
    on_event: OnEvent | None = None,
    extras: Extras | None = None,
) -> Run:
    """Train a run: from its beginning, or continuing where it was stopped or lost.

    What continues are weights, optimiser, schedule, epoch and time.

    Parameters
    ----------
    run_path : path
        The run's folder.
    stop : StopConfig, optional
        New limits, to train for longer than planned; time, steps and epochs count from the run's beginning.
    on_event : callable, optional
        Called with each event once it is written, on the thread that writes it.
    extras : Extras, optional
        Callbacks, loggers and a clock.

    Returns
    -------
    Run
        Finished, or stopped by a request; the next call then continues it.

    Raises
    ------
    RunError
        If there is no such run, another process trains it, or it has reached a limit already; if the disk is
        full, memory does not suffice, or the training diverged.
    ConfigError, DatasetError, ModelError, ImageError
        If the config, the dataset, the initial model or all images can't be used.
    """
    run = Run.open(Path(run_path).resolve())
    _require_not_training(run)
    with run.lock:
        _fit_locked(run, stop, on_event, extras)
    return run


def _require_not_training(run: Run) -> None:
    if run.job.state() in (JobState.running, JobState.stopping):
        raise RunError(f"The run {run.path} is still being trained: stop it first.")


def _fit_locked(run: Run, stop: StopConfig | None, on_event: OnEvent | None, extras: Extras | None) -> None:
    _require_not_training(run)  # it may have started since
    state = run.job.state()
    old = run.config.stop
    if stop is not None:
        validate(stop)
    require_more(run, old, stop or old, finished=state is JobState.finished)
    if stop is not None and stop != old:
        run.change_stop(stop)
    # A run without a log was only created; it begins now.
    _execute(run, resumed=run.log_file.is_file(), on_event=on_event, extras=extras)


def _execute(run: Run, *, resumed: bool, on_event: OnEvent | None, extras: Extras | None) -> None:
    # This loads torch, which takes seconds. A job that says it runs is expected to react to a stop request.
    from segloop.training.training_run import TrainingRun

    log = EventLog(run.path, on_event)
    log.state(JobState.running)
    with _log_file(run.log_file), _watch_for_stop(log), _quiet_libraries():
        try:
            outcome = _translated(TrainingRun(run, log, extras), run, log, resumed)
        except SegloopError as error:
            logger.error("%s", error)
            log.message(str(error), "error")
            log.state(JobState.failed, error=str(error))
            raise
        except (KeyboardInterrupt, SystemExit):
            logger.warning("Interrupted.")
            log.state(JobState.stopped)
            raise
    log.state(JobState.stopped if outcome.stopped else JobState.finished, ended_by=outcome.ended_by)


def _translated(training: TrainingRun, run: Run, log: EventLog, resumed: bool) -> Outcome:
    """Train, turning any failure into one plain sentence."""
    import torch

    from segloop.training.training_run import Outcome

    try:
        return training.train(resumed=resumed)
    except Cancelled:
        text = "Stopped before the first epoch; there is no model yet. Resuming starts over."
        logger.info(text)
        log.message(text, "warning")
        return Outcome(stopped=True, ended_by="stop")
    except SegloopError:
        raise
    except OSError as error:
        logger.exception("The system refused")
        raise RunError(_refused(run, error)) from error
    except Exception as error:
        logger.exception("Unexpected")
        # torch reports a lack of the computer's own memory as a plain RuntimeError.
        if isinstance(error, (torch.OutOfMemoryError, MemoryError)) or "allocate memory" in str(error):
            raise RunError(
                "There is not enough memory for this training: choose a smaller patch.batch_size or "
                "patch.size, or a smaller network."
            ) from error
        reason = str(error).strip().splitlines()
        raise RunError(
            f"The training failed unexpectedly ({type(error).__name__}: {reason[0] if reason else ''}); "
            f"{run.log_file} has more details."
        ) from error


def _refused(run: Run, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
        return cannot_write(run.path, error)
    return f"The training failed ({error}); {run.log_file} has more details."


@contextmanager
def _log_file(path: Path) -> Iterator[None]:
    """Let everything that the package logs go to a file as well."""
    root = logging.getLogger("segloop")
    with writing(path, RunError):
        file = open(open_own_to_append(path), "a", encoding="utf-8", errors="backslashreplace")  # noqa: PTH123, SIM115
    handler = logging.StreamHandler(file)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        handler.close()
        file.close()


@contextmanager
def _watch_for_stop(log: EventLog) -> Iterator[None]:
    """Say at once that a stop request was seen, even in the middle of a long step."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(_LOOK_INTERVAL):
            if log.stop_requested():
                log.state(JobState.stopping)
                return

    thread = threading.Thread(target=watch, name="stop request", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextmanager
def _quiet_libraries() -> Iterator[None]:
    """Keep what Lightning and torch tell developers away from users."""
    names = ("lightning", "lightning.pytorch", "lightning.fabric")
    levels = [logging.getLogger(name).level for name in names]
    for name in names:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"(lightning|torch|monai)(\..*)?")
            yield
    finally:
        for name, level in zip(names, levels, strict=True):
            logging.getLogger(name).setLevel(level)
