"""An image on which models were compared, in the viewer: the image, its truth, each model, the difference."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from segloop.app.comparisons import ComparedPixels
from segloop.core.object_errors import ErrorKind
from segloop.evaluation.error_image import COLOURS
from segloop.ui.dock_layers import OWNER
from segloop.ui.error_contours import contours
from segloop.ui.pixel_scale import length_unit, plain, scale_and_units

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

DOCK = "training"
"""Value of ``layer.metadata[OWNER]`` of these layers."""


class ComparedLayers:
    """Shows one image at a time.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Where to show it.
    """

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self._layers: list[Layer] = []

    def show(self, pixels: ComparedPixels) -> None:
        """Show an image instead of the one before.

        What the best model has found is shown; what the others have, and the truth, can be switched on in
        napari's layer list. The difference of two models lies on top.
        """
        from napari.layers import Image, Labels

        self.remove()
        n_slices = pixels.raw.shape[1]
        scale, units = scale_and_units(pixels.pixel_size_um, n_slices, length_unit(self._viewer, DOCK))
        options: dict[str, Any] = {
            "scale": scale,
            "units": units,
            "axis_labels": ("z", "y", "x")[-len(scale) :],
        }
        several = len(pixels.channel_names) > 1
        for number, name in enumerate(pixels.channel_names):
            title = f"{pixels.sample}, {name}" if several else pixels.sample
            blending = "additive" if number else "translucent_no_depth"
            self._add(Image(plain(pixels.raw[number]), name=title, blending=blending, **options))
        truth = Labels(plain(pixels.truth), name=f"{pixels.sample}, truth", visible=False, **options)
        truth.contour = 1
        self._add(truth)
        best = True
        for name, labels in pixels.outputs.items():
            layer = Labels(plain(labels), name=f"{pixels.sample}, by {name}", visible=best, **options)
            layer.editable = False
            self._add(layer)
            best = False
        if pixels.difference is not None:
            title = f"{pixels.sample}, difference"
            self._add(contours(pixels.difference, plain(pixels.difference.labels[0]), name=title, **options))
        self._viewer.reset_view()

    def remove(self) -> None:
        """Take the layers out of the viewer."""
        layers, self._layers = self._layers, []
        for layer in layers:
            if layer in self._viewer.layers:
                self._viewer.layers.remove(layer)

    def _add(self, layer: Layer) -> None:
        layer.metadata[OWNER] = DOCK
        self._layers.append(layer)
        self._viewer.add_layer(layer)


def difference_legend(pixels: ComparedPixels) -> str:
    """Return in rich text what the colours of the difference mean; empty if there is none."""
    if pixels.difference is None:
        return ""
    first, second = (escape(name) for name in pixels.outputs)
    meanings = {
        ErrorKind.FOUND: "both",
        ErrorKind.MISSED: f"only {first}",
        ErrorKind.SPURIOUS: f"only {second}",
        ErrorKind.SPLIT: f"one in {first}, several in {second}",
        ErrorKind.MERGED: f"several in {first}, one in {second}",
    }
    parts = []
    for kind, meaning in meanings.items():
        number = len(pixels.difference.of_kind(kind))
        if number:
            parts.append(f'<span style="color:{COLOURS[kind]}">■</span> {number} {meaning}')
    return "<br>".join(parts)
