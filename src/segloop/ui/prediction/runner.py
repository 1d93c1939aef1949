"""One thing at a time: a job, or something long beside jobs, with progress and Cancel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from qtpy.QtCore import QObject, Signal

from segloop.app.job_watcher import JobUpdate, JobWatcher
from segloop.app.jobs import Job
from segloop.artifacts.job.events import ProgressEvent
from segloop.artifacts.job.state import JobState
from segloop.core.context import Progress
from segloop.ui.repeating import WorkerRepeater
from segloop.ui.widgets.progress import ProgressRow
from segloop.ui.workers import Task, Workers

_LOOK_MS = 100


class Doing(Enum):
    """What runs."""

    nothing = "nothing"
    layers = "a prediction of layers"
    files = "a prediction of files"
    other = "something on a worker thread alone"


@dataclass(frozen=True)
class Ended:
    """How a job ended.

    Attributes
    ----------
    doing : Doing
        What it was.
    update : JobUpdate
        The last update of it.
    cancelled : bool
        Whether the user asked for it and it had not finished before.
    seen : bool
        Whether it was under way at any moment since it was followed; False of one that was over before.
    """

    doing: Doing
    update: JobUpdate
    cancelled: bool
    seen: bool


class Runner(QObject):
    """Starts on a worker thread, follows the job if there is one, and shows progress.

    Parameters
    ----------
    workers : Workers
        Run what is started.
    progress : ProgressRow
        Shows the progress; its Cancel button cancels what runs.
    """

    changed = Signal()
    """Something began or ended."""

    updated = Signal(object)
    """`JobUpdate` of the job."""

    ended = Signal(object)
    """`Ended`: a job is over."""

    failed = Signal(object)
    """Exception: it could not be started or stopped, or what ran on a worker thread alone failed."""

    def __init__(self, workers: Workers, progress: ProgressRow) -> None:
        super().__init__(workers)
        self._workers = workers
        self._progress = progress
        self._task: Task | None = None
        self._cancelling = False
        self._seen = False
        self._words = ""
        self.doing = Doing.nothing
        self._watcher = JobWatcher(WorkerRepeater(workers, "watch", _LOOK_MS))
        self._watcher.updated.connect(self._on_update)
        progress.cancelled.connect(self.cancel)

    @property
    def busy(self) -> bool:
        """Whether something runs."""
        return self.doing is not Doing.nothing

    def run(
        self,
        doing: Doing,
        words: str,
        function: Callable[..., Any],
        *arguments: Any,
        then: Callable[[Any], Job | None],
        **options: Any,
    ) -> None:
        """Call a function on a worker thread; ``then`` gets its answer, and returns the job to follow."""
        self._begin(doing, words)
        self._task = self._workers.run(
            function,
            *arguments,
            lane="run",
            on_result=lambda answer: self._on_result(then, answer),
            on_error=self._on_error,
            on_progress=self._progress.set_progress,
            **options,
        )

    def follow(self, doing: Doing, words: str, job: Job) -> None:
        """Follow a job that was started earlier."""
        self._begin(doing, words)
        self._watcher.watch(job)

    def cancel(self) -> None:
        """Ask what runs to stop."""
        self._cancelling = True
        try:
            if self._task is not None:
                self._task.cancel()
            if self._watcher.job is not None:
                self._watcher.job.stop()
        except Exception as error:
            self.failed.emit(error)

    def close(self) -> None:
        """Follow no more; a prediction of layers, whose results nobody will see, is stopped."""
        if self.doing is Doing.layers:
            self.cancel()
        self._watcher.release()

    def _begin(self, doing: Doing, words: str) -> None:
        self.doing = doing
        self._cancelling = False
        self._seen = False
        self._progress.start(words)
        self.changed.emit()

    def _end(self) -> None:
        self.doing = Doing.nothing
        self._task = None
        self._progress.finish()
        self.changed.emit()

    def _on_result(self, then: Callable[[Any], Job | None], answer: Any) -> None:
        self._task = None
        if self.doing is Doing.other:
            self._end()
            then(answer)
            return
        job = then(answer)
        self._seen = True
        self._watcher.watch(job)
        if self._cancelling:
            self.cancel()

    def _on_error(self, error: Exception) -> None:
        self._end()
        self.failed.emit(error)

    def _on_update(self, update: JobUpdate) -> None:
        if not self._cancelling:
            self._show(update)
        self._seen |= not update.state.ended
        self.updated.emit(update)
        if update.state.ended:
            self._watcher.release()
            cancelled = self._cancelling and update.state is not JobState.finished
            ended = Ended(self.doing, update, cancelled, self._seen)
            self._end()
            self.ended.emit(ended)

    def _show(self, update: JobUpdate) -> None:
        words = update.problem or update.waiting_for
        if words and words != self._words:
            self._progress.set_progress(Progress(0, 1, words))
        elif update.progress is not None and update.events_of(ProgressEvent):
            # Layers are called by their names, not by those of scratch files.
            message = update.progress.message.removesuffix(".ome.zarr")
            self._progress.set_progress(replace(update.progress, message=message))
        self._words = words
