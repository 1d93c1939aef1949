"""Measuring the reviewed dataset in the background, and what to look at in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from psygnal import Signal

from segloop.app.presenters.background import Background
from segloop.app.presenters.curation.activity import Activity
from segloop.app.presenters.messages import Messages
from segloop.core.context import Context
from segloop.core.wording import counted

if TYPE_CHECKING:
    from segloop.curation.quality.survey import Quality


class DatasetQuality:
    """Looks for what may be wrong in the dataset that is reviewed.

    Parameters
    ----------
    dataset : callable
        Returns its folder, or None.
    background : Background
        Measures in the background.
    activity : Activity
        Shows progress; cancels.
    messages : Messages
        Says what went wrong.

    Attributes
    ----------
    quality : Quality or None
        What was found out; None before.
    """

    changed = Signal()
    """`quality` is another one."""

    def __init__(
        self,
        dataset: Callable[[], Path | None],
        background: Background,
        activity: Activity,
        messages: Messages,
    ) -> None:
        self._dataset, self._background = dataset, background
        self._activity, self._messages = activity, messages
        self.quality: Quality | None = None

    @property
    def summary(self) -> str:
        """What was found, in a line."""
        if self.quality is None:
            return ""
        measured = counted(len(self.quality.measures), "sample")
        if not self.quality.findings:
            return f"{measured} measured: nothing to look at."
        return f"{measured} measured, {counted(len(self.quality.findings), 'thing')} to look at; click one:"

    def look(self) -> None:
        """Measure all samples that are not rejected."""
        dataset = self._dataset()
        if dataset is None or self._activity.running:
            return
        self._messages.clear()
        self._activity.start("Measuring the samples", cancellable=True)
        self._activity.follow(
            self._background.run(
                _survey,
                dataset,
                lane="quality",
                on_result=self._on_measured,
                on_error=self._on_error,
                on_progress=self._activity.progressed.emit,
            )
        )

    def forget(self) -> None:
        """Show nothing: another dataset is reviewed."""
        self.quality = None
        self.changed.emit()

    def _on_measured(self, quality: Quality) -> None:
        self._activity.end()
        self.quality = quality
        self.changed.emit()
        self._messages.problems(quality.problems)

    def _on_error(self, error: Exception) -> None:
        self._activity.end()
        self._messages.error(error)


def _survey(dataset: Path, context: Context) -> Quality:
    from segloop.artifacts.dataset.curated_dataset import CuratedDataset
    from segloop.curation.quality.survey import survey_dataset

    return survey_dataset(CuratedDataset.open(dataset), context)
