"""Predictions of files: found again, opened in the viewer, decoded anew."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from segloop.app.jobs import Job
from segloop.app.predicting import JOB_FOLDER
from segloop.app.presenters.prediction.predicted_image import PredictedImage, read_predicted_image
from segloop.artifacts.job.job import EVENTS_FILE
from segloop.ui.prediction.batch_panel import BatchPanel, find, find_some
from segloop.ui.prediction.image_layers import add_to_viewer
from segloop.ui.prediction.placement import placement
from segloop.ui.prediction.result_layers import ResultLayers
from segloop.ui.prediction.results import Results
from segloop.ui.prediction.runner import Doing, Runner

if TYPE_CHECKING:
    from segloop.artifacts.prediction.provenance import Prediction
    from segloop.targets import ParameterSet
    from segloop.ui.widgets.page import Page


class Files(QObject):
    """What the user does with predicted files.

    Parameters
    ----------
    page : Page
        The dock; its message line and workers are used.
    batch : BatchPanel
        Lists them.
    runner, results
        Those of the dock.
    """

    listed = Signal()
    """The predictions of another folder are listed."""

    def __init__(self, page: Page, batch: BatchPanel, runner: Runner, results: Results) -> None:
        super().__init__(page)
        self._page = page
        self._batch = batch
        self._runner = runner
        self._results = results
        batch.open_requested.connect(self.open)

    def begin(self, out: str, first: str) -> tuple[Path, Path]:
        """Return the folders of outputs and of the job for a new prediction.

        Parameters
        ----------
        out : str
            Folder that the user chose; empty for a new one in the workspace.
        first : str
            First of the inputs, after which a new folder is named.
        """
        if out:
            folder = Path(out).expanduser().absolute()
        else:
            workspace = self._page.viewer_app.app.workspace
            path = Path(first)
            name = path.name if path.is_dir() else path.stem.strip("*?[]") or path.parent.name
            folder = workspace.new_folder(workspace.predictions_dir, name)
        self._batch.begin(folder)
        return folder, folder / JOB_FOLDER

    def find_again(self, job_folder: str) -> bool:
        """Follow a prediction that was started earlier, or show what came of it."""
        if self._runner.busy or not job_folder or not (Path(job_folder) / EVENTS_FILE).is_file():
            return False
        job = Job(Path(job_folder))
        self._batch.begin(job.path.parent)
        self._runner.follow(Doing.files, "Looking for the prediction started earlier", job)
        return True

    def open_folder(self, folder: Path) -> None:
        """List what was predicted into a folder, by whatever means."""
        self._page.workers.run(
            find_some,
            folder,
            lane="find",
            on_result=partial(self._on_found, folder),
            on_error=self._page.message.show_error,
        )

    def list_found(self) -> None:
        """Show what is on disk."""
        if self._batch.folder is not None:
            self._page.workers.run(
                find, self._batch.folder, lane="find", on_result=self._batch.set_found, on_error=_ignore
            )

    def open(self, record: Path) -> None:
        """Show a prediction with its image."""
        self._page.workers.run(
            read_predicted_image,
            record,
            lane="open image",
            on_result=partial(self._on_opened, record),
            on_error=self._page.message.show_error,
        )

    def rethreshold(self, thresholds: ParameterSet, *, otsu: bool) -> None:
        """Decode all kept probabilities anew."""
        from segloop.app.predicting import rethreshold

        self._runner.run(
            Doing.other,
            "Decoding",
            rethreshold,
            self._batch.folder,
            **({**thresholds.values(), "foreground": "otsu"} if otsu else thresholds.values()),
            then=self._on_rethresholded,
        )

    def _on_found(self, folder: Path, predictions: list[Prediction]) -> None:
        self._batch.begin(folder)
        self._batch.set_opened(predictions)
        self.listed.emit()

    def _on_opened(self, record: Path, opened: PredictedImage) -> None:
        viewer = self._page.viewer_app.viewer
        layer = add_to_viewer(viewer, opened)
        display = ResultLayers(
            viewer,
            layer,
            opened.name,
            opened.model,
            opened.axes,
            placement(layer, opened.axes),
            self._results.later,
        )
        self._results.add(display, record)

    def _on_rethresholded(self, summary: Any) -> None:
        self.list_found()
        words = "1 prediction" if summary.n_done == 1 else f"{summary.n_done} predictions"
        if summary.problems:
            self._page.message.show_warning(
                f"{words} decoded, {len(summary.problems)} not: {summary.problems[0]}"
            )
        else:
            self._page.message.show_info(f"{words} decoded anew in {self._batch.folder}.")


def _ignore(error: Exception) -> None:
    """The list then says less about each file."""
