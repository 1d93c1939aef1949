"""``python -m segloop.ui WORKSPACE`` opens napari with the docks and the newest result of a workspace."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from segloop.app.workspace import Workspace
from segloop.artifacts.prediction import find_predictions
from segloop.images.read import open_image
from segloop.ui.session import session_for

if TYPE_CHECKING:
    from napari.viewer import Viewer

DOCKS = ("Curation", "Training", "Prediction")


def open_docks(viewer: Viewer) -> None:
    """Open the three docks, the first one in front."""
    session = session_for(viewer)
    for name in (*DOCKS, DOCKS[0]):
        session.dock(name)


def show_newest_result(viewer: Viewer, workspace: Workspace) -> None:
    """Add the image and the labels of the first prediction in the workspace's newest prediction folder."""
    folders = workspace.predictions()
    found = find_predictions(folders[0]) if folders else []
    if not found or found[0].provenance.input is None:
        return
    image = open_image(Path(found[0].provenance.input.path))
    viewer.add_image(np.asarray(image.data).squeeze(), name=image.name)
    labels = found[0].output("labels")
    if labels is not None:
        viewer.add_labels(np.asarray(open_image(labels).data).squeeze(), name=f"{image.name} labels")


def main(workspace: str) -> None:
    """Open napari; returns when its window is closed."""
    import napari

    Workspace(workspace).remember_as_last()
    viewer = napari.Viewer(title="Segloop")
    open_docks(viewer)
    show_newest_result(viewer, session_for(viewer).app.workspace)
    napari.run()


if __name__ == "__main__":
    main(sys.argv[1])
