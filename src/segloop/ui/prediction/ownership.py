"""Marks in the metadata of layers: results of this dock, and the truth of a sample image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from segloop.ui.dock_layers import OWNER
from segloop.ui.samples import IMAGE

if TYPE_CHECKING:
    from napari.layers import Layer

DOCK = "prediction"
"""Value of ``layer.metadata[OWNER]`` of the layers that this dock adds."""

_RESULT = "segloop_result"


def outline_truth(layer: Layer) -> None:
    """Show the truth of a sample image as outlines, so that it can't be taken for a result."""
    if IMAGE in layer.metadata and hasattr(layer, "contour"):
        layer.contour = 1


def result_marks() -> dict[str, Any]:
    """Return the metadata of a new result layer."""
    return {OWNER: DOCK, _RESULT: True}


def is_result(layer: Layer) -> bool:
    """Whether a layer was made by this dock and was not changed by the user since."""
    return _RESULT in layer.metadata


def give_to_user(layer: Layer, *, changed: bool) -> None:
    """Take the marks away, so that no dock hides the layer.

    Parameters
    ----------
    layer : napari.layers.Layer
        A result.
    changed : bool
        Whether the user has changed it; it is then no result any more, and may serve as input or truth.
    """
    layer.metadata.pop(OWNER, None)
    if changed:
        layer.metadata.pop(_RESULT, None)
