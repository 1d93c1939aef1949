"""From an empty dock to a dataset: the empty state, the panel for a new one, and the making of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from segloop.core.context import Context
from segloop.core.errors import ImageError
from segloop.core.units import micrometres
from segloop.curation.creating import Layers, PixelSize, Plane, create_from_folders, create_from_layers
from segloop.ui.curation.empty_state import EmptyState
from segloop.ui.curation.new_dataset import NewDatasetPanel
from segloop.ui.widgets.page import Page
from segloop.ui.widgets.progress import ProgressRow

if TYPE_CHECKING:
    from napari.layers import Layer


class DatasetMaker(QWidget):
    """Shows the empty state or the panel for a new dataset, and makes the dataset.

    Parameters
    ----------
    page : Page
        The dock; its message line and workers are used.
    """

    made = Signal(object, object)
    """Folder of the new dataset, and a sentence for each file that was left out."""

    closed = Signal()
    """The user wants back without making one."""

    def __init__(self, page: Page) -> None:
        super().__init__()
        self._page = page
        self.empty = EmptyState()
        self.panel = NewDatasetPanel(page.viewer_app)
        self.progress = ProgressRow()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.empty)
        layout.addWidget(self.panel)
        layout.addWidget(self.progress)
        layout.addStretch(1)
        self.empty.folders_wanted.connect(self.show_folders)
        self.empty.layers_wanted.connect(self.show_layers)
        self.empty.sample_wanted.connect(self.make_sample)
        self.panel.cancelled.connect(self.closed)
        self.panel.create_requested.connect(self.create)
        self.panel.raw_folder_changed.connect(self._list_channels)
        viewer = page.viewer_app.viewer
        for event in (viewer.layers.events.inserted, viewer.layers.events.removed):
            event.connect(self._on_layers)
        self.show_empty()

    def show_empty(self) -> None:
        """Say that there is no dataset, and what to do."""
        self.empty.show()
        self.panel.hide()

    def show_folders(self) -> None:
        """Let the user name folders."""
        self.panel.from_folders.setChecked(True)
        self._show_panel()

    def show_layers(self) -> None:
        """Let the user choose open layers."""
        self.panel.from_layers.setChecked(True)
        self._show_panel()

    def create(self) -> None:
        """Make what the panel describes."""
        self._page.message.clear()
        self._page.attempt(self._create)

    def make_sample(self) -> None:
        """Make a dataset of the bundled nuclei."""
        self._page.message.clear()
        self._page.attempt(self._create_sample)

    def disconnect_viewer(self) -> None:
        """Listen to the viewer's layers no more."""
        viewer = self._page.viewer_app.viewer
        for event in (viewer.layers.events.inserted, viewer.layers.events.removed):
            event.disconnect(self._on_layers)

    def _create_sample(self) -> None:
        workspace = self._page.viewer_app.app.workspace
        path = workspace.new_folder(workspace.datasets_dir, "sample nuclei")
        self._run(_make_sample, path)

    def _create(self) -> None:
        workspace = self._page.viewer_app.app.workspace
        split = self.panel.split()
        if self.panel.from_layers.isChecked():
            names = self.panel.layer_names()
            name = self.panel.name.text().strip() or (names.raw[0] if names.raw else "layers")
            path = workspace.new_folder(workspace.datasets_dir, name)
            images = workspace.new_folder(workspace.path / "images", path.name)
            self._run(create_from_layers, path, self._layers(names, images), split)
            return
        source = self.panel.folders()
        fallback = Path(source.raw.rstrip("/\\")).name.split("*")[0] or "dataset"
        if fallback.lower() in ("raw", "images", "image"):
            fallback = Path(source.raw).parent.name or fallback
        path = workspace.new_folder(workspace.datasets_dir, self.panel.name.text().strip() or fallback)
        self._run(create_from_folders, path, source, split)

    def _run(self, function: Any, path: Path, *arguments: Any) -> None:
        self.panel.create.setEnabled(False)
        self.empty.setEnabled(False)
        self.progress.start("Looking at the files")
        task = self._page.workers.run(
            function,
            path,
            *arguments,
            lane="create",
            on_result=self._on_made,
            on_error=self._on_error,
            on_progress=self.progress.set_progress,
        )
        self._cancel = task.cancel
        self.progress.cancelled.connect(self._cancel)

    def _on_made(self, answer: tuple[Any, tuple[str, ...]]) -> None:
        dataset, problems = answer
        self._end()
        self.panel.name.clear()
        self.made.emit(dataset.path, problems)

    def _on_error(self, error: Exception) -> None:
        self._end()
        self._page.message.show_error(error)

    def _end(self) -> None:
        self.progress.cancelled.disconnect(self._cancel)
        self.progress.finish()
        self.panel.create.setEnabled(True)
        self.empty.setEnabled(True)

    def _show_panel(self) -> None:
        self._offer_layers()
        self.empty.hide()
        self.panel.show()
        self.panel.name.setFocus()

    def _on_layers(self, _: Any = None) -> None:
        if self.panel.isVisible():
            self._offer_layers()

    def _offer_layers(self) -> None:
        from napari.layers import Image, Labels

        others = [
            each for each in self._page.viewer_app.viewer.layers if each.metadata.get("segloop") != "curation"
        ]
        self.panel.set_layers(
            [each.name for each in others if isinstance(each, Image)],
            [each.name for each in others if isinstance(each, Labels)],
        )

    def _layers(self, names: Any, images_dir: Path) -> Layers:
        layers = self._page.viewer_app.viewer.layers
        if not names.raw:
            raise ImageError("No raw layer is ticked: open an image in napari and tick it under Raw.")
        if not all(names.segmentations.values()):
            raise ImageError("No labels layer is chosen: open or draw one in napari and choose it.")
        raw = tuple(_plane(layers[name]) for name in names.raw)
        segmentations = {name: _plane(layers[chosen]) for name, chosen in names.segmentations.items()}
        return Layers(raw, segmentations, _pixel_size_um(layers[names.raw[0]]), images_dir)

    def _list_channels(self, folder: str) -> None:
        self._page.workers.run(
            _channel_names, folder, lane="channels", on_result=self.panel.set_channels, on_error=_ignore
        )


def _make_sample(path: Path, context: Context) -> tuple[Any, tuple[str, ...]]:
    from segloop.app.sample import make_sample_dataset

    context.check()
    return make_sample_dataset(path), ()


def _channel_names(folder: str, context: Context) -> tuple[str, ...]:
    from segloop.images.read import image_files, open_image

    image = open_image(image_files(folder)[0])
    context.check()
    return tuple(image.channel_names) if image.n_channels > 1 else ()


def _ignore(error: Exception) -> None:
    """Leave it to Create to say what is wrong with a folder that is still being typed."""


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
