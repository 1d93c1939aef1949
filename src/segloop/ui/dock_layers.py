"""Which dock a layer belongs to, and showing only the layers of the dock in front.

A dock marks each layer that it adds with ``layer.metadata["segloop"] = "curation"`` (its name in lower case).
A layer without a mark belongs to the user and is never touched; taking the mark away hands the layer to the
user.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

OWNER = "segloop"
"""Key in a layer's metadata: the dock that added it, in lower case."""

_HIDDEN = "segloop_hidden"


def owner(layer: Layer) -> str:
    """Return the dock that added a layer, in lower case; empty for the user's own layers."""
    return str(layer.metadata.get(OWNER, ""))


def is_put_away(layer: Layer) -> bool:
    """Whether a layer is hidden only because another dock is in front."""
    return _HIDDEN in layer.metadata


class DockLayers:
    """Shows the layers of the dock in front; those of other docks hide and come back as they were.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Kept weakly.
    """

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = weakref.ref(viewer)
        self._front = ""
        self._active: dict[str, weakref.ref[Any]] = {}
        viewer.layers.events.inserted.connect(self._on_inserted)

    def set_front(self, dock: str) -> None:
        """Bring the layers of a dock back and hide those of the others.

        Parameters
        ----------
        dock : str
            Name of the dock; empty shows the layers of all docks.
        """
        viewer = self._viewer()
        if viewer is None or dock.lower() == self._front:
            return
        active = viewer.layers.selection.active
        if active is not None and owner(active) == self._front:
            self._active[self._front] = weakref.ref(active)
        self._front = dock.lower()
        for layer in list(viewer.layers):
            self._arrange(layer)
        last = self._active.pop(self._front, lambda: None)()
        if last is not None and last in viewer.layers:
            viewer.layers.selection.active = last

    def close(self) -> None:
        """Bring all layers back and stop."""
        self.set_front("")
        viewer = self._viewer()
        if viewer is not None:
            viewer.layers.events.inserted.disconnect(self._on_inserted)

    def _arrange(self, layer: Layer) -> None:
        mark = owner(layer)
        if mark and self._front and mark != self._front:
            if layer.visible:
                layer.metadata[_HIDDEN] = True
                layer.visible = False
        elif is_put_away(layer):
            layer.visible = True
            del layer.metadata[_HIDDEN]

    def _on_inserted(self, event: Any) -> None:
        self._arrange(event.value)
