"""What the Training dock knows and decides."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from psygnal import Signal

from segloop.app.app import App
from segloop.app.job_watcher import JobWatcher
from segloop.app.jobs import Job
from segloop.app.presenters.background import Background, Clock, Memory
from segloop.app.presenters.messages import Messages
from segloop.app.presenters.training import actions
from segloop.app.presenters.training.dataset_summary import DatasetReader, DatasetSummary
from segloop.app.presenters.training.plan_preview import PlanPreview
from segloop.app.presenters.training.run_list import RunList
from segloop.app.presenters.training.shown_run import ShownRun
from segloop.app.repeating import Repeater
from segloop.app.run_follower import RunFollower, RunUpdate
from segloop.app.workspace import Workspace
from segloop.config import compose
from segloop.config.train import TrainConfig
from segloop.core.errors import ConfigError, SegloopError

_REMEMBER_S = 0.5  # after the last change of a setting

NO_DATASET = "No dataset yet. Make one in the Curation dock, or train on the sample nuclei."
READING = "Reading the dataset…"


class TrainingPresenter:
    """State and commands of the Training dock.

    Parameters
    ----------
    app : App
        The use cases.
    background : Background
        Work in the background.
    memory : Memory
        Choices remembered for the workspace.
    clock : Clock
        Timers.
    repeater : Repeater
        Looks at the run on screen again and again.

    Attributes
    ----------
    config : TrainConfig
        The settings; its dataset is `dataset`.
    config_problem : str
        Why the settings can't be used as they are typed; empty if they can.
    dataset : str
        Path of the chosen dataset; empty for none.
    datasets, models
        What the workspace offers.
    run_list : RunList
        Its runs.
    plan : PlanPreview
        Plan of the next training.
    summary : DatasetSummary or None
        Of the chosen dataset; None before it was read, or if it can't be.
    dataset_text : str
        The summary in words, or what to do instead.
    run : ShownRun or None
        The run on screen.
    starting : bool
        Whether a training is about to start.
    """

    settings_loaded = Signal()
    """Other settings are to be shown."""
    models_changed = Signal()
    datasets_changed = Signal()
    """`datasets` or `dataset` is another one."""
    summary_changed = Signal()
    plan_changed = Signal()
    start_changed = Signal()
    started = Signal()
    """A training was started or continued; its run is on screen."""
    run_chosen = Signal()
    """`run` is another one, or none."""
    run_updated = Signal(RunUpdate)
    predict_wanted = Signal()
    """The user wants to predict with the model of the run on screen."""

    def __init__(
        self, app: App, background: Background, memory: Memory, clock: Clock, repeater: Repeater
    ) -> None:
        self._app, self._background, self._memory = app, background, memory
        self.messages = Messages()
        self._dataset_reader = DatasetReader()
        self._watcher = JobWatcher(repeater)
        self._watcher.updated.connect(self._on_update)
        self._keep = clock.timer(_REMEMBER_S, self.remember)
        self.run_list = RunList(background, clock)
        self.plan = PlanPreview(background, clock)
        self.plan.changed.connect(self.plan_changed)
        self.config = TrainConfig()
        self.config_problem = ""
        self.dataset = ""
        self.datasets: Sequence[Path] = ()
        self.models: Mapping[str, Path] = {}
        self.summary: DatasetSummary | None = None
        self.dataset_text = READING
        self.run: ShownRun | None = None
        self.starting = False
        app.dataset_chosen.connect(self._on_dataset_opened)
        app.datasets_changed.connect(self._list_datasets)
        app.models_changed.connect(self._list_models)

    def close(self) -> None:
        """Stop watching; trainings go on."""
        self._watcher.release()
        self._keep.stop()
        self.run_list.stop()
        self.plan.stop()
        self._app.dataset_chosen.disconnect(self._on_dataset_opened, missing_ok=True)
        self._app.datasets_changed.disconnect(self._list_datasets, missing_ok=True)
        self._app.models_changed.disconnect(self._list_models, missing_ok=True)

    # The workspace

    def open_workspace(self, workspace: Workspace) -> None:
        """Read what a workspace holds, with the choices made last."""
        self._watcher.release()
        self._keep.stop()
        for lane in ("datasets", "summary"):
            self._background.drop(lane)
        self.run = None
        self._set_summary(None, READING)
        self.run_chosen.emit()
        self.run_list.open_workspace(workspace)
        self._background.run(
            actions.read_workspace,
            self._app,
            workspace,
            self.run_list.reader,
            lane="workspace",
            on_result=self._on_workspace,
            on_error=self.messages.error,
        )

    def _on_workspace(self, found: actions.WorkspaceContents) -> None:
        self.config, self.config_problem = found.config, ""
        self.models, self.datasets, self.dataset = found.models, found.datasets, found.dataset
        self.settings_loaded.emit()
        self.models_changed.emit()
        self.datasets_changed.emit()
        self._read_dataset()
        self.run_list.set_runs(found.runs)
        if found.run is not None:
            self.show_run(found.run)

    # The settings

    def set_config(self, read: Callable[[], TrainConfig]) -> None:
        """Take over the settings of the form.

        Parameters
        ----------
        read : callable
            Returns them; raises `ConfigError` while a value makes no sense, as one that is being typed.
        """
        try:
            self.config, self.config_problem = read(), ""
        except ConfigError as error:
            self.config_problem = str(error)
        else:
            self._keep.start()
        self._update_plan()

    def remember(self) -> None:
        """Keep the settings for the next time."""
        self._keep.stop()
        if not self.config_problem:
            self._memory.remember(actions.CONFIG_KEY, compose.to_dict(self._config()))

    def _config(self) -> TrainConfig:
        return replace(self.config, dataset=self.dataset)

    def _list_models(self) -> None:
        self._background.run(actions.list_models, self._app, lane="models", on_result=self._on_models)

    def _on_models(self, models: Mapping[str, Path]) -> None:
        self.models = models
        self.models_changed.emit()

    # The dataset

    def choose_dataset(self, path: str | Path) -> None:
        """Choose the dataset to learn from."""
        self.dataset = str(path)
        self.datasets_changed.emit()
        self._read_dataset()
        self._keep.start()

    def make_sample(self) -> None:
        """Make a dataset of the bundled nuclei in the workspace, and choose it."""
        workspace = self._app.workspace
        try:
            path = workspace.new_folder(workspace.datasets_dir, "sample nuclei")
        except SegloopError as error:
            self.messages.error(error)
            return
        self._set_summary(None, READING)
        self._background.run(
            actions.make_sample, path, lane="sample", on_result=self._on_sample, on_error=self._on_no_summary
        )

    def _on_sample(self, path: Path) -> None:
        self.choose_dataset(path)
        self._app.datasets_changed.emit()

    def _on_dataset_opened(self, path: Path) -> None:
        self._list_datasets()
        if str(path) != self.dataset:
            self.choose_dataset(path)

    def _list_datasets(self) -> None:
        self._background.run(
            actions.list_datasets, self._app.workspace, lane="datasets", on_result=self._on_datasets
        )

    def _on_datasets(self, datasets: Sequence[Path]) -> None:
        self.datasets = datasets
        if not self.dataset and datasets:
            self.dataset = str(datasets[0])
        self.datasets_changed.emit()
        self._read_dataset()

    def _read_dataset(self) -> None:
        if not self.dataset:
            self._background.drop("summary")
            self._set_summary(None, NO_DATASET)
            return
        if self.summary is None or str(self.summary.path) != self.dataset:
            self._set_summary(None, READING)
        self._background.run(
            self._dataset_reader.read,
            Path(self.dataset),
            lane="summary",
            on_result=self._on_summary,
            on_error=self._on_no_summary,
        )

    def _on_summary(self, summary: DatasetSummary) -> None:
        self._set_summary(
            summary, "\n".join(part for part in (summary.line, summary.validation_note) if part)
        )

    def _on_no_summary(self, error: Exception) -> None:
        self._set_summary(None, str(error))

    @property
    def wants_curation(self) -> bool:
        """Whether the next step is in the Curation dock: to make a dataset, or to accept samples."""
        return not self.dataset or (self.summary is not None and not self.summary.usable)

    def _set_summary(self, summary: DatasetSummary | None, text: str) -> None:
        self.summary, self.dataset_text = summary, text
        self.summary_changed.emit()
        self.start_changed.emit()
        self._update_plan()

    # The plan

    @property
    def plan_title(self) -> str:
        """Whose plan it is: that of the run on screen, or of the next training."""
        return f"Plan of {self.run.name}" if self.run is not None and self.run.plan else "Plan"

    @property
    def plan_notes(self) -> Sequence[str]:
        """What is chosen automatically and why, one sentence each."""
        if self.run is not None and self.run.plan:
            return self.run.plan
        return self.plan.notes

    def _update_plan(self) -> None:
        usable = self.summary is not None and self.summary.usable
        self.plan.set_config(self._config() if usable else None, self.config_problem)

    # Starting

    @property
    def can_start(self) -> bool:
        """Whether there is something to learn from, and no training is about to start."""
        return self.summary is not None and self.summary.usable and not self.starting

    def start(self, confirmed: bool = False) -> None:
        """Start a training with the present settings; asks first if there is a reason to hesitate."""
        if not self.can_start:
            return
        if self.config_problem:
            self.messages.error(self.config_problem)
            return
        doubts = [] if confirmed else self._doubts()
        if doubts:
            self.messages.warning(" ".join(doubts), "Start anyway", partial(self.start, confirmed=True))
            return
        self.remember()
        self._begin(actions.start, self._config())

    def _doubts(self) -> list[str]:
        """Return why the user might not want to start now, one sentence each."""
        doubts = []
        active = {run.path.name for run in self.run_list.runs if not run.state.ended}
        if self.run is not None:
            (active.add if self.run.active else active.discard)(self.run.name)
        if active:
            names = " and ".join(sorted(active))
            doubts.append(f"{names} is still training; two trainings at once slow each other down.")
        if self.summary is not None and not self.summary.validating:
            doubts.append(self.summary.validation_note or "No sample is left for validation.")
        return doubts

    def stop(self) -> None:
        """Stop the run on screen, keeping the best model so far."""
        job = self._watcher.job
        if job is not None and self.run is not None and self.run.latest is not None:
            self.run.stop_asked = True
            self.run_updated.emit(replace(self.run.latest, events=(), metrics=(), lines=()))
            self._background.run(actions.stop, job, lane=f"stop {job.path}", on_error=self.messages.error)

    def resume(self) -> None:
        """Continue the run on screen where it ended."""
        if self.run is not None:
            self._begin(actions.resume, self.run.path)

    def train_longer(self) -> None:
        """Continue the finished run on screen for the time that the settings say."""
        if self.run is not None:
            self._begin(actions.train_longer, self.run.path, self.config.stop.max_minutes)

    def _begin(self, function: Callable[..., Job], *arguments: Any) -> None:
        if self.starting:
            return
        self.starting = True
        self.start_changed.emit()
        self._background.run(
            function,
            self._app,
            *arguments,
            lane="start",
            on_result=self._on_started,
            on_error=self._on_not_started,
        )

    def _on_started(self, job: Job) -> None:
        self.starting = False
        self.start_changed.emit()
        self._show(job, starting=True)
        self.started.emit()
        self.run_list.read()

    def _on_not_started(self, error: Exception) -> None:
        self.starting = False
        self.start_changed.emit()
        self.messages.error(error)

    # The run on screen

    def show_run(self, path: Path) -> None:
        """Show a run, and watch it while it is being trained."""
        self._show(self._app.training(path))

    def _show(self, job: Job, starting: bool = False) -> None:
        self.run = ShownRun(job.path, starting)
        self._memory.remember(actions.RUN_KEY, job.path.name)
        self.run_chosen.emit()
        self.plan_changed.emit()
        self._watcher.watch(RunFollower(job))

    def _on_update(self, update: RunUpdate) -> None:
        if self.run is None:
            return
        if update.problem:
            self.messages.error(update.problem)
            return
        before = self.run.latest
        message = self.run.update(update)
        self.run_updated.emit(update)
        if before is None or before.plan != update.plan:
            self.plan_changed.emit()
        if before is not None and (before.model, before.state) != (update.model, update.state):
            if before.model != update.model or update.state.ended:
                self._app.models_changed.emit()
            if before.state is not update.state:
                self.run_list.read()
        if message is not None:
            self.messages.show(replace(message, action=self._action(message.button)))

    def _action(self, button: str) -> Callable[[], object] | None:
        return {"Resume": self.resume, "Predict with it": self.predict_wanted.emit}.get(button)
