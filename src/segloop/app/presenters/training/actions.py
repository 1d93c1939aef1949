"""What the Training dock does in the background: reading a workspace, starting and stopping trainings."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from segloop.app.app import App
from segloop.app.jobs import Job
from segloop.app.presenters.training.run_summary import RunReader, RunSummary
from segloop.app.run_length import with_short_training
from segloop.app.workspace import Workspace
from segloop.artifacts.job.events import StateEvent
from segloop.artifacts.run.run import Run
from segloop.config import compose
from segloop.config.train import StopConfig, TrainConfig
from segloop.core.context import Context
from segloop.core.errors import SegloopError
from segloop.core.paths import is_folder

CONFIG_KEY = "training.config"
"""Where the workspace remembers the settings."""

RUN_KEY = "training.run"
"""Where the workspace remembers the run that was shown last, by name."""

_STOP_LOOK_S = 0.1


@dataclass(frozen=True)
class WorkspaceContents:
    """What a workspace holds for the dock.

    Attributes
    ----------
    config : TrainConfig
        The settings used last.
    datasets : sequence of Path
        Newest first.
    models : mapping of str to Path
        What to start from, by the name to show.
    runs : sequence of RunSummary
        Newest first.
    last_run : str
        Name of the run that was shown last.
    """

    config: TrainConfig
    datasets: Sequence[Path]
    models: Mapping[str, Path]
    runs: Sequence[RunSummary]
    last_run: str

    @property
    def dataset(self) -> str:
        """Path of the dataset to offer first: the one chosen last, else the newest; empty without any."""
        last = self.config.dataset
        if last and is_folder(last):
            return last
        return str(self.datasets[0]) if self.datasets else ""

    @property
    def run(self) -> Path | None:
        """The run to show first: the newest in training, else the one shown last, else the newest."""
        active = [run for run in self.runs if not run.state.ended]
        shown_last = [run for run in self.runs if run.path.name == self.last_run]
        candidates = active or shown_last or list(self.runs)
        return candidates[0].path if candidates else None


def read_workspace(app: App, workspace: Workspace, reader: RunReader, context: Context) -> WorkspaceContents:
    """Read what a workspace holds."""
    try:
        config = compose.from_dict(TrainConfig, workspace.recall(CONFIG_KEY, {}))
    except SegloopError:
        config = TrainConfig()  # remembered by another version; the user loses only the settings in the form
    return WorkspaceContents(
        config=config,
        datasets=workspace.datasets(),
        models=list_models(app, context),
        runs=reader.read(workspace, context),
        last_run=workspace.recall(RUN_KEY, ""),
    )


def list_datasets(workspace: Workspace, context: Context) -> list[Path]:
    """Return the curated datasets, newest first."""
    return workspace.datasets()


def list_models(app: App, context: Context) -> dict[str, Path]:
    """Return what to start from, by the name to show."""
    return {with_short_training(name, path): path for name, path in app.models().items()}


def make_sample(path: Path, context: Context) -> Path:
    """Make a dataset of the bundled nuclei, all accepted; return its folder."""
    from segloop.app.sample import make_sample_dataset

    return make_sample_dataset(path, accept_all=True).path


def start(app: App, config: TrainConfig, context: Context) -> Job:
    """Start a training in a new run, named like its dataset.

    Raises
    ------
    SegloopError
        If it can't be started.
    """
    return app.start_training(config, Path(config.dataset).name)


def resume(app: App, path: Path, context: Context) -> Job:
    """Continue a run where it ended.

    Raises
    ------
    SegloopError
        If it can't be continued.
    """
    return app.resume_training(path)


def train_longer(app: App, path: Path, minutes: float, context: Context) -> Job:
    """Continue a finished run for some minutes more.

    Raises
    ------
    SegloopError
        If it can't be continued.
    """
    run = Run.open(path)
    last = run.job.last(StateEvent)
    seconds = run.metrics().get("seconds", [(0, 0.0)])[-1][1]
    ended_by = last.ended_by if last is not None else ""
    return app.resume_training(path, more_time(run.config.stop, ended_by, seconds / 60, minutes))


def more_time(stop: StopConfig, ended_by: str, spent: float, minutes: float) -> StopConfig:
    """Return limits that leave ``minutes`` to train.

    Parameters
    ----------
    stop : StopConfig
        The limits so far.
    ended_by : str
        Which of them ended the run: time, steps, epochs or patience; that one is lifted.
    spent : float
        Minutes trained.
    minutes : float
        Minutes to train in addition.
    """
    longer = replace(stop, max_minutes=spent + minutes)
    if ended_by == "steps":
        longer.max_steps = 0
    if ended_by == "epochs":
        longer.max_epochs = stop.max_epochs + StopConfig().max_epochs
    if ended_by == "patience":
        longer.patience = 0
    return longer


def stop(job: Job, context: Context) -> None:
    """Ask a job to stop, and wait until it has ended: looking at a job that does not react ends it."""
    job.stop()
    while not job.ended and not context.cancelled():
        time.sleep(_STOP_LOOK_S)
