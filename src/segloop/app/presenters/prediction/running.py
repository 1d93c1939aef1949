"""One thing at a time: a job, or something long on a worker thread, with progress and cancel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from segloop.app.job_watcher import JobUpdate, JobWatcher
from segloop.artifacts.job.events import ProgressEvent
from segloop.artifacts.job.state import JobState
from segloop.core.context import Progress
from segloop.core.errors import SegloopError

if TYPE_CHECKING:
    from segloop.app.jobs import Job
    from segloop.app.presenters.background import Background, BackgroundCall
    from segloop.app.repeating import Repeater

BUSY = "A prediction is running: wait for it, or cancel it."


class Activity(Enum):
    """What runs."""

    nothing = "nothing"
    layers = "a prediction of layers"
    files = "a prediction of files"
    other = "work on a worker thread without a job"


@dataclass(frozen=True)
class Ended:
    """How a job ended.

    Attributes
    ----------
    activity : Activity
        What it was.
    update : JobUpdate
        The last update of it.
    cancelled : bool
        Whether the user cancelled it before it had finished.
    seen : bool
        Whether it was running at any moment since it was followed; False if it had ended before.
    """

    activity: Activity
    update: JobUpdate
    cancelled: bool
    seen: bool


class RunningJob:
    """Starts in the background, and follows the job if there is one.

    Parameters
    ----------
    background : Background
        Run what is started.
    repeater : Repeater
        Looks at the job again and again.
    """

    changed = Signal()
    """Something began or ended."""

    progressed = Signal(Progress)
    """How far it is; a total of 0 means that this is not known, and the message says what it waits for."""

    updated = Signal(JobUpdate)
    """What is new of the job."""

    ended = Signal(Ended)
    """A job has ended."""

    failed = Signal(Exception)
    """It could not be started or cancelled, or what ran without a job failed."""

    def __init__(self, background: Background, repeater: Repeater) -> None:
        self._background = background
        self._call: BackgroundCall | None = None
        self._cancelling = False
        self._seen = False
        self._waiting_for = ""
        self.activity = Activity.nothing
        self.message = ""
        self._watcher = JobWatcher(repeater)
        self._watcher.updated.connect(self._on_update)

    @property
    def busy(self) -> bool:
        """Whether something runs."""
        return self.activity is not Activity.nothing

    def run(
        self,
        activity: Activity,
        message: str,
        function: Callable[..., Any],
        *arguments: Any,
        then: Callable[[Any], Job | None],
        **options: Any,
    ) -> None:
        """Call a function in the background; ``then`` gets its result, and returns the job to follow."""
        self._begin(activity, message)
        self._call = self._background.run(
            function,
            *arguments,
            lane="run",
            on_result=lambda result: self._on_result(then, result),
            on_error=self._on_error,
            on_progress=self.progressed.emit,
            **options,
        )

    def follow(self, activity: Activity, message: str, job: Job) -> None:
        """Follow a job that was started earlier."""
        self._begin(activity, message)
        self._watcher.watch(job)

    def cancel(self) -> None:
        """Ask what runs to stop."""
        self._cancelling = True
        try:
            if self._call is not None:
                self._call.cancel()
            if self._watcher.job is not None:
                self._watcher.job.stop()
        except (SegloopError, OSError) as error:
            self.failed.emit(error)

    def close(self) -> None:
        """Stop following; a prediction of layers, whose results nobody will see, is stopped."""
        if self.activity is Activity.layers:
            self.cancel()
        self._watcher.release()

    def _begin(self, activity: Activity, message: str) -> None:
        self.activity = activity
        self.message = message
        self._cancelling = False
        self._seen = False
        self._waiting_for = ""
        self.changed.emit()

    def _end(self) -> None:
        self.activity = Activity.nothing
        self._call = None
        self.changed.emit()

    def _on_result(self, then: Callable[[Any], Job | None], result: Any) -> None:
        self._call = None
        if self.activity is Activity.other:
            self._end()
            then(result)
            return
        job = then(result)
        self._seen = True
        if job is not None:
            self._watcher.watch(job)
        if self._cancelling:
            self.cancel()

    def _on_error(self, error: Exception) -> None:
        self._end()
        self.failed.emit(error)

    def _on_update(self, update: JobUpdate) -> None:
        if not self._cancelling:
            self._report(update)
        self._seen |= not update.state.ended
        self.updated.emit(update)
        if update.state.ended:
            self._watcher.release()
            cancelled = self._cancelling and update.state is not JobState.finished
            ended = Ended(self.activity, update, cancelled, self._seen)
            self._end()
            self.ended.emit(ended)

    def _report(self, update: JobUpdate) -> None:
        waiting_for = update.problem or update.waiting_for
        if waiting_for and waiting_for != self._waiting_for:
            self.progressed.emit(Progress(0, 0, waiting_for))
        elif update.progress is not None and update.events_of(ProgressEvent):
            # Layers are called by their names, not by those of scratch files.
            message = update.progress.message.removesuffix(".ome.zarr")
            self.progressed.emit(replace(update.progress, message=message))
        self._waiting_for = waiting_for
