"""The Prediction dock: wires the model, what it is applied to, the job and its results."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from segloop.app import layers as layer_jobs
from segloop.app.jobs import Job
from segloop.app.layers import LayerImage, LayerJob
from segloop.app.presenters.prediction.input_check import InputCheck
from segloop.app.presenters.prediction.model_list import ModelEntry, ModelList, load_entries
from segloop.app.presenters.prediction.settings import Settings
from segloop.artifacts.job.events import MessageEvent
from segloop.artifacts.job.state import JobState
from segloop.config.predict import OutputKind, PredictConfig
from segloop.core.context import Context
from segloop.core.errors import Cancelled, ConfigError, JobError
from segloop.ui.prediction.batch_panel import BatchPanel
from segloop.ui.prediction.compatibility_panel import CompatibilityPanel
from segloop.ui.prediction.empty_state import EmptyState
from segloop.ui.prediction.files import Files
from segloop.ui.prediction.keeping import Keeping
from segloop.ui.prediction.layer_list import ChosenLayers
from segloop.ui.prediction.model_row import ModelRow
from segloop.ui.prediction.output_row import OutputRow
from segloop.ui.prediction.result_layers import ResultLayers
from segloop.ui.prediction.result_panel import ResultPanel
from segloop.ui.prediction.results import Result, Results
from segloop.ui.prediction.runner import Doing, Ended, Runner
from segloop.ui.prediction.source_panel import SourcePanel
from segloop.ui.prediction.threshold_panel import ThresholdPanel
from segloop.ui.samples import SAMPLE
from segloop.ui.shortcuts import with_key
from segloop.ui.viewer_app import PLUGIN, viewer_app_for
from segloop.ui.widgets.fold import Fold
from segloop.ui.widgets.form import ConfigForm
from segloop.ui.widgets.page import Page
from segloop.ui.widgets.progress import ProgressRow

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from segloop.app.job_watcher import JobUpdate
    from segloop.app.workspace import Workspace
    from segloop.targets import ParameterSet

_HARDWARE = ("device.kind", "device.precision", "tile_size")


class PredictionDock(Page):
    """Choose a model, apply it to open layers or to files, look, move thresholds, save."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(viewer_app_for(napari_viewer), "Prediction")
        self.settings = Settings(self.viewer_app)
        self.models = ModelList()
        self.check = InputCheck(self.workers, self.settings)
        viewer = self.viewer_app.viewer
        self._make_widgets(viewer)
        self.results = Results(viewer, self.workers)
        self.runner = Runner(self.workers, self.progress)
        self.files = Files(self, self.batch, self.runner, self.results)
        self.files.listed.connect(self._on_folder)
        self.keeping = Keeping(self, self.result_panel, self.runner, self.results)
        self._connect(viewer)
        self._enable()
        self.on_workspace(self.viewer_app.app.workspace)
        self._warm_up()

    # What the user can do.

    def predict(self) -> None:
        """Apply the model to what is chosen."""
        self.message.clear()
        self.attempt(self._start)

    def cancel(self) -> None:
        """Stop the prediction; what is finished is kept."""
        self.runner.cancel()

    def use_model(self, path: str) -> None:
        """Add a model from elsewhere to the list, and choose it."""
        self.settings.add_model(path)
        self._list_models(path)

    def save(self, folder: Path) -> None:
        """Save all results into a folder."""
        self.settings.save_folder = str(folder)
        self.result_panel.set_folder(str(folder))
        if not self._refuse_second():
            self.keeping.save(folder, self.outputs.value())

    def open_folder(self, folder: Path) -> None:
        """List the predictions in a folder, to look at them or to decode them anew."""
        if not self._refuse_second():
            self.files.open_folder(folder)

    # Page's hooks.

    def on_workspace(self, workspace: Workspace) -> None:
        """Show the choices remembered for another workspace."""
        self._restore_settings()
        self.models.set_entries((), "")
        self._list_models(self.settings.model)
        self.workers.run(layer_jobs.clean_scratch, workspace.scratch_dir, lane="clean", on_error=_ignore)
        self.result_panel.set_folder(self.settings.save_folder or str(workspace.predictions_dir))
        self.files.find_again(self.settings.files_job)
        self._show_batch()

    def on_close(self) -> None:
        """Leave layers to the user; a prediction of files goes on, one of layers is stopped."""
        self.viewer_app.app.models_changed.disconnect(self._on_models, missing_ok=True)
        self.runner.close()
        self.sources.layers.disconnect_viewer()
        self.keeping.close()
        self.results.close()

    # Making.

    def _make_widgets(self, viewer: Viewer) -> None:
        self.empty = EmptyState()
        self.body = QWidget()
        self.model_row = ModelRow(self.models)
        self.sources = SourcePanel(viewer)
        self.compatibility = CompatibilityPanel(self.check)
        self.outputs = OutputRow()
        self.hardware = Fold("Device, tiles, precision", self.viewer_app, "prediction.hardware")
        self.form = ConfigForm(PredictConfig(), self.viewer_app, only=_HARDWARE, folded=False)
        self.hardware.body.addWidget(self.form)
        self.predict_button = QPushButton("Predict")
        self.predict_button.setToolTip(with_key("Apply the model", "Prediction", "predict"))
        self.bind_commands({"predict": self.predict_button.click}, whole_window={"predict"})
        self.progress = ProgressRow()
        self.thresholds = ThresholdPanel()
        self.result_panel = ResultPanel()
        self.batch = BatchPanel()
        column = QVBoxLayout(self.body)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        for widget in (
            self.model_row,
            self.sources,
            self.compatibility,
            self.outputs,
            self.hardware,
            self.thresholds,
            self.result_panel,
            self.batch,
        ):
            column.addWidget(widget)
        self.column.addWidget(self.empty)
        self.column.addWidget(self.body)
        self.column.addStretch(1)
        self.footer.addWidget(self.progress)
        self.footer.addWidget(self.predict_button)
        self.empty.hide()
        self.body.hide()
        self.predict_button.hide()
        self.result_panel.hide()

    def _connect(self, viewer: Viewer) -> None:
        self.viewer_app.app.models_changed.connect(self._on_models)
        self.empty.training_wanted.connect(lambda: self.viewer_app.dock("Training"))
        self.empty.folder_wanted.connect(self.model_row.browse_folder)
        self.empty.zip_wanted.connect(self.model_row.browse_zip)
        self.models.chosen_changed.connect(self._on_model)
        self.model_row.browsed.connect(self.use_model)
        self.sources.changed.connect(self._check_images)
        self.sources.layers.sample_wanted.connect(self._open_sample)
        self.sources.mode_changed.connect(self._on_mode)
        self.sources.opened.connect(self.open_folder)
        self.check.changed.connect(self._enable)
        self.check.failed.connect(self.message.show_error)
        self.outputs.changed.connect(self._on_outputs)
        self.predict_button.clicked.connect(self.predict)
        self.thresholds.changed.connect(lambda: self.results.set_thresholds(self.thresholds.value()))
        self.results.failed.connect(self.message.show_error)
        self.results.adopted.connect(self.thresholds.set_value)
        self.results.painted.connect(self._on_painted)
        self.result_panel.save_requested.connect(self.save)
        self.batch.rethreshold_requested.connect(self._rethreshold)
        self.runner.changed.connect(self._enable)
        self.runner.updated.connect(self._on_update)
        self.runner.ended.connect(self._on_ended)
        self.runner.failed.connect(self._on_failed)

    def _open_sample(self) -> None:
        self.viewer_app.viewer.open_sample(PLUGIN, SAMPLE)

    def _restore_settings(self) -> None:
        for widget in (self.sources, self.outputs):
            widget.blockSignals(True)
        self.sources.inputs.set_value(self.settings.inputs)
        self.sources.out.set_value(self.settings.out)
        self.sources.use_files.setChecked(self.settings.is_files)
        self.sources.use_layers.setChecked(not self.settings.is_files)
        for widget in (self.sources, self.outputs):
            widget.blockSignals(False)
        self.form.set_value(self.settings.device)

    # The model, and whether it fits.

    def _list_models(self, wanted: str) -> None:
        self.workers.run(
            _load_models,
            self.viewer_app.app,
            self.settings.extra_models,
            lane="models",
            on_result=partial(self._on_listed, wanted),
            on_error=self.message.show_error,
        )

    def _on_models(self) -> None:
        entry = self.models.chosen
        self._list_models(entry.path if entry is not None else self.settings.model)

    def _on_listed(self, wanted: str, entries: list[ModelEntry]) -> None:
        self.models.set_entries(entries, wanted)
        self.empty.setVisible(not entries)
        self.body.setVisible(bool(entries))
        self.predict_button.setVisible(bool(entries))
        problem = next((each.problem for each in entries if each.path == wanted and each.problem), "")
        if problem:
            self.message.show_error(problem)

    def _on_model(self) -> None:
        entry = self.models.chosen
        if entry is None:
            return
        self.settings.model = entry.path
        if entry.model is not None:
            target = entry.model.target()
            self.outputs.offer(target.outputs, self._wanted_kinds(target))
            self.thresholds.set_model(entry.model.parameters)
            if not self.results.finished():
                self.thresholds.set_value(self.settings.thresholds(entry.model) or entry.model.parameters)
            self.results.set_kinds(self.outputs.value())
        self._check_images()

    def _wanted_kinds(self, target: Any) -> list[str]:
        natural = [target.outputs[0].value]
        if self.sources.is_files:
            natural.append(OutputKind.probability.value)
        wanted = self.settings.outputs(self.sources.is_files)
        return wanted if any(kind.value in wanted for kind in target.outputs) else natural

    def _on_mode(self) -> None:
        entry = self.models.chosen
        if entry is not None and entry.model is not None:
            target = entry.model.target()
            self.outputs.offer(target.outputs, self._wanted_kinds(target))
        self.settings.is_files = self.sources.is_files
        self._show_batch()

    def _on_outputs(self) -> None:
        self.settings.remember_outputs(self.sources.is_files, self.outputs.value())
        if not self.sources.is_files:
            self.results.set_kinds(self.outputs.value())
        self._enable()

    def _check_images(self) -> None:
        """Find out whether the model fits what is chosen."""
        self.settings.inputs, self.settings.out = self.sources.inputs.value(), self.sources.out.value()
        self.check.check(self.models.chosen, self._chosen())

    def _chosen(self) -> list[LayerImage] | list[str]:
        if self.sources.is_files:
            return self.sources.inputs.values()
        return [each.image for each in self.sources.layers.chosen(self.models.n_inputs)]

    # Predicting.

    def _start(self) -> None:
        entry = self.models.chosen
        if entry is None or entry.model is None:
            raise JobError("No model is chosen: choose one at the top.")
        if self.runner.busy:
            raise JobError("A prediction is under way: wait for it, or cancel it.")
        config = self._config()
        if not self._chosen():
            raise JobError("Nothing is chosen: tick a layer, or name files or a folder.")
        self.settings.remember_thresholds(entry.model, self.thresholds.value())
        self.settings.remember_device(config)
        if self.sources.is_files:
            self._start_files(entry, config, self.sources.inputs.values())
        else:
            self._start_layers(entry, config)

    def _start_files(self, entry: ModelEntry, config: PredictConfig, inputs: list[str]) -> None:
        helper = self.viewer_app.app.helper
        out, folder = self.files.begin(self.sources.out.value(), inputs[0])
        self.settings.files_job = str(folder)
        start = partial(layer_jobs.start_files, helper, entry.path, inputs, config, out, folder)
        self.runner.run(Doing.files, "Starting", start, then=lambda job: job)
        self._show_batch()

    def _start_layers(self, entry: ModelEntry, config: PredictConfig) -> None:
        app = self.viewer_app.app
        # The thresholds act on the probability, so it is always asked for.
        config = replace(config, outputs=[*_natural(config, entry), OutputKind.probability])
        chosen = self.sources.layers.chosen(self.models.n_inputs)
        images = [each.image for each in chosen]
        start = partial(app.predict_layers, entry.path, images, config)
        then = partial(self._on_layers_started, chosen, entry.name, self.thresholds.value())
        self.runner.run(Doing.layers, "Starting", start, then=then)

    def _config(self) -> PredictConfig:
        config = self.check.apply(self.form.value())
        kinds = self.outputs.value()
        if not kinds:
            raise ConfigError("No output is ticked: tick at least one under Output.")
        return replace(config, outputs=kinds, threshold=self.thresholds.overrides())

    def _on_layers_started(
        self, chosen: list[ChosenLayers], model: str, thresholds: ParameterSet, started: LayerJob
    ) -> Job:
        results = []
        for each, path in zip(chosen, started.inputs, strict=True):
            display = ResultLayers(
                self.viewer_app.viewer,
                each.topmost,
                each.image.name,
                model,
                each.axes,
                each.placement,
                self.results.later,
            )
            record = started.folder / "output" / f"{Path(path).name.removesuffix('.ome.zarr')}.json"
            results.append(Result(display, path, record, started.folder, each.image.source))
        self.results.expect(results, thresholds)
        return started.job

    def _on_update(self, update: JobUpdate) -> None:
        if self.runner.doing is Doing.files:
            self.batch.on_events(update.events)
        else:
            self.results.on_events(update.events)

    def _on_failed(self, error: Exception) -> None:
        if isinstance(error, Cancelled):
            self.message.show_info("Cancelled.")
        else:
            self.message.show_error(error)

    def _on_ended(self, ended: Ended) -> None:
        files, update = ended.doing is Doing.files, ended.update
        said = [event.text for event in update.events_of(MessageEvent) if event.level == "error"]
        if files:
            self.files.list_found()
        else:
            self.results.forget_coming()
        if not ended.seen:
            return
        if ended.cancelled:
            kept = "; what was finished until then is kept" if files else ""
            self.message.show_info(f"Cancelled{kept}.")
        elif update.state is JobState.lost:
            self.message.show_error(_lost(update.failure, files), "Predict again", self.predict)
        elif update.state is JobState.failed:
            self.message.show_error(update.failure or "The prediction failed: try again.")
        elif said and not files:
            self.message.show_error(said[-1])
        # The process may be gone; another one should be warm when it is needed.
        self._warm_up()

    def _warm_up(self) -> None:
        self.workers.run(_warm_up, self.viewer_app.app, lane="warm up", on_error=self.message.show_error)

    def _enable(self) -> None:
        ready = not self.runner.busy and self.check.result.fits and bool(self.outputs.value())
        self.predict_button.setEnabled(ready)

    # Results.

    def _on_painted(self, name: str) -> None:
        self.message.show_info(
            f"You painted on {name}: it is yours now. Moving a threshold makes a new layer beside it; "
            "save yours with File > Save Selected Layers."
        )

    # Files.

    def _show_batch(self) -> None:
        self.batch.setVisible(self.sources.is_files and self.batch.folder is not None)

    def _on_folder(self) -> None:
        self.sources.predicted.set_value("")
        self._show_batch()
        QTimer.singleShot(0, lambda: self.scroll.ensureWidgetVisible(self.batch, 0, 0))

    def _rethreshold(self, otsu: bool) -> None:
        if not self._refuse_second():
            self.files.rethreshold(self.thresholds.value(), otsu=otsu)

    def _refuse_second(self) -> bool:
        self.message.clear()
        if self.runner.busy:
            self.message.show_warning("A prediction is under way: wait for it, or cancel it.")
        return self.runner.busy


def _warm_up(app: Any, context: Context) -> None:
    context.check()
    app.helper.warm_up()


def _load_models(app: Any, extra: list[str], context: Context) -> list[ModelEntry]:
    return load_entries(app.models(), extra, context)


def _natural(config: PredictConfig, entry: ModelEntry) -> list[OutputKind]:
    """Return the outputs to ask for besides the probability: what is ticked, or what the model learned."""
    ticked = [kind for kind in config.outputs if kind is not OutputKind.probability]
    return ticked or [entry.model.target().outputs[0]]


def _lost(failure: str, files: bool) -> str:
    _, _, said = failure.partition("It last said: ")
    kept = "what was finished is kept, " if files else ""
    return (
        f"The prediction process ended unexpectedly; {kept}napari goes on. "
        + (f"It last said: {said} " if said else "")
        + "If this happens again, choose a smaller tile size."
    )


def _ignore(error: Exception) -> None:
    """Nothing that the user asked for has failed."""
