"""``python -m segloop.ui WORKSPACE`` opens napari with the docks and the newest result of a workspace."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from segloop.app.workspace import Workspace
from segloop.artifacts.prediction.place import find_predictions
from segloop.images.read import open_image
from segloop.ui.viewer_app import viewer_app_for

if TYPE_CHECKING:
    from napari.viewer import Viewer

WINDOW = (1400, 900)
"""Width and height in pixels, so that a dock fits beside the canvas."""

DOCKS = ("Curation", "Training", "Prediction")


def open_docks(viewer: Viewer) -> None:
    """Open the three docks, the first one in front."""
    viewer_app = viewer_app_for(viewer)
    for name in (*DOCKS, DOCKS[0]):
        viewer_app.dock(name)


def show_newest_result(viewer: Viewer, workspace: Workspace) -> None:
    """Add image and labels of the first prediction in the workspace's newest prediction folder.

    They are to the left of the sample that the Curation dock shows.
    """
    folders = workspace.predictions()
    found = find_predictions(folders[0]) if folders else []
    if not found or found[0].provenance.input is None:
        return
    image = open_image(Path(found[0].provenance.input.path))
    pixels = image.load().squeeze()
    left = [0.0] * (pixels.ndim - 1) + [-1.1 * pixels.shape[-1]]
    viewer.add_image(pixels, name=image.name, translate=left)
    labels = found[0].output("labels")
    if labels is not None:
        found_objects = open_image(labels).load().squeeze()
        viewer.add_labels(found_objects, name=f"{image.name} labels", translate=left[-found_objects.ndim :])


def main(workspace: str) -> None:
    """Open napari; returns when its window is closed."""
    import napari

    Workspace(workspace).remember_as_last()
    viewer = napari.Viewer(title="Segloop")
    viewer.window.resize(*WINDOW)
    open_docks(viewer)
    show_newest_result(viewer, viewer_app_for(viewer).app.workspace)
    napari.run()


if __name__ == "__main__":
    main(sys.argv[1])
