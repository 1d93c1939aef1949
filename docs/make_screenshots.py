"""Make the screenshots of the documentation: real widgets, a real run, real images.

``xvfb-run -a -s "-screen 0 1600x1200x24" python docs/make_screenshots.py [DEMO_FOLDER]`` writes
``docs/images/*.png``. Without a folder that ``segloop demo`` has made, the demo runs first; such a
folder stays as it is.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

OUT = Path(__file__).parent / "images"
DOCK_WIDTH, HEIGHT, WIDTH = 420, 960, 1440
NAME = "nuclei-study"


def make_workspace(folder: Path) -> None:
    """Go once round the loop on the bundled nuclei."""
    from segloop.app.demo import run_demo

    run_demo(folder, say=print)


def make_curated_dataset(workspace: Path) -> None:
    """Make a dataset of the bundled nuclei with smoothed Otsu as second segmentation, partly reviewed."""
    import numpy as np
    import tifffile

    from segloop.app.sample import sample_folder
    from segloop.artifacts.dataset.curated_dataset import CuratedDataset
    from segloop.evaluation.baseline import otsu_labels
    from segloop.images.pairing import pair_by_stem

    second = workspace / "otsu"
    second.mkdir(exist_ok=True)
    for raw in (sample_folder() / "raw").glob("*.tif"):
        labels = otsu_labels(tifffile.imread(raw)[None].astype(np.float32))[0]
        tifffile.imwrite(second / raw.name, labels.astype(np.uint16))
    target = workspace / "datasets" / "review"
    if not target.exists():
        raw, manual = sample_folder() / "raw", sample_folder() / "seg"
        pairs = pair_by_stem(raw, manual, {"otsu": second}, name="manual").pairs
        CuratedDataset.create(target, pairs, name="sample nuclei")


class Stage:
    """A napari viewer with one dock at a time."""

    def __init__(self) -> None:
        import napari
        from napari.settings import get_settings
        from qtpy.QtWidgets import QApplication

        # What napari has to say about the Qt binding is not the documentation's subject.
        get_settings().application.gui_notification_level = "error"
        self.process_events = QApplication.processEvents
        self.viewer = napari.Viewer(title="Segloop")
        self.viewer.window.resize(WIDTH, HEIGHT)

    def wait(self, ready: Callable[[], bool], seconds: float = 180) -> None:
        """Let the event loop turn until something is so, and then a moment longer."""
        deadline = time.monotonic() + seconds
        while not ready():
            self.process_events()
            if time.monotonic() > deadline:
                raise TimeoutError("The screenshot's subject did not appear in time.")
        settled = time.monotonic() + 0.7
        while time.monotonic() < settled:
            self.process_events()

    def open(self, name: str):
        """Open a dock as the menu does, at the width it is designed for."""
        from qtpy.QtCore import Qt

        dock, widget = self.viewer.window.add_plugin_dock_widget("napari-segloop", name, tabify=True)
        window = self.viewer.window._qt_window
        window.resizeDocks([dock], [DOCK_WIDTH], Qt.Orientation.Horizontal)
        self.wait(lambda: not widget.workers.busy)
        return dock, widget

    def shoot(self, name: str, widget=None) -> None:
        """Write the whole window, or one widget, as PNG."""
        if widget is None:
            self.viewer.window.screenshot(str(OUT / f"{name}.png"), canvas_only=False, flash=False)
        else:
            widget.grab().save(str(OUT / f"{name}.png"))
        print(OUT / f"{name}.png")


def shoot_curation(stage: Stage, workspace: Path) -> None:
    """The Curation dock in the middle of a review, with a region excluded, then correcting labels."""
    dock, widget = stage.open("Curation")
    widget.open_dataset(workspace / "datasets" / "review")
    stage.wait(lambda: widget.review.session is not None and not widget.workers.busy)
    for _ in range(4):
        widget.accept()
        stage.wait(lambda: not widget.workers.busy)
    widget.reject()
    stage.wait(lambda: not widget.workers.busy)
    widget.review.session.add_region("exclude", "polygon", ((30, 40), (34, 110), (96, 122), (104, 52)))
    stage.wait(lambda: not widget.workers.busy)
    stage.viewer.reset_view()
    stage.wait(lambda: True)
    stage.shoot("curation")
    widget.run_command("cut")
    stage.wait(lambda: widget.review.editor.active and not widget.workers.busy)
    stage.shoot("labels")
    widget.run_command("correct")
    stage.viewer.window.remove_dock_widget(dock)


def shoot_training(stage: Stage, workspace: Path) -> None:
    """The Training dock with a finished run."""
    dock, widget = stage.open("Training")
    widget.choose_dataset(workspace / "datasets" / "nuclei")
    stage.wait(lambda: widget.run_panel.isVisible() and not widget.workers.busy)
    stage.shoot("training", dock)
    stage.viewer.window.remove_dock_widget(dock)


def shoot_comparison(stage: Stage) -> None:
    """Two models compared, and an image on which they differ."""
    dock, training = stage.open("Training")
    stage.wait(lambda: training.comparison.models.count() > 1)
    training.comparison_fold.set_opened(True)
    training.comparison.button.click()
    stage.wait(lambda: training.comparing.result is not None)
    training.comparison.images.selectRow(0)
    stage.wait(lambda: bool(training.comparison.legend.text()))
    training.scroll.verticalScrollBar().setValue(training.scroll.verticalScrollBar().maximum())
    stage.wait(lambda: True)
    stage.shoot("compare")
    training.comparison_fold.set_opened(False)
    stage.viewer.window.remove_dock_widget(dock)


def shoot_prediction(stage: Stage, workspace: Path) -> None:
    """The Prediction dock with the objects of an image the run has not seen."""
    from segloop.artifacts.dataset.curated_dataset import CuratedDataset

    dataset = CuratedDataset.open(workspace / "datasets" / "nuclei")
    sample = dataset.sample(dataset.split("test")[4])
    stage.viewer.layers.clear()
    stage.viewer.open(str(dataset.resolve(sample.raw)), name=f"nuclei {sample.id}")
    _, widget = stage.open("Prediction")
    stage.wait(widget.predict_button.isEnabled)
    widget.predict_button.click()
    stage.wait(lambda: len(stage.viewer.layers) > 1 and widget.predict_button.isEnabled())
    stage.viewer.reset_view()
    stage.wait(lambda: not widget.workers.busy)
    stage.shoot("prediction")


def shoot_all(stage: Stage) -> None:
    """Napari with the three docks behind one another, the Prediction dock in front of its result."""
    from segloop.ui.viewer_app import viewer_app_for

    for name in ("Training", "Curation"):
        stage.open(name)
    layers = stage.viewer.layers
    prediction = viewer_app_for(stage.viewer).dock("Prediction")
    layers.selection.active = next(layer for layer in layers if ", by " in layer.name)
    stage.viewer.reset_view()
    stage.viewer.help = ""
    stage.wait(lambda: not prediction.workers.busy)
    stage.shoot("napari")


def main() -> None:
    """Make all pictures."""
    OUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SEGLOOP_HOME"] = str(Path(folder) / "home")
        workspace = Path(folder) / NAME
        if len(sys.argv) > 1:
            shutil.copytree(sys.argv[1], workspace)
        else:
            make_workspace(workspace)
        make_curated_dataset(workspace)
        from segloop.app.workspace import Workspace

        Workspace(workspace).remember_as_last()
        stage = Stage()
        shoot_curation(stage, workspace)
        shoot_training(stage, workspace)
        shoot_comparison(stage)
        shoot_prediction(stage, workspace)
        shoot_all(stage)
        stage.viewer.close()


if __name__ == "__main__":
    main()
