"""Which labels layers may hold the truth of a result."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from segloop.ui.dock_layers import owner
from segloop.ui.prediction.ownership import is_result
from segloop.ui.prediction.placement import lies_on
from segloop.ui.samples import IMAGE

if TYPE_CHECKING:
    from napari.layers import Layer


def truth_layers(layers: Iterable[Layer], result: Any) -> list[Layer]:
    """Return the labels layers that lie on the image of a result, those named like the image first.

    Layers that belong to another image are left out even if they have the same size and place: the truth of
    another sample image, and the layers of the Curation dock unless the result was made from its image.

    Parameters
    ----------
    layers : iterable of Layer
        Those of the viewer.
    result : ResultLayers
        The result to score.
    """
    source = result.source
    if source is None:
        return []
    found = [
        layer
        for layer in labels_layers(layers)
        if _belongs(layer, source, result) and lies_on(layer, source, result.axes)
    ]
    return sorted(found, key=lambda layer: not layer.name.startswith(result.name))


def labels_layers(layers: Iterable[Layer]) -> list[Layer]:
    """Return the labels layers that are no results."""
    from napari.layers import Labels

    return [layer for layer in layers if isinstance(layer, Labels) and not is_result(layer)]


def _belongs(layer: Layer, source: Layer, result: Any) -> bool:
    if IMAGE in layer.metadata and layer.metadata[IMAGE] != source.metadata.get(IMAGE):
        return False
    if owner(layer):  # another dock shows one image after another in the same layers
        return owner(layer) == owner(source) and result.source_is_unchanged
    return True
