"""Labels in napari twice: as the Curation dock corrects them, and as a layer of bare napari."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from segloop.app.presenters.curation.label_editor import LabelEditor
from segloop.app.presenters.messages import Messages
from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.curation.pixel_cache import PixelCache
from segloop.curation.session import ReviewSession
from segloop.curation.snapshot import load_snapshot


@dataclass(frozen=True)
class SideBySide:
    """A viewer with both layers, and Qt's application."""

    viewer: Any
    application: Any
    editor: LabelEditor
    ours: Any
    bare: Any

    def show(self, layer: Any) -> None:
        """Show and select one of the layers, and hide the other."""
        self.viewer.layers.selection.active = layer
        layer.visible = True
        (self.bare if layer is self.ours else self.ours).visible = False


def open_side_by_side(dataset: CuratedDataset) -> SideBySide:
    """Open a viewer that shows the labels of a dataset's first sample in both ways."""
    import napari
    from qtpy.QtWidgets import QApplication

    from segloop.ui.curation.label_layer import LabelLayer

    session = ReviewSession(dataset)
    snapshot = load_snapshot(dataset, session.current, PixelCache())
    editor = LabelEditor(lambda: session, lambda: snapshot, lambda: True, Messages())
    editor.begin()
    viewer = napari.Viewer(show=True)
    n_axes = 3 if snapshot.pixels.n_slices > 1 else 2
    dock_layer = LabelLayer(viewer, editor, lambda layer: None)
    dock_layer.show((1.0,) * n_axes, ("pixel",) * n_axes)
    ours = dock_layer.layer
    bare = viewer.add_labels(np.array(ours.data), name="bare")
    bare.brush_size, bare.selected_label = ours.brush_size, ours.selected_label
    return SideBySide(viewer, QApplication.instance(), editor, ours, bare)
