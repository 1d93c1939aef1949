"""The Prediction dock: binds widgets to the presenter."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from segloop.app.correcting import Corrections
from segloop.app.presenters.prediction.presenter import PredictionPresenter
from segloop.app.presenters.prediction.result import Result
from segloop.config.predict import PredictConfig
from segloop.ui.clock import QtClock
from segloop.ui.prediction.batch_panel import BatchPanel
from segloop.ui.prediction.compatibility_panel import CompatibilityPanel
from segloop.ui.prediction.error_layer import ErrorLayer
from segloop.ui.prediction.image_layers import add_to_viewer
from segloop.ui.prediction.layer_list import ChosenLayers
from segloop.ui.prediction.model_row import ModelRow
from segloop.ui.prediction.output_row import OutputRow
from segloop.ui.prediction.ownership import outline_truth
from segloop.ui.prediction.placement import placement
from segloop.ui.prediction.result_layers import ResultLayers
from segloop.ui.prediction.result_panel import ResultPanel
from segloop.ui.prediction.source_panel import SourcePanel
from segloop.ui.prediction.threshold_panel import ThresholdPanel
from segloop.ui.prediction.truth_layers import labels_layers, truth_layers
from segloop.ui.prediction.turns import Turns
from segloop.ui.repeating import WorkerRepeater
from segloop.ui.samples import SAMPLE
from segloop.ui.shortcuts import with_key
from segloop.ui.viewer_app import PLUGIN, viewer_app_for
from segloop.ui.widgets.fold import Fold
from segloop.ui.widgets.form import ConfigForm
from segloop.ui.widgets.page import Page
from segloop.ui.widgets.progress import ProgressRow

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from segloop.app.presenters.prediction.predicted_image import PredictedImage
    from segloop.app.scoring import Scored
    from segloop.app.workspace import Workspace

_HARDWARE = ("diameter", "contrast", "device.kind", "device.precision", "tile_size")
_LOOK_MS = 100


class PredictionDock(Page):
    """Choose a model, apply it to open layers or to files, look, move thresholds, save."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(viewer_app_for(napari_viewer), "Prediction")
        viewer = self.viewer_app.viewer
        self.turns = Turns(self)
        self.sources = SourcePanel(viewer)
        self.presenter = PredictionPresenter(
            self.viewer_app.app,
            self.viewer_app,
            self.workers,
            WorkerRepeater(self.workers, "watch", _LOOK_MS),
            QtClock(self),
            self.sources.layers.chosen,
            self._make_view,
        )
        self.results = self.presenter.results
        self.errors = ErrorLayer(viewer)
        self.job = self.presenter.job
        self._make_widgets()
        self._bind(viewer)
        self.on_workspace(self.viewer_app.app.workspace)
        self.presenter.warm_up()

    # What the user can do.

    def predict(self) -> None:
        """Apply the model to what is chosen."""
        self.presenter.predict()

    def use_model(self, path: str) -> None:
        """Add a model from elsewhere to the list, and choose it."""
        self.presenter.use_model(path)

    def open_folder(self, folder: Path) -> None:
        """List the predictions in a folder, to look at them or to change their thresholds."""
        self.presenter.files.open_folder(folder)

    # Page's hooks.

    def on_workspace(self, workspace: Workspace) -> None:
        """Show the choices remembered for another workspace."""
        self.presenter.open_workspace()
        self.form.set_value(self.presenter.device)
        self._check_images()

    def on_close(self) -> None:
        """Leave layers to the user; a prediction of files goes on, one of layers is stopped."""
        self.errors.remove()
        self.sources.layers.disconnect_viewer()
        for event in self._layer_events():
            event.disconnect(self._on_layers)
        self.viewer_app.viewer.layers.events.removed.disconnect(self._on_layer_removed)
        self.turns.finish()
        self.presenter.close()
        self.turns.finish()

    # Widgets.

    def _make_widgets(self) -> None:
        presenter = self.presenter
        self.body = QWidget()
        self.model_row = ModelRow(presenter.models)
        self.compatibility = CompatibilityPanel(presenter.check)
        self.outputs = OutputRow()
        self.hardware = Fold("Object size, contrast, device", self.viewer_app, "prediction.hardware")
        self.form = ConfigForm(PredictConfig(), self.viewer_app, only=_HARDWARE, folded=False)
        self.hardware.body.addWidget(self.form)
        self.predict_button = QPushButton("Predict")
        self.predict_button.setToolTip(with_key("Apply the model", "Prediction", "predict"))
        self.bind_commands({"predict": self.predict_button.click}, whole_window={"predict"})
        self.progress = ProgressRow()
        self.thresholds = ThresholdPanel()
        self.result_panel = ResultPanel()
        self.batch = BatchPanel(presenter.files.list)
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
        self.column.addWidget(self.body)
        self.column.addStretch(1)
        self.footer.addWidget(self.progress)
        self.footer.addWidget(self.predict_button)
        self.body.hide()
        self.predict_button.hide()
        self.result_panel.hide()

    def _bind(self, viewer: Viewer) -> None:
        self._bind_wishes()
        self._bind_state()
        for event in self._layer_events():
            event.connect(self._on_layers)
        viewer.layers.events.removed.connect(self._on_layer_removed)
        self._on_layers()

    def _bind_wishes(self) -> None:
        """Pass what the user wants on to the presenter."""
        presenter = self.presenter
        self.model_row.browsed.connect(self.use_model)
        self.sources.changed.connect(self._check_images)
        self.sources.mode_changed.connect(lambda: presenter.set_mode(self.sources.is_files))
        self.sources.opened.connect(self.open_folder)
        self.sources.layers.sample_wanted.connect(self._open_sample)
        self.outputs.changed.connect(lambda: presenter.tick(self.outputs.value()))
        self.form.changed.connect(self._on_form)
        self.predict_button.clicked.connect(self.predict)
        self.progress.cancelled.connect(presenter.cancel)
        self.thresholds.changed.connect(lambda: presenter.set_thresholds(self.thresholds.value()))
        self.result_panel.save_requested.connect(presenter.save)
        self.result_panel.score_requested.connect(self._score)
        self.result_panel.correct_requested.connect(presenter.correct)
        self.result_panel.legend.clicked.connect(self.errors.go_to_next)
        self.batch.open_requested.connect(presenter.files.open_prediction)
        self.batch.correct_requested.connect(presenter.correcting.correct_files)
        self.batch.rethreshold_requested.connect(lambda otsu: presenter.rethreshold(otsu=otsu))

    def _bind_state(self) -> None:
        """Show what the presenter knows."""
        presenter = self.presenter
        presenter.messages.changed.connect(self.message.show_message)
        presenter.ready_changed.connect(self._show_ready)
        presenter.mode_changed.connect(self._show_mode)
        presenter.outputs_changed.connect(self._show_outputs)
        presenter.thresholds_changed.connect(self._show_thresholds)
        presenter.check.changed.connect(self._show_stack)
        presenter.models_listed.connect(self._show_models)
        presenter.files.folder_opened.connect(self._on_folder)
        presenter.files.image_read.connect(self._show_prediction)
        presenter.actions.scored.connect(self._show_score)
        presenter.correcting.ready.connect(self._correct)
        presenter.files.list.changed.connect(self._show_batch)
        self.job.changed.connect(self._show_job)
        self.job.progressed.connect(self.progress.set_progress)
        self.results.changed.connect(self._show_results)

    # From the widgets to the presenter.

    def _check_images(self) -> None:
        chooser = self.sources.inputs
        self.presenter.set_inputs(chooser.values(), chooser.value(), self.sources.out.value())
        self.presenter.check_images()

    def _on_form(self) -> None:
        def take() -> None:
            self.presenter.device = self.form.value()

        self.attempt(take)

    def _open_sample(self) -> None:
        self.viewer_app.viewer.open_sample(PLUGIN, SAMPLE)
        self.presenter.predict_when_ready()

    def _make_view(self, chosen: ChosenLayers, model: str) -> ResultLayers:
        return ResultLayers(
            self.viewer_app.viewer,
            chosen.topmost,
            chosen.image.name,
            model,
            chosen.axes,
            chosen.placement,
            self.turns.later,
        )

    def _show_prediction(self, record: Path, image: PredictedImage) -> None:
        viewer = self.viewer_app.viewer
        layer = add_to_viewer(viewer, image)
        place = placement(layer, image.axes)
        view = ResultLayers(viewer, layer, image.name, image.model, image.axes, place, self.turns.later)
        self.results.add(view, record)

    def _score(self, name: str) -> None:
        result = self._selected()
        layers = self.viewer_app.viewer.layers
        if result is not None and name in layers:
            self.presenter.actions.score(result, np.asarray(layers[name].data))

    # From the presenter to the widgets.

    def _show_ready(self) -> None:
        self.predict_button.setEnabled(self.presenter.can_predict)

    def _show_mode(self) -> None:
        self.sources.show_choice(
            self.presenter.is_files, self.presenter.settings.inputs, self.presenter.settings.out
        )
        self._show_batch()

    def _show_models(self) -> None:
        self.body.show()
        self.predict_button.show()

    def _show_outputs(self) -> None:
        self.outputs.offer(self.presenter.offered, self.presenter.ticked)

    def _show_thresholds(self) -> None:
        self.thresholds.set_model(self.presenter.own_thresholds)
        self.thresholds.set_value(self.presenter.thresholds)

    def _show_stack(self) -> None:
        self.thresholds.set_stack(self.presenter.check.offers_slices)

    def _show_job(self) -> None:
        if self.job.busy and self.progress.isHidden():
            self.progress.start(self.job.message)
        elif not self.job.busy:
            self.progress.finish()

    def _show_score(self, result: Result, scored: Scored) -> None:
        self.result_panel.show_score(scored.words, scored.errors)
        if scored.errors is not None and isinstance(result.view, ResultLayers):
            self.errors.show(result.view, scored.errors)

    def _correct(self, corrections: Corrections) -> None:
        curation = self.viewer_app.dock("Curation")
        curation.correct(corrections.dataset, corrections.sample_ids[0], corrections.notes)

    def _show_results(self) -> None:
        self.errors.remove()  # those of other objects
        self.result_panel.set_summaries(self.results.summaries(), updating=self.results.slow)
        self.result_panel.set_folder(self.presenter.save_folder)
        self._on_layers()

    def _show_batch(self) -> None:
        self.batch.setVisible(self.presenter.is_files and self.presenter.files.list.folder is not None)

    def _on_folder(self) -> None:
        self.sources.predicted.set_value("")
        self._show_batch()
        self.scroll_to(self.batch)

    # Layers.

    def _layer_events(self) -> list[Any]:
        layers = self.viewer_app.viewer.layers
        return [layers.events.inserted, layers.events.removed, layers.selection.events.active]

    def _on_layers(self, _: Any = None) -> None:
        """Offer the truths of the selected result."""
        layers = self.viewer_app.viewer.layers
        for layer in labels_layers(layers):
            outline_truth(layer)
        result = self._selected()
        found = truth_layers(layers, result.view) if result is not None else []
        self.result_panel.set_truths([layer.name for layer in found], others=bool(labels_layers(layers)))

    def _on_layer_removed(self, event: Any) -> None:
        self.results.on_layer_removed(event.value)

    def _selected(self) -> Result | None:
        """Return the result that is selected in the layer list, else the first one."""
        finished = self.results.finished()
        active = self.viewer_app.viewer.layers.selection.active
        of_active = [each for each in finished if each.view.holds(active) or each.view.source is active]
        return next(iter(of_active or finished), None)
