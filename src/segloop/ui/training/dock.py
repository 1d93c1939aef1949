"""The Training dock: widgets that show what the presenter knows, and pass on what the user wants."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QPushButton

from segloop.app.comparisons import ComparedPixels
from segloop.app.presenters.training.comparing import Comparing
from segloop.app.presenters.training.presenter import TrainingPresenter
from segloop.app.run_follower import RunUpdate
from segloop.ui.clock import QtClock
from segloop.ui.repeating import WorkerRepeater
from segloop.ui.training.compared_layers import ComparedLayers, difference_legend
from segloop.ui.training.comparison_panel import ComparisonPanel
from segloop.ui.training.dataset_panel import DatasetPanel
from segloop.ui.training.run_panel import RunPanel
from segloop.ui.training.run_table import RunTable
from segloop.ui.training.settings import SettingsPanel
from segloop.ui.viewer_app import viewer_app_for
from segloop.ui.widgets.fold import Fold
from segloop.ui.widgets.page import Page

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from segloop.app.workspace import Workspace

_LOOK_MS = 200
_NO_RUNS = "No training yet: start one, and its curves appear here."


class TrainingDock(Page):
    """Start a training, watch it, stop it, continue it; it goes on when napari is closed."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(viewer_app_for(napari_viewer), "Training")
        shared = self.viewer_app
        repeater = WorkerRepeater(self.workers, "look", _LOOK_MS)
        self.presenter = TrainingPresenter(shared.app, self.workers, shared, QtClock(self), repeater)
        looks = WorkerRepeater(self.workers, "look at comparison", _LOOK_MS)
        self.comparing = Comparing(shared.app, self.workers, shared, looks, self.presenter.messages)
        self.compared_layers = ComparedLayers(shared.viewer)
        self._make_widgets()
        self._connect()
        self._show_theme()
        self.on_workspace(shared.app.workspace)

    def choose_dataset(self, path: Path) -> None:
        """Choose the dataset to learn from."""
        self.presenter.choose_dataset(path)

    # Page

    def on_workspace(self, workspace: Workspace) -> None:
        """Show what the workspace holds, with the choices made last."""
        self.message.clear()
        self.compared_layers.remove()
        self.presenter.open_workspace(workspace)
        self.comparing.open_workspace()

    def on_close(self) -> None:
        """Stop listening; trainings go on."""
        self.presenter.close()
        self.comparing.close()
        self.compared_layers.remove()
        self.viewer_app.viewer.events.theme.disconnect(self._show_theme)

    # Wiring

    def _make_widgets(self) -> None:
        self.dataset = DatasetPanel()
        self.settings = SettingsPanel(self.viewer_app)
        self.plan_fold = Fold("Plan", self.viewer_app, "training.plan")
        self.plan = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.plan_fold.body.addWidget(self.plan)
        self.start_button = QPushButton("Start training")
        self.start_button.setToolTip("Train in a separate process; you can keep using napari, or close it")
        self.no_runs = QLabel(_NO_RUNS, wordWrap=True)
        self.run_panel = RunPanel(self.viewer_app)
        self.table = RunTable()
        for widget in (self.dataset, self.settings, self.plan_fold, self.no_runs):
            self.column.addWidget(widget)
        self.column.addWidget(self.run_panel, 2)
        self.column.addWidget(self.table)
        self.comparison_fold = Fold("Compare models", self.viewer_app, "training.compare")
        self.comparison = ComparisonPanel()
        self.comparison_fold.body.addWidget(self.comparison)
        self.column.addWidget(self.comparison_fold)
        self.column.addStretch(0)
        self.footer.addWidget(self.start_button)

    def _connect(self) -> None:
        presenter = self.presenter
        self.dataset.chosen.connect(presenter.choose_dataset)
        self.dataset.curation_wanted.connect(lambda: self.viewer_app.dock("Curation"))
        self.dataset.sample_wanted.connect(presenter.make_sample)
        self.settings.changed.connect(self._on_settings)
        self.plan_fold.button.toggled.connect(presenter.plan.set_wanted)
        self.start_button.clicked.connect(lambda: presenter.start())
        self.run_panel.stop_wanted.connect(presenter.stop)
        self.run_panel.resume_wanted.connect(presenter.resume)
        self.run_panel.longer_wanted.connect(presenter.train_longer)
        self.run_panel.predict_wanted.connect(presenter.predict_wanted.emit)
        self.table.chosen.connect(presenter.show_run)
        presenter.settings_loaded.connect(self._show_settings)
        presenter.models_changed.connect(lambda: self.settings.offer_models(presenter.models))
        presenter.datasets_changed.connect(self._show_datasets)
        presenter.summary_changed.connect(self._show_summary)
        presenter.plan_changed.connect(self._show_plan)
        presenter.start_changed.connect(self._show_start)
        presenter.started.connect(self._on_started)
        presenter.run_chosen.connect(self._show_run)
        presenter.run_updated.connect(self._on_run_updated)
        presenter.run_list.changed.connect(self._show_runs)
        presenter.predict_wanted.connect(self._predict)
        presenter.messages.changed.connect(self.message.show_message)
        presenter.plan.set_wanted(self.plan_fold.opened)
        comparing = self.comparing
        self.comparison.model_ticked.connect(comparing.choose)
        self.comparison.split_chosen.connect(comparing.set_split)
        self.comparison.start_wanted.connect(lambda: comparing.start(presenter.dataset))
        self.comparison.cancel_wanted.connect(comparing.cancel)
        self.comparison.sample_chosen.connect(comparing.show_sample)
        presenter.models_changed.connect(lambda: comparing.set_models(presenter.models))
        comparing.models_changed.connect(self._show_compared_models)
        comparing.changed.connect(self._show_comparison)
        comparing.progressed.connect(self.comparison.show_progress)
        comparing.sample_read.connect(self._show_compared)
        self.viewer_app.viewer.events.theme.connect(self._show_theme)

    # What the user wants

    def _on_settings(self) -> None:
        self.presenter.set_config(self.settings.value)
        self.run_panel.show_minutes(self.settings.minutes)

    def _predict(self) -> None:
        if self.presenter.run is not None:
            self.viewer_app.dock("Prediction").use_model(str(self.presenter.run.path))

    # What the presenter says

    def _show_settings(self) -> None:
        self.settings.set_value(self.presenter.config)
        self.run_panel.show_minutes(self.settings.minutes)

    def _show_datasets(self) -> None:
        self.dataset.offer(self.presenter.datasets)
        self.dataset.set_value(self.presenter.dataset)

    def _show_summary(self) -> None:
        presenter = self.presenter
        self.dataset.show_text(
            presenter.dataset_text,
            curation=presenter.wants_curation,
            sample=not presenter.dataset,
        )
        self.settings.show_channels(presenter.summary.channels if presenter.summary is not None else ())

    def _show_plan(self) -> None:
        self.plan_fold.set_title(self.presenter.plan_title)
        self.plan.setText("\n".join(f"• {note}" for note in self.presenter.plan_notes))

    def _show_start(self) -> None:
        self.start_button.setEnabled(self.presenter.can_start)
        self.start_button.setText("Starting…" if self.presenter.starting else "Start training")
        self.run_panel.resume.setEnabled(not self.presenter.starting)
        self.run_panel.longer.setEnabled(not self.presenter.starting)

    def _on_started(self) -> None:
        self.scroll_to(self.run_panel)

    def _show_run(self) -> None:
        run = self.presenter.run
        self.no_runs.setVisible(run is None)
        self.run_panel.setVisible(run is not None)
        self.table.set_current(run.path if run is not None else None)
        if run is not None:
            self.run_panel.show_run(run)

    def _on_run_updated(self, update: RunUpdate) -> None:
        if self.presenter.run is not None:
            self.run_panel.show_update(self.presenter.run, update)

    def _show_runs(self) -> None:
        runs = self.presenter.run_list.runs
        self.table.show_runs(runs)
        self.table.setVisible(bool(runs))

    def _show_compared_models(self) -> None:
        self.comparison.show_models(self.comparing.models, self.comparing.chosen)
        self._show_comparison()

    def _show_comparison(self) -> None:
        comparing = self.comparing
        self.comparison.show_state(busy=comparing.busy, can_start=comparing.can_start, split=comparing.split)
        self.comparison.show_result(comparing.result)

    def _show_compared(self, pixels: ComparedPixels) -> None:
        self.compared_layers.show(pixels)
        self.comparison.show_legend(difference_legend(pixels))

    def _show_theme(self, event: Any = None) -> None:
        from napari.utils.theme import get_theme

        theme = get_theme(self.viewer_app.viewer.theme)
        self.run_panel.curves.set_colours(theme.background.as_hex(), theme.text.as_hex())
