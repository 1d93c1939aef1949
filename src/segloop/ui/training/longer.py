"""New limits for a run that has reached its old ones; free of Qt."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from segloop.app.app import App
from segloop.app.jobs import Job
from segloop.artifacts.run import Run
from segloop.config.train import StopConfig
from segloop.core.context import Context


def train_longer(app: App, path: Path, minutes: float, context: Context) -> Job:
    """Continue a finished run for some minutes more.

    Raises
    ------
    RunError
        If the run is missing, damaged, or still trained.
    """
    run = Run.open(path)
    ended_by = str((run.job.last("state") or {}).get("ended_by", ""))
    seconds = run.metrics().get("seconds", [(0, 0.0)])[-1][1]
    return app.resume_training(path, more_time(run.config.stop, ended_by, seconds / 60, minutes))


def more_time(stop: StopConfig, ended_by: str, spent: float, minutes: float) -> StopConfig:
    """Return limits that leave ``minutes`` to train.

    Parameters
    ----------
    stop : StopConfig
        The limits so far.
    ended_by : str
        Which of them ended the run: time, epochs or patience; that one is lifted.
    spent : float
        Minutes trained.
    minutes : float
        Minutes to train in addition.
    """
    longer = replace(stop, max_minutes=spent + minutes)
    if ended_by == "epochs":
        longer.max_epochs = stop.max_epochs + StopConfig().max_epochs
    if ended_by == "patience":
        longer.patience = 0
    return longer
