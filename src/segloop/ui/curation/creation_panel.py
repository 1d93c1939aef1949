"""The page without a dataset, and the form for a new one or for more samples."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from segloop.app.presenters.curation.dataset_creation import ChosenLayers, DatasetCreation
from segloop.core.units import micrometres
from segloop.curation.creating import PixelSize, Plane
from segloop.ui.curation.activity_row import ActivityRow
from segloop.ui.curation.empty_state import EmptyState
from segloop.ui.curation.new_dataset import NewDatasetPanel
from segloop.ui.dock_layers import owner

if TYPE_CHECKING:
    from napari.layers import Layer

    from segloop.ui.viewer_app import ViewerApp


class CreationPanel(QWidget):
    """Shows the empty state or the form, and passes what the user wants on to the presenter.

    Parameters
    ----------
    creation : DatasetCreation
    viewer_app : ViewerApp
        The viewer's layers are offered; choices are remembered.
    """

    opened = Signal()
    """The user wants to describe a new dataset."""

    closed = Signal()
    """The user wants to go back without a new dataset."""

    def __init__(self, creation: DatasetCreation, viewer_app: ViewerApp) -> None:
        super().__init__()
        self._creation = creation
        self._viewer_app = viewer_app
        self.empty = EmptyState()
        self.panel = NewDatasetPanel(viewer_app, creation.pairing)
        self.progress = ActivityRow(creation.activity)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.empty)
        layout.addWidget(self.panel)
        layout.addWidget(self.progress)
        layout.addStretch(1)
        self.empty.folders_wanted.connect(self.show_folders)
        self.empty.layers_wanted.connect(self.show_layers)
        self.empty.sample_wanted.connect(creation.from_sample_images)
        self.panel.cancelled.connect(self.closed)
        self.panel.create_requested.connect(self._create)
        self.panel.raw_folder_changed.connect(creation.list_channels)
        self.panel.files_changed.connect(lambda: creation.pairing.look(self.panel.folders()))
        for button in (self.panel.from_folders, self.panel.from_layers, self.panel.from_dataset):
            button.toggled.connect(lambda _: self._show_ready())
        self.panel.dataset.chosen.connect(self._show_ready)
        creation.channels_found.connect(self._on_channels)
        creation.pairing.changed.connect(self._show_ready)
        creation.created.connect(self._on_created)
        creation.added.connect(self._on_created)
        creation.adding_to_changed.connect(self._show_purpose)
        creation.activity.started.connect(self._on_started)
        creation.activity.ended.connect(self._on_ended)
        for event in self._layer_events():
            event.connect(self._on_layers)
        self._show_purpose()
        self.hide()

    def show_stage(self, stage: str) -> None:
        """Show the empty state, the form, or nothing."""
        if stage == "creating":
            self.panel.from_folders.setChecked(True)
            self._show_form()
        self.empty.setVisible(stage == "empty")
        self.panel.setVisible(stage == "creating")
        self.setVisible(stage in ("empty", "creating"))

    def show_datasets(self, paths: Sequence[Path], current: Path | None) -> None:
        """Offer other datasets than the one that is open."""
        others = [path for path in paths if path != current]
        before = self.panel.dataset.value()
        self.panel.dataset.show_datasets(others, before if before != current else None)
        self._show_ready()

    def show_folders(self) -> None:
        """Let the user name folders."""
        self.opened.emit()
        self.panel.from_folders.setChecked(True)
        self._show_form()

    def show_layers(self) -> None:
        """Let the user choose open layers."""
        self.opened.emit()
        self.panel.from_layers.setChecked(True)
        self._show_form()

    def disconnect_viewer(self) -> None:
        """Listen to the viewer's layers no more."""
        for event in self._layer_events():
            event.disconnect(self._on_layers)

    def _create(self) -> None:
        name = self.panel.name.text().strip()
        if self.panel.from_dataset.isChecked():
            self._creation.from_dataset(self.panel.dataset.value())
        elif self.panel.from_layers.isChecked():
            self._creation.from_layers(name, self._chosen_layers(), self.panel.split())
        else:
            self._creation.from_pairs(name, self.panel.split())

    def _chosen_layers(self) -> ChosenLayers:
        layers, names = self._viewer_app.viewer.layers, self.panel.layer_names()
        raw = tuple(_plane(layers[name]) for name in names.raw)
        segmentations = tuple((name, _plane(layers[layer])) for name, layer in names.segmentations if layer)
        size = _pixel_size_um(layers[names.raw[0]]) if names.raw else (None, None, None)
        return ChosenLayers(raw, segmentations, size)

    def _on_started(self, text: str, cancellable: bool) -> None:
        self._show_ready()
        self.empty.setEnabled(False)

    def _on_ended(self) -> None:
        self._show_ready()
        self.empty.setEnabled(True)

    def _on_created(self, *_: Any) -> None:
        self.panel.name.clear()
        self._creation.pairing.look(self.panel.folders())

    def _show_purpose(self) -> None:
        path = self._creation.adding_to
        self.panel.show_addition(path.name if path is not None else "")
        self._show_ready()

    def _on_channels(self, names: Sequence[str]) -> None:
        before = self.panel.folders()
        self.panel.set_channels(names)
        if self.panel.folders() != before:
            self._creation.pairing.look(self.panel.folders())

    def _show_ready(self) -> None:
        """Say on the button what it will do."""
        pairing, path = self._creation.pairing, self._creation.adding_to
        of_files, other = self.panel.from_folders.isChecked(), self.panel.dataset.value()
        number = pairing.n_used if of_files else 0
        if path is None:
            text = f"Create dataset of {self._counted(number)}" if number else "Create dataset"
        else:
            text = f"Add {self._counted(number)}" if number else "Add"
            if self.panel.from_dataset.isChecked() and other is not None:
                text = f"Add the samples of {other.name}"
        self.panel.create.setText(text)
        searching = pairing.searching and of_files
        self.panel.create.setEnabled(not self._creation.activity.running and not searching)

    def _counted(self, number: int) -> str:
        return self._creation.pairing.counted(number)

    def _show_form(self) -> None:
        self._offer_layers()
        self.empty.hide()
        self.panel.show()
        (self.panel.name if self._creation.adding_to is None else self.panel.raw.line).setFocus()

    def _layer_events(self) -> tuple[Any, Any]:
        events = self._viewer_app.viewer.layers.events
        return events.inserted, events.removed

    def _on_layers(self, _: Any = None) -> None:
        if self.panel.isVisible():
            self._offer_layers()

    def _offer_layers(self) -> None:
        from napari.layers import Image, Labels

        others = [each for each in self._viewer_app.viewer.layers if owner(each) != "curation"]
        self.panel.set_layers(
            [each.name for each in others if isinstance(each, Image)],
            [each.name for each in others if isinstance(each, Labels)],
        )


def _plane(layer: Layer) -> Plane:
    data = layer.data[0] if getattr(layer, "multiscale", False) else layer.data
    return Plane(layer.name, data, bool(getattr(layer, "rgb", False)))


def _pixel_size_um(layer: Layer) -> PixelSize:
    """Return the layer's scale where its units are lengths; a bare scale says nothing about micrometres."""
    sizes = [
        micrometres(abs(float(scale)), unit) for scale, unit in zip(layer.scale, layer.units, strict=True)
    ]
    z, y, x = [None] * (3 - len(sizes)) + sizes[-3:]
    return z, y, x
