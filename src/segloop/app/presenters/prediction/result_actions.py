"""What the user does with results: save them, compare them with the truth."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from segloop.app.presenters.prediction.running import BUSY, Activity
from segloop.app.presenters.prediction.saving import ToSave, not_kept, save_all
from segloop.app.scoring import score
from segloop.core.wording import counted
from segloop.targets.output import CLASSES, LABELS, MASK, Output

if TYPE_CHECKING:
    from segloop.app.presenters.background import Background
    from segloop.app.presenters.messages import Messages
    from segloop.app.presenters.prediction.result import Result
    from segloop.app.presenters.prediction.results import Results
    from segloop.app.presenters.prediction.running import RunningJob
    from segloop.app.presenters.prediction.settings import Settings
    from segloop.prediction.kept import Shown
    from segloop.targets import ParameterSet

_SCORED = (LABELS, CLASSES, MASK)
"""Which output is scored, if there are several; else the first one with labels or a mask."""


class ResultActions:
    """Saves and scores the results on screen.

    Parameters
    ----------
    background, job, results, settings, messages
        Those of the dock.
    """

    scored = Signal(object, object)
    """A result, and how well it agrees with the truth: `segloop.app.scoring.Scored`."""

    def __init__(
        self,
        background: Background,
        job: RunningJob,
        results: Results,
        settings: Settings,
        messages: Messages,
    ) -> None:
        self._background = background
        self._job = job
        self._results = results
        self._settings = settings
        self._messages = messages

    def save(self, folder: Path, kinds: Sequence[Output], thresholds: ParameterSet) -> None:
        """Save all results as they are with these thresholds into a folder, with these outputs."""
        self._settings.save_folder = str(folder)
        self._messages.clear()
        if self._job.busy:
            self._messages.warning(BUSY)
            return
        finished = self._results.finished()
        others = [each.view.name for each in finished if not each.can_decode]
        wanted = [
            ToSave(each.kept, each.view.name, each.source_path, each.own_or(thresholds))
            for each in finished
            if each.kept is not None and each.can_decode
        ]
        if not wanted:
            self._messages.error(not_kept(others) if others else "There is no result to save yet.")
            return
        then = partial(self._on_saved, others)
        self._job.run(Activity.other, "Saving", save_all, wanted, kinds, folder, then=then)

    def score(self, result: Result, truth: Any) -> None:
        """Compare a result with the truth, a label array on the same grid."""
        shown = result.shown
        kind = _scored(shown) if shown is not None else None
        if shown is None or kind is None:
            self._messages.error(
                f"`{result.view.name}` has no labels or mask yet: move a threshold, then score it."
            )
            return
        self._background.run(
            score,
            shown.arrays[kind],
            truth,
            kind=kind,
            lane="score",
            on_result=partial(self.scored.emit, result),
            on_error=self._messages.error,
        )

    def _on_saved(self, others: Sequence[str], written: Sequence[Path]) -> None:
        outputs = [path for path in written if path.suffix != ".json"]
        saved = f"Saved {counted(len(outputs), 'file')} in {written[0].parent}, each with its provenance."
        if others:
            self._messages.warning(f"{saved} {not_kept(others)}")
        else:
            self._messages.info(saved)


def _scored(shown: Shown) -> Output | None:
    """Return the output to compare with the truth; None if there are only images."""
    others = [kind for kind in shown.arrays if kind.layer != "image"]
    return next((kind for kind in (*_SCORED, *others) if kind in shown.arrays), None)
