"""The progress of a presenter's activity on screen."""

from __future__ import annotations

from segloop.app.presenters.curation.activity import Activity
from segloop.ui.widgets.progress import ProgressRow


class ActivityRow(ProgressRow):
    """A progress row that follows an activity; its Cancel button cancels it."""

    def __init__(self, activity: Activity) -> None:
        super().__init__()
        activity.started.connect(self._on_started)
        activity.progressed.connect(self.set_progress)
        activity.ended.connect(self.finish)
        self.cancelled.connect(activity.cancel)

    def _on_started(self, text: str, cancellable: bool) -> None:
        self.start(text, cancellable=cancellable)
