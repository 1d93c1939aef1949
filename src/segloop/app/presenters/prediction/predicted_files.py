"""Predictions of files: listed, opened in the viewer, decoded again."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from psygnal import Signal

from segloop.app.jobs import Job
from segloop.app.predicting import JOB_FOLDER, rethreshold
from segloop.app.presenters.prediction.file_list import FileList, find, find_some
from segloop.app.presenters.prediction.predicted_image import PredictedImage, read_predicted_image
from segloop.app.presenters.prediction.running import BUSY, Activity
from segloop.artifacts.job.job import EVENTS_FILE
from segloop.core.paths import is_file, is_folder
from segloop.core.wording import counted

if TYPE_CHECKING:
    from segloop.app.app import App
    from segloop.app.presenters.background import Background
    from segloop.app.presenters.messages import Messages
    from segloop.app.presenters.prediction.running import RunningJob
    from segloop.app.presenters.prediction.settings import Settings
    from segloop.artifacts.prediction.provenance import Prediction
    from segloop.prediction.rethreshold import RethresholdSummary
    from segloop.targets import ParameterSet


class PredictedFiles:
    """What the user does with predicted files.

    Parameters
    ----------
    app : App
        With the workspace.
    background, job, settings, messages
        Those of the dock.

    Attributes
    ----------
    list : FileList
        The files of one folder.
    """

    folder_opened = Signal()
    """The predictions of another folder are listed."""

    image_read = Signal(Path, PredictedImage)
    """A prediction should be shown: its record, and the image. `Results.add` must follow."""

    def __init__(
        self, app: App, background: Background, job: RunningJob, settings: Settings, messages: Messages
    ) -> None:
        self._app = app
        self._background = background
        self._job = job
        self._settings = settings
        self._messages = messages
        self.list = FileList()

    def begin(self, out: str, first: str) -> tuple[Path, Path]:
        """Start the list of a new prediction; return the folders of its outputs and of its job.

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
            workspace = self._app.workspace
            path = Path(first)
            name = path.name if is_folder(path) else path.stem.strip("*?[]") or path.parent.name
            folder = workspace.new_folder(workspace.predictions_dir, name)
        self._settings.files_job = str(folder / JOB_FOLDER)
        self.list.begin(folder)
        return folder, folder / JOB_FOLDER

    def follow_earlier(self) -> None:
        """Follow a prediction that was started earlier in this workspace, or show what became of it."""
        folder = self._settings.files_job
        if self._job.busy or not folder or not is_file(Path(folder) / EVENTS_FILE):
            return
        job = Job(Path(folder))
        self.list.begin(job.path.parent)
        self._job.follow(Activity.files, "Looking for the prediction started earlier", job)

    def open_folder(self, folder: Path) -> None:
        """List the predictions in a folder, those of the command line too."""
        if not self._is_busy():
            self._background.run(
                find_some,
                folder,
                lane="find",
                on_result=partial(self._on_found, folder),
                on_error=self._messages.error,
            )

    def refresh(self) -> None:
        """Show what is on disk."""
        if self.list.folder is not None:
            self._background.run(
                find, self.list.folder, lane="find", on_result=self.list.set_found, on_error=_ignore
            )

    def open_prediction(self, record: Path) -> None:
        """Read the image of a prediction, to show both."""
        self._background.run(
            read_predicted_image,
            record,
            lane="open image",
            on_result=partial(self.image_read.emit, record),
            on_error=self._messages.error,
        )

    def rethreshold(self, thresholds: ParameterSet, *, otsu: bool) -> None:
        """Decode all kept probabilities again, with these thresholds or Otsu's for each image."""
        if self._is_busy() or self.list.folder is None:
            return
        self._job.run(
            Activity.other,
            "Decoding",
            rethreshold,
            self.list.folder,
            **({**thresholds.values(), "foreground": "otsu"} if otsu else thresholds.values()),
            then=self._on_rethresholded,
        )

    def _on_found(self, folder: Path, predictions: Sequence[Prediction]) -> None:
        self.list.show_found(folder, predictions)
        self.folder_opened.emit()

    def _on_rethresholded(self, summary: RethresholdSummary) -> None:
        self.refresh()
        done = counted(summary.n_done, "prediction")
        if summary.problems:
            self._messages.warning(f"{done} decoded, {len(summary.problems)} not: {summary.problems[0]}")
        else:
            self._messages.info(f"{done} decoded again in {self.list.folder}.")

    def _is_busy(self) -> bool:
        self._messages.clear()
        if self._job.busy:
            self._messages.warning(BUSY)
        return self._job.busy


def _ignore(error: Exception) -> None:
    """Ignore an error: the list then says less about each file."""
