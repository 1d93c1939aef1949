"""The Prediction dock: wires the model, what it is applied to, the job and its results."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from segloop.app import layers as layer_jobs
from segloop.app.jobs import Job
from segloop.app.layers import LayerImage, LayerJob
from segloop.app.results import score
from segloop.artifacts.job import JobFolder, JobState
from segloop.config import compose
from segloop.config.predict import OutputKind, PredictConfig, ThresholdConfig
from segloop.core.context import Context
from segloop.core.errors import Cancelled, ConfigError, JobError
from segloop.ui.prediction.batch_panel import BatchPanel, find
from segloop.ui.prediction.choices import Choices
from segloop.ui.prediction.empty_state import EmptyState
from segloop.ui.prediction.fit_panel import Check, FitPanel, check_images
from segloop.ui.prediction.geometry import OWN, placement, take_down
from segloop.ui.prediction.model_row import ModelEntry, ModelRow, load_entries
from segloop.ui.prediction.opening import OpenedImage, add_to_viewer, open_predicted
from segloop.ui.prediction.output_row import OutputRow
from segloop.ui.prediction.result_layers import ResultLayers
from segloop.ui.prediction.result_panel import ResultPanel
from segloop.ui.prediction.results import Result, Results, save_all
from segloop.ui.prediction.source_panel import SourcePanel
from segloop.ui.prediction.threshold_panel import ThresholdPanel
from segloop.ui.prediction.watch import JobWatch, News, progress_of
from segloop.ui.session import session_for
from segloop.ui.widgets.fold import Fold
from segloop.ui.widgets.form import ConfigForm
from segloop.ui.widgets.page import Page
from segloop.ui.widgets.progress import ProgressRow

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer

    from segloop.app.workspace import Workspace

_HARDWARE = ("device.kind", "device.precision", "tile_size")
_FILES_JOB = ".segloop"


class PredictionDock(Page):
    """Choose a model, apply it to open layers or to files, look, move thresholds, save."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(session_for(napari_viewer), "Prediction")
        self._check = Check(())
        self._preparing: Any = None
        self._running = ""
        self._cancelling = False
        self._sources: list[list[Image]] = []
        self.choices = Choices(self.session)
        self._make_widgets(napari_viewer)
        self.results = Results(napari_viewer, self.workers)
        self.watch = JobWatch(self.workers)
        self._connect(napari_viewer)
        self._enable()
        self.on_workspace(self.session.app.workspace)
        self.workers.run(_warm_up, self.session.app, lane="warm up", on_error=self.message.show_error)

    # What the user can do.

    def predict(self) -> None:
        """Apply the model to what is chosen."""
        self.message.clear()
        self.attempt(self._start)

    def cancel(self) -> None:
        """Stop the prediction; what is finished is kept."""
        self._cancelling = True
        if self._preparing is not None:
            self._preparing.cancel()
        self.attempt(self.watch.stop)

    def use_model(self, path: str) -> None:
        """Add a model from elsewhere to the list, and choose it."""
        self.choices.add_model(path)
        self._list_models(path)

    def save(self, folder: Path) -> None:
        """Save all results into a folder."""
        self.choices.save_folder = str(folder)
        finished = [result for result in self.results.finished() if result.kept.can_decode]
        wanted = [(result.kept, result.display.name, result.source_path) for result in finished]
        thresholds = finished[0].shown.thresholds if finished else self.thresholds.value()
        self._busy_with(
            "Saving", save_all, wanted, self.outputs.value(), thresholds, folder, then=self._on_saved
        )

    def score(self, name: str) -> None:
        """Compare the result with a labels layer."""
        result = self._result_for_score()
        if result is None or name not in self.session.viewer.layers:
            return
        arrays = result.shown.arrays
        kind = next(
            kind for kind in (OutputKind.labels, OutputKind.classes, OutputKind.mask) if kind in arrays
        )
        self.workers.run(
            score,
            arrays[kind],
            self.session.viewer.layers[name].data,
            objects=kind is OutputKind.labels,
            lane="score",
            on_result=self.result_panel.show_score,
            on_error=self.message.show_error,
        )

    # Page's hooks.

    def on_workspace(self, workspace: Workspace) -> None:
        """Show the choices remembered for another workspace."""
        self.choices.restore(self)
        self._list_models(self.choices.model)
        self.workers.run(layer_jobs.clean_scratch, workspace.scratch_dir, lane="clean", on_error=_ignore)
        self._find_job()

    def on_close(self) -> None:
        """Leave layers to the user; a prediction of files goes on, one of layers is stopped."""
        self.session.app.models_changed.disconnect(self._on_models, missing_ok=True)
        if self._running == "layers":
            self.attempt(self.watch.stop)
        self.watch.let_go()
        self.sources.layers.disconnect_viewer()
        layers = self.session.viewer.layers
        for event in (layers.events.inserted, layers.events.removed):
            event.disconnect(self._offer_truths)
        self.results.close()

    # Making.

    def _make_widgets(self, viewer: Viewer) -> None:
        self.empty = EmptyState()
        self.body = QWidget()
        self.model_row = ModelRow()
        self.sources = SourcePanel(viewer)
        self.fit_panel = FitPanel()
        self.outputs = OutputRow()
        self.hardware = Fold("Device, tiles, precision", self.session, "prediction.hardware")
        self.form = ConfigForm(PredictConfig(), self.session, only=_HARDWARE, folded=False)
        self.hardware.body.addWidget(self.form)
        self.predict_button = QPushButton("Predict", toolTip="Apply the model (Ctrl+Return)")
        self.predict_button.setShortcut(QKeySequence("Ctrl+Return"))
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
            self.fit_panel,
            self.outputs,
            self.hardware,
            self.predict_button,
            self.progress,
            self.thresholds,
            self.result_panel,
            self.batch,
        ):
            column.addWidget(widget)
        self.column.addWidget(self.empty)
        self.column.addWidget(self.body)
        self.column.addStretch(1)
        self.empty.hide()
        self.body.hide()
        self.result_panel.hide()

    def _connect(self, viewer: Viewer) -> None:
        self.session.app.models_changed.connect(self._on_models)
        self.empty.training_wanted.connect(lambda: self.session.dock("Training"))
        self.empty.folder_wanted.connect(self.model_row.browse_folder)
        self.empty.zip_wanted.connect(self.model_row.browse_zip)
        self.model_row.chosen.connect(self._on_model)
        self.model_row.browsed.connect(self.use_model)
        self.sources.changed.connect(self._look)
        self.sources.mode_changed.connect(self._on_mode)
        self.fit_panel.changed.connect(self._on_fit_chosen)
        self.outputs.changed.connect(self._on_outputs)
        self.predict_button.clicked.connect(self.predict)
        self.progress.cancelled.connect(self.cancel)
        self.thresholds.changed.connect(lambda: self.results.set_thresholds(self.thresholds.value()))
        self.results.changed.connect(self._on_results)
        self.results.failed.connect(self.message.show_error)
        self.results.adopted.connect(self.thresholds.set_value)
        self.results.painted.connect(self._on_painted)
        self.result_panel.save_requested.connect(self.save)
        self.result_panel.score_requested.connect(self.score)
        self.batch.open_requested.connect(self._open_prediction)
        self.batch.rethreshold_requested.connect(self._rethreshold)
        self.watch.news.connect(self._on_news)
        for event in (viewer.layers.events.inserted, viewer.layers.events.removed):
            event.connect(self._offer_truths)
        self._offer_truths()

    # The model, and whether it fits.

    def _list_models(self, wanted: str) -> None:
        self.workers.run(
            _load_models,
            self.session.app,
            self.choices.extra_models,
            lane="models",
            on_result=partial(self._on_listed, wanted),
            on_error=self.message.show_error,
        )

    def _on_models(self) -> None:
        entry = self.model_row.entry
        self._list_models(entry.path if entry is not None else self.choices.model)

    def _on_listed(self, wanted: str, entries: list[ModelEntry]) -> None:
        before = self.model_row.entry
        self.model_row.set_entries(entries, wanted)
        self.empty.setVisible(not entries)
        self.body.setVisible(bool(entries))
        problem = next((each.problem for each in entries if each.path == wanted and each.problem), "")
        if problem:
            self.message.show_error(problem)
        entry = self.model_row.entry
        if entry is not None and (before is None or _identity(before) != _identity(entry)):
            self._on_model()

    def _on_model(self) -> None:
        entry = self.model_row.entry
        if entry is None:
            return
        self.choices.model = entry.path
        if entry.model is not None:
            target = entry.model.target()
            self.outputs.offer(target.outputs, self._wanted_kinds(target))
            self.thresholds.set_model(entry.model.thresholds, splits=target.kind == "instance")
            if not self.results.finished():
                self.thresholds.set_value(self.choices.thresholds(entry.model) or entry.model.thresholds)
            self.results.set_kinds(self.outputs.value())
        self._look()

    def _wanted_kinds(self, target: Any) -> list[str]:
        natural = [target.outputs[0].value]
        if self.sources.is_files:
            natural.append(OutputKind.probability.value)
        wanted = self.choices.kinds(self.sources.is_files)
        return wanted if any(kind.value in wanted for kind in target.outputs) else natural

    def _on_mode(self) -> None:
        entry = self.model_row.entry
        if entry is not None and entry.model is not None:
            target = entry.model.target()
            self.outputs.offer(target.outputs, self._wanted_kinds(target))
        self.choices.set_mode(self.sources.is_files)
        self._show_batch()

    def _on_outputs(self) -> None:
        self.choices.set_kinds(self.sources.is_files, self.outputs.value())
        if not self.sources.is_files:
            self.results.set_kinds(self.outputs.value())
        self._enable()

    def _on_fit_chosen(self) -> None:
        entry = self.model_row.entry
        if entry is not None and self.fit_panel.combos:
            self.choices.remember_channels(entry.name, self._check.channel_names, self.fit_panel.chosen())
        self.choices.slices = self.fit_panel.slices.isChecked()
        self._look()

    def _look(self) -> None:
        """Find out whether the model fits what is chosen."""
        entry = self.model_row.entry
        self.choices.set_paths(self.sources.inputs.value(), self.sources.out.value())
        sources = self._chosen()
        if entry is None or entry.model is None or not sources:
            self.workers.drop("check")
            self._check = Check(())
            self.fit_panel.clear()
            self._enable()
            return
        config = self.fit_panel.apply(PredictConfig())
        card = entry.model.card
        self.workers.run(
            check_images,
            card,
            sources,
            config,
            lane="check",
            on_result=partial(self._on_checked, entry),
            on_error=self.message.show_error,
        )

    def _on_checked(self, entry: ModelEntry, check: Check) -> None:
        card = entry.model.card
        self._check = check
        before = self.fit_panel.chosen()
        wanted = self.choices.channels(entry.name, check.channel_names)
        self.fit_panel.offer(card.recipe.channels, check.channel_names, wanted)
        self.fit_panel.display(check, is_2d=card.axes == "YX")
        self._enable()
        if self.fit_panel.chosen() != before:  # other channels are asked for, with a guess
            self._look()

    def _chosen(self) -> list[LayerImage] | list[str]:
        self._sources = []
        if self.sources.is_files:
            return self.sources.inputs.values()
        ticked = self.sources.layers.ticked()
        axes = {layer: self.sources.layers.axes(layer) for layer in ticked}
        entry = self.model_row.entry
        n_inputs = (
            len(entry.model.card.recipe.channels) if entry is not None and entry.model is not None else 1
        )
        single = [layer for layer in ticked if "C" not in axes[layer] and not layer.rgb]
        if n_inputs > 1 and len(single) == len(ticked) > 1 and len({axes[layer] for layer in ticked}) == 1:
            self._sources = [ticked]  # layers that are the channels of one image
        else:
            self._sources = [[layer] for layer in ticked]
        return [take_down(layers, axes[layers[0]]) for layers in self._sources]

    # Predicting.

    def _start(self) -> None:
        entry = self.model_row.entry
        if entry is None or entry.model is None:
            raise JobError("No model is chosen: choose one at the top.")
        if self._running:
            raise JobError("A prediction is under way: wait for it, or cancel it.")
        config = self._config()
        chosen = self._chosen()
        if not chosen:
            raise JobError("Nothing is chosen: tick a layer, or name files or a folder.")
        self.choices.remember_thresholds(entry.model, self.thresholds.value())
        self.choices.device = compose.to_dict(config)
        self._cancelling = False
        self._running = "files" if self.sources.is_files else "layers"
        app = self.session.app
        if self.sources.is_files:
            out = Path(self.sources.out.value()) if self.sources.out.value() else _new_folder(app, chosen[0])
            folder = out / _FILES_JOB if self.sources.out.value() else out
            self.batch.begin(out)
            start = partial(layer_jobs.start_files, app.helper, entry.path, chosen, config, out, folder)
        else:
            config = replace(config, outputs=[*_natural(config, entry), OutputKind.probability])
            folder = layer_jobs.new_scratch(app.workspace.scratch_dir)
            start = partial(layer_jobs.start, app.helper, entry.path, chosen, config, folder)
        places = [
            (layers, image, self.sources.layers.axes(layers[0]))
            for layers, image in zip(self._sources, chosen, strict=False)
        ]
        self.progress.start("Starting")
        self._enable()
        self._preparing = self.workers.run(
            start,
            lane="start",
            on_result=partial(self._on_started, places, self.thresholds.value()),
            on_error=self._on_not_started,
            on_progress=self.progress.set_progress,
        )

    def _config(self) -> PredictConfig:
        config = self.fit_panel.apply(self.form.value())
        kinds = self.outputs.value()
        if not kinds:
            raise ConfigError("No output is ticked: tick at least one under Give.")
        own = self.thresholds.is_own
        values = self.thresholds.value()
        chosen = (
            ThresholdConfig()
            if own
            else ThresholdConfig(values.foreground, values.min_size, values.splitting)
        )
        return replace(config, outputs=kinds, threshold=chosen)

    def _on_started(self, places: list[Any], thresholds: Any, started: LayerJob | Job) -> None:
        self._preparing = None
        if isinstance(started, LayerJob):
            results = []
            for (layers, image, axes), path in zip(places, started.inputs, strict=True):
                display = ResultLayers(
                    self.session.viewer, layers[-1], image.name, axes, placement(layers[0], axes)
                )
                record = started.folder / "output" / f"{Path(path).name.removesuffix('.ome.zarr')}.json"
                results.append(Result(display, path, record, started.folder, image.source))
            self.results.expect(results, thresholds)
            job = started.job
        else:
            job = started
            self.choices.files_job = str(job.path)
        self.watch.follow(job)
        if self._cancelling:
            self.attempt(self.watch.stop)

    def _on_not_started(self, error: Exception) -> None:
        self._end()
        self.message.show_error(error)

    def _on_news(self, news: News) -> None:
        for event in news.events:
            if event["kind"] == "progress" and not self._cancelling:
                self.progress.set_progress(progress_of(event))
        if self._running == "files":
            self.batch.on_events(news.events)
        else:
            self.results.on_events(news.events)
        if news.state.ended:
            self._on_ended(news)

    def _on_ended(self, news: News) -> None:
        files = self._running == "files"
        cancelled = self._cancelling
        said = [e["text"] for e in news.events if e["kind"] == "message" and e.get("level") == "error"]
        self._end()
        if files:
            self._find_predictions()
        else:
            self.results.forget_coming()
        if cancelled and news.state is not JobState.finished:
            kept = "; what was finished until then is kept" if files else ""
            self.message.show_error(Cancelled(f"Cancelled{kept}."))
        elif news.state is JobState.lost:
            self.message.show_error(_lost(news.failure, files), "Predict again", self.predict)
        elif news.state is JobState.failed:
            self.message.show_error(news.failure or "The prediction failed: try again.")
        elif said and not files:
            self.message.show_error(said[-1])
        if news.state is JobState.lost or cancelled:
            # The process may be gone; a new one should be warm when it is needed.
            self.workers.run(_warm_up, self.session.app, lane="warm up", on_error=self.message.show_error)

    def _end(self) -> None:
        self._preparing = None
        self._running = ""
        self.progress.finish()
        self._enable()

    def _enable(self) -> None:
        ready = not self._running and self._check.fits and bool(self.outputs.value())
        self.predict_button.setEnabled(ready)

    # Results.

    def _on_results(self) -> None:
        finished = self.results.finished()
        self.result_panel.set_summaries([(each.display.name, each.shown.summary) for each in finished])
        self.result_panel.set_folder(
            self.choices.save_folder or str(self.session.app.workspace.predictions_dir)
        )

    def _on_painted(self, name: str) -> None:
        self.message.show_info(
            f"You painted on {name}: it is yours now. Moving a threshold makes a new layer beside it; "
            "save yours with File > Save Selected Layers."
        )

    def _on_saved(self, written: list[Path]) -> None:
        outputs = [path for path in written if path.suffix != ".json"]
        words = "1 file" if len(outputs) == 1 else f"{len(outputs)} files"
        self.message.show_info(f"Saved {words} in {written[0].parent}, each with where it came from.")

    def _result_for_score(self) -> Result | None:
        finished = self.results.finished()
        active = self.session.viewer.layers.selection.active
        chosen = [each for each in finished if each.display.holds(active) or each.display.source is active]
        return (chosen or finished or [None])[0]

    def _offer_truths(self, _: Any = None) -> None:
        from napari.layers import Labels

        layers = self.session.viewer.layers
        self.result_panel.set_truths(
            [each.name for each in layers if isinstance(each, Labels) and each.metadata.get("segloop") != OWN]
        )

    # Files.

    def _find_job(self) -> None:
        """Follow a prediction of files that was started earlier, or show what came of it."""
        remembered = self.choices.files_job
        if self._running or not remembered or not JobFolder(remembered).folder.is_dir():
            return
        job = Job(Path(remembered))
        out = job.path.parent if job.path.name == _FILES_JOB else job.path
        self.batch.begin(out)
        self._show_batch()
        self._running = "files"
        self._cancelling = False
        self.progress.start("Looking for the prediction started earlier")
        self.watch.follow(job)

    def _show_batch(self) -> None:
        self.batch.setVisible(self.sources.is_files and self.batch.folder is not None)

    def _find_predictions(self) -> None:
        if self.batch.folder is not None:
            self.workers.run(
                find, self.batch.folder, lane="find", on_result=self.batch.set_found, on_error=_ignore
            )

    def _open_prediction(self, record: Path) -> None:
        self.workers.run(
            open_predicted,
            record,
            lane="open image",
            on_result=partial(self._on_image_opened, record),
            on_error=self.message.show_error,
        )

    def _on_image_opened(self, record: Path, opened: OpenedImage) -> None:
        viewer = self.session.viewer
        layer = add_to_viewer(viewer, opened)
        display = ResultLayers(viewer, layer, opened.name, opened.axes, placement(layer, opened.axes))
        self.results.add(display, record)

    def _rethreshold(self, otsu: bool) -> None:
        from segloop.app.predicting import rethreshold

        values = self.thresholds.value()
        self._busy_with(
            "Decoding",
            rethreshold,
            self.batch.folder,
            foreground="otsu" if otsu else values.foreground,
            min_size=values.min_size,
            splitting=values.splitting,
            then=self._on_rethresholded,
        )

    def _on_rethresholded(self, summary: Any) -> None:
        self._find_predictions()
        words = "1 prediction" if summary.n_done == 1 else f"{summary.n_done} predictions"
        if summary.problems:
            self.message.show_warning(f"{words} decoded, {len(summary.problems)} not: {summary.problems[0]}")
        else:
            self.message.show_info(f"{words} decoded anew in {self.batch.folder}.")

    def _busy_with(self, words: str, function: Any, *arguments: Any, then: Any, **options: Any) -> None:
        """Run something long beside a job, with progress and Cancel, one at a time."""
        if self._running:
            self.message.show_warning("A prediction is under way: wait for it, or cancel it.")
            return
        self.message.clear()
        self._running = "other"
        self._cancelling = False
        self.progress.start(words)
        self._enable()

        def done(answer: Any) -> None:
            self._end()
            then(answer)

        self._preparing = self.workers.run(
            function,
            *arguments,
            lane="start",
            on_result=done,
            on_error=self._on_not_started,
            on_progress=self.progress.set_progress,
            **options,
        )


def _warm_up(app: Any, context: Context) -> None:
    context.check()
    app.helper.warm_up()


def _load_models(app: Any, extra: list[str], context: Context) -> list[ModelEntry]:
    return load_entries(app.models(), extra, context)


def _identity(entry: ModelEntry) -> tuple[str, str]:
    return entry.path, entry.model.card.model_dump_json() if entry.model is not None else entry.problem


def _natural(config: PredictConfig, entry: ModelEntry) -> list[OutputKind]:
    """Return the outputs to ask for besides the probability: what is ticked, or what the model learned."""
    ticked = [kind for kind in config.outputs if kind is not OutputKind.probability]
    return ticked or [entry.model.target().outputs[0]]


def _new_folder(app: Any, first: str) -> Path:
    path = Path(first)
    name = path.stem if path.is_file() else path.name
    return app.workspace.new_folder(app.workspace.predictions_dir, name)


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
