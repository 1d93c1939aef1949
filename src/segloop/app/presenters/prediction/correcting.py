"""What makes predictions samples of a curated dataset, to be corrected in the Curation dock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from psygnal import Signal

from segloop.app.correcting import Corrections, ShownPrediction, correct_files, correct_shown
from segloop.app.presenters.prediction.running import BUSY, Activity
from segloop.app.presenters.prediction.saving import not_kept

if TYPE_CHECKING:
    from segloop.app.app import App
    from segloop.app.presenters.messages import Messages
    from segloop.app.presenters.prediction.results import Results
    from segloop.app.presenters.prediction.running import RunningJob
    from segloop.targets import ParameterSet


class CorrectionActions:
    """Makes samples of the results on screen, or of predicted files.

    Parameters
    ----------
    app : App
        With the workspace, and the dataset that is reviewed.
    job, results, messages
        Those of the dock.
    """

    ready = Signal(Corrections)
    """The predictions are samples now."""

    def __init__(self, app: App, job: RunningJob, results: Results, messages: Messages) -> None:
        self._app, self._job, self._results, self._messages = app, job, results, messages

    def correct_results(self, thresholds: ParameterSet) -> None:
        """Make samples of all results on screen, as they are with these thresholds."""
        finished = self._results.finished()
        shown = [
            ShownPrediction(each.kept, each.view.name, each.source_path, each.own_or(thresholds))
            for each in finished
            if each.kept is not None and each.can_decode
        ]
        if finished and not shown:
            self._messages.error(not_kept([each.view.name for each in finished]))
        elif shown:
            workspace = self._app.workspace
            images = workspace.new_folder(workspace.path / "images", "corrections")
            self._run(partial(correct_shown, shown, images))

    def correct_files(self, records: Sequence[Path]) -> None:
        """Make samples of predicted files."""
        if records:
            self._run(partial(correct_files, list(records)))

    def _run(self, function: Callable[..., Corrections]) -> None:
        self._messages.clear()
        if self._job.busy:
            self._messages.warning(BUSY)
            return
        workspace = self._app.workspace
        new = partial(workspace.new_folder, workspace.datasets_dir)
        self._job.run(
            Activity.other, "Adding to Curation", function, self._app.dataset, new, then=self.ready.emit
        )
