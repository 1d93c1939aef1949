"""The Training dock: wires the dataset, the settings, the run that is watched and the list of runs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QLabel, QPushButton

from segloop.app.job_watcher import JobWatcher
from segloop.app.jobs import Job
from segloop.app.run_follower import RunFollower, RunUpdate
from segloop.artifacts.job.state import JobState
from segloop.config.train import TrainConfig
from segloop.core.errors import ConfigError
from segloop.ui.repeating import WorkerRepeater
from segloop.ui.training import study
from segloop.ui.training.catalogue import RunCatalogue, RunSummary
from segloop.ui.training.dataset_panel import DatasetPanel
from segloop.ui.training.facts import DatasetFacts, DatasetScout
from segloop.ui.training.run_panel import RunPanel
from segloop.ui.training.run_table import RunTable
from segloop.ui.training.settings import SettingsPanel
from segloop.ui.viewer_app import viewer_app_for
from segloop.ui.widgets.fold import Fold
from segloop.ui.widgets.page import Page

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from segloop.app.workspace import Workspace

logger = logging.getLogger(__name__)

_LIST_MS = 3000
_REMEMBER_MS = 500
_LOOK_MS = 200
_NO_RUNS = "No training yet: start one, and its curves appear here."


class TrainingDock(Page):
    """Start a training, watch it, stop it, continue it; it goes on when napari is closed."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(viewer_app_for(napari_viewer), "Training")
        self._scout = DatasetScout()
        self._catalogue = RunCatalogue()
        self._facts: DatasetFacts | None = None
        self._plan: tuple[str, ...] = ()
        self._starting = False
        self.watcher = JobWatcher(WorkerRepeater(self.workers, "look", _LOOK_MS))
        self._update: RunUpdate | None = None
        self._make_widgets()
        self._relist = QTimer(self, singleShot=True, interval=_LIST_MS)
        self._relist.timeout.connect(self._list_runs)
        self._keep = QTimer(self, singleShot=True, interval=_REMEMBER_MS)
        self._keep.timeout.connect(self._remember)
        self._connect()
        self._on_theme()
        self.on_workspace(self.viewer_app.app.workspace)

    # What the user can do.

    def start(self) -> None:
        """Start a training with what the form says."""
        configs: list[TrainConfig] = []
        if self.attempt(lambda: configs.append(self._config())):
            self._remember()
            self._begin(study.start, configs[0])

    def stop(self) -> None:
        """Stop the training on screen, keeping the best model so far."""
        job = self.watcher.job
        if job is not None:
            self.run_panel.show_stopping()
            self.workers.run(study.stop, job, lane=f"stop {job.path}", on_error=self.message.show_error)

    def resume(self) -> None:
        """Continue the run on screen where it ended."""
        if self._run_path is not None:
            self._begin(study.resume, self._run_path)

    def train_longer(self) -> None:
        """Continue the finished run on screen for the time that the form says."""
        if self._run_path is not None:
            self._begin(study.train_longer, self._run_path, self.settings.minutes)

    def predict(self) -> None:
        """Open the Prediction dock with the model of the run on screen."""
        if self._run_path is not None:
            self.viewer_app.dock("Prediction").use_model(str(self._run_path))

    def show_run(self, path: Path) -> None:
        """Show a run, and watch it while it is under way."""
        self._show_job(self.viewer_app.app.training(path))

    def choose_dataset(self, path: Path) -> None:
        """Choose the dataset to learn from."""
        self.dataset.box.set_value(path)
        self._on_dataset()

    # Page

    def on_workspace(self, workspace: Workspace) -> None:
        """Show what the workspace holds, with the choices made last."""
        self.message.clear()
        self._release()
        for timer in (self._relist, self._keep):
            timer.stop()
        for lane in ("list", "datasets", "facts"):
            self.workers.drop(lane)
        self._catalogue = RunCatalogue()
        self._plan = ()
        self._set_facts(None)
        self.dataset.show_looking()
        self._show_runs([])
        self.run_panel.hide()
        self.no_runs.show()
        self.workers.run(
            study.read_study,
            self.viewer_app.app,
            workspace,
            self._catalogue,
            lane="study",
            on_result=self._on_study,
            on_error=self.message.show_error,
        )

    def on_close(self) -> None:
        """Listen no more; trainings go on."""
        self._release()
        for timer in (self._relist, self._keep):
            timer.stop()
        app = self.viewer_app.app
        app.dataset_chosen.disconnect(self._on_dataset_chosen, missing_ok=True)
        app.datasets_changed.disconnect(self._list_datasets, missing_ok=True)
        app.models_changed.disconnect(self._list_models, missing_ok=True)
        self.viewer_app.viewer.events.theme.disconnect(self._on_theme)

    # Wiring

    def _make_widgets(self) -> None:
        self.dataset = DatasetPanel()
        self.settings = SettingsPanel(self.viewer_app)
        self.plan_fold = Fold("Plan", self.viewer_app, "training.plan")
        self.plan = QLabel(wordWrap=True)
        self.plan_fold.body.addWidget(self.plan)
        self.start_button = QPushButton("Start training")
        self.start_button.setToolTip("Train in a process of its own; napari stays free and may be closed")
        self.no_runs = QLabel(_NO_RUNS, wordWrap=True)
        self.run_panel = RunPanel(self.viewer_app)
        self.table = RunTable()
        for widget in (self.dataset, self.settings, self.plan_fold, self.no_runs):
            self.column.addWidget(widget)
        self.footer.addWidget(self.start_button)
        self.column.addWidget(self.run_panel, 2)
        self.column.addWidget(self.table, 1)
        self.column.addStretch(0)

    def _connect(self) -> None:
        self.dataset.chosen.connect(self._on_dataset)
        self.dataset.curation_wanted.connect(lambda: self.viewer_app.dock("Curation"))
        self.dataset.sample_wanted.connect(lambda: self.attempt(self._make_sample))
        self.settings.changed.connect(self._on_settings)
        self.start_button.clicked.connect(self.start)
        self.run_panel.stop_wanted.connect(self.stop)
        self.run_panel.resume_wanted.connect(self.resume)
        self.run_panel.longer_wanted.connect(self.train_longer)
        self.run_panel.predict_wanted.connect(self.predict)
        self.table.chosen.connect(self._on_run_chosen)
        self.watcher.updated.connect(self._on_update)
        app = self.viewer_app.app
        app.dataset_chosen.connect(self._on_dataset_chosen)
        app.datasets_changed.connect(self._list_datasets)
        app.models_changed.connect(self._list_models)
        self.viewer_app.viewer.events.theme.connect(self._on_theme)

    def _on_theme(self, event: Any = None) -> None:
        from napari.utils.theme import get_theme

        theme = get_theme(self.viewer_app.viewer.theme)
        self.run_panel.curves.set_colours(theme.background.as_hex(), theme.text.as_hex())

    # The workspace and the choices

    def _on_study(self, found: study.Study) -> None:
        self.settings.set_value(found.config)
        self.settings.offer_models(found.models)
        self.run_panel.show_minutes(self.settings.minutes)
        self.dataset.offer(found.datasets)
        self.dataset.box.set_value(found.dataset)
        self._look_at_dataset()
        self._on_listed(found.runs)
        if found.run is not None:
            self.show_run(found.run)

    def _config(self) -> TrainConfig:
        return replace(self.settings.value(), dataset=self.dataset.value())

    def _on_settings(self) -> None:
        self.run_panel.show_minutes(self.settings.minutes)
        self._keep.start()

    def _remember(self) -> None:
        """Keep the choices; a value that is being typed and makes no sense yet waits."""
        self._keep.stop()
        try:
            config = self._config()
        except ConfigError:
            return
        workspace = self.viewer_app.app.workspace
        self.workers.run(
            study.as_dict,
            config,
            lane="remember",
            on_result=lambda values: self.viewer_app.remember(study.CONFIG_KEY, values, workspace),
        )

    def _list_models(self) -> None:
        self.workers.run(
            study.list_models, self.viewer_app.app, lane="models", on_result=self.settings.offer_models
        )

    # The dataset

    def _on_dataset(self) -> None:
        self._look_at_dataset()
        self._keep.start()

    def _on_dataset_chosen(self, path: Path) -> None:
        self._list_datasets()
        if str(path) != self.dataset.value():
            self.choose_dataset(path)

    def _list_datasets(self) -> None:
        self.workers.run(
            study.list_datasets, self.viewer_app.app.workspace, lane="datasets", on_result=self._on_datasets
        )

    def _on_datasets(self, datasets: Sequence[Path]) -> None:
        self.dataset.offer(datasets)
        if not self.dataset.value() and datasets:
            self.dataset.box.set_value(datasets[0])
        self._look_at_dataset()

    def _look_at_dataset(self) -> None:
        path = self.dataset.value()
        if self._facts is None or str(self._facts.path) != path:
            self._set_facts(None)
            self.dataset.show_looking()
        if not path:
            self.workers.drop("facts")
            self.dataset.show_empty()
            return
        self.workers.run(
            self._scout.look,
            Path(path),
            lane="facts",
            on_result=self._on_facts,
            on_error=self._on_no_facts,
        )

    def _on_facts(self, facts: DatasetFacts) -> None:
        self._set_facts(facts)
        self.dataset.show_facts(facts)

    def _on_no_facts(self, error: Exception) -> None:
        self._set_facts(None)
        self.dataset.show_problem(str(error))

    def _set_facts(self, facts: DatasetFacts | None) -> None:
        self._facts = facts
        self.settings.show_channels(facts.channels if facts is not None else ())
        self._show_start()
        self._show_plan()

    def _make_sample(self) -> None:
        workspace = self.viewer_app.app.workspace
        path = workspace.new_folder(workspace.datasets_dir, "sample nuclei")
        self.dataset.show_looking()
        self.workers.run(
            study.make_sample, path, lane="sample", on_result=self._on_sample, on_error=self._on_no_facts
        )

    def _on_sample(self, path: Path) -> None:
        self.dataset.box.set_value(path)
        self.viewer_app.app.datasets_changed.emit()
        self._keep.start()

    # Starting

    def _begin(self, function: Callable[..., Job], *arguments: Any) -> None:
        if self._starting:
            return
        self.message.clear()
        self._starting = True
        self._show_start()
        self.workers.run(
            function,
            self.viewer_app.app,
            *arguments,
            lane="start",
            on_result=self._on_started,
            on_error=self._on_not_started,
        )

    def _on_started(self, job: Job) -> None:
        self._starting = False
        self._show_start()
        self._show_job(job)
        self._list_runs()
        QTimer.singleShot(0, lambda: self.scroll.ensureWidgetVisible(self.run_panel, 0, 0))

    def _on_not_started(self, error: Exception) -> None:
        self._starting = False
        self._show_start()
        self.message.show_error(error)

    def _show_start(self) -> None:
        usable = self._facts is not None and self._facts.usable
        self.start_button.setEnabled(usable and not self._starting)
        self.start_button.setText("Starting…" if self._starting else "Start training")
        self.run_panel.resume.setEnabled(not self._starting)
        self.run_panel.longer.setEnabled(not self._starting)

    # The run on screen

    def _on_run_chosen(self, path: Path) -> None:
        self.message.clear()
        self.show_run(path)

    def _show_job(self, job: Job) -> None:
        self._plan = ()
        self.no_runs.hide()
        self.run_panel.show()
        self.run_panel.show_run(job.path)
        self.table.set_current(job.path)
        self.viewer_app.remember(study.RUN_KEY, job.path.name)
        self._update = None
        self.watcher.watch(RunFollower(job))

    def _release(self) -> None:
        self.watcher.release()
        self._update = None

    @property
    def _run_path(self) -> Path | None:
        """The run on screen."""
        return self.watcher.job.path if self.watcher.job is not None else None

    def _on_update(self, update: RunUpdate) -> None:
        if update.problem:
            self.message.show_error(update.problem)
            return
        before, self._update = self._update, update
        self.run_panel.show_update(update)
        if update.plan != self._plan or before is None:
            self._plan = update.plan
            self._show_plan()
        if before is not None and update.has_model != before.has_model:
            self.viewer_app.app.models_changed.emit()
        if before is None or update.state is not before.state:
            self._on_state(update, before)

    def _on_state(self, update: RunUpdate, before: RunUpdate | None) -> None:
        """Say how a training ended; of one that had ended before it is shown only what needs a remedy."""
        name = self._run_path.name if self._run_path is not None else ""
        if before is not None:
            self._list_runs()
        if update.state is JobState.lost:
            self.message.show_error(update.failure or f"{name} ended unexpectedly.", "Resume", self.resume)
        elif update.state is JobState.failed:
            self.message.show_error(update.failure or f"{name} failed: its log tells more.")
        elif before is not None and update.state is JobState.finished:
            self.message.show_info(f"{name} is trained.", "Predict with it", self.predict)
            self.viewer_app.app.models_changed.emit()
        elif before is not None and update.state is JobState.stopped:
            kept = "its best model so far is kept" if update.has_model else "there is no model of it yet"
            self.message.show_info(f"{name} is stopped; {kept}.", "Resume", self.resume)
            self.viewer_app.app.models_changed.emit()

    def _show_plan(self) -> None:
        if self._plan and self._run_path is not None:
            self.plan_fold.set_title(f"Plan of {self._run_path.name}")
            notes: Sequence[str] = self._plan
        else:
            self.plan_fold.set_title("Plan")
            notes = self._facts.notes() if self._facts is not None else ["Choose a dataset first."]
        self.plan.setText("\n".join(f"• {note}" for note in notes))

    # The list of runs

    def _list_runs(self) -> None:
        # Looks must not overlap, nor pile up where the disk is slow.
        self._relist.stop()
        self.workers.run(
            self._catalogue.look,
            self.viewer_app.app.workspace,
            lane="list",
            on_result=self._on_listed,
            on_error=self._on_not_listed,
        )

    def _on_listed(self, runs: Sequence[RunSummary]) -> None:
        self._show_runs(runs)
        self._relist.start()

    def _on_not_listed(self, error: Exception) -> None:
        logger.warning("The runs can't be listed: %s", error)
        self._relist.start()

    def _show_runs(self, runs: Sequence[RunSummary]) -> None:
        self.table.show_runs(runs)
        self.table.setVisible(bool(runs))
