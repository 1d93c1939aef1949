"""Follows a job by its folder, on a worker thread, and tells the dock what is new."""

from __future__ import annotations

from dataclasses import dataclass, replace

from qtpy.QtCore import QObject, QTimer, Signal

from segloop.app.jobs import Job
from segloop.artifacts.job.events import JobEvent, ProgressEvent
from segloop.artifacts.job.state import JobState
from segloop.core.context import Context, Progress
from segloop.ui.workers import Workers

_INTERVAL_MS = 100


@dataclass(frozen=True)
class News:
    """What a look at a job found.

    Attributes
    ----------
    state : JobState
        How it stands.
    events : list of JobEvent
        Written since the last look, oldest first.
    failure : str
        Why it failed or was lost, in one sentence; empty while there is nothing to tell.
    """

    state: JobState
    events: list[JobEvent]
    failure: str


def look(job: Job, context: Context) -> News:
    """Look at a job; on a worker thread, because its folder may lie on a slow disk."""
    state = job.state()
    events = job.new_events()
    return News(state, events, job.failure() if state.ended else "")


class JobWatch(QObject):
    """Looks at one job after another, ten times a second."""

    news = Signal(object)
    """`News`; the last one of a job has a state that ended."""

    def __init__(self, workers: Workers) -> None:
        super().__init__(workers)
        self._workers = workers
        self._job: Job | None = None
        self._timer = QTimer(self, singleShot=True, interval=_INTERVAL_MS)
        self._timer.timeout.connect(self._look)

    @property
    def job(self) -> Job | None:
        """The job that is followed; None once it has ended."""
        return self._job

    def follow(self, job: Job) -> None:
        """Follow a job."""
        self._job = job
        self._look()

    def stop(self) -> None:
        """Ask the job to stop; its process is ended where it does not heed that within a second."""
        if self._job is not None:
            self._job.stop()

    def let_go(self) -> None:
        """Follow no more; the job goes on."""
        self._job = None
        self._timer.stop()
        self._workers.drop("watch")

    def _look(self) -> None:
        if self._job is not None:
            self._workers.run(look, self._job, lane="watch", on_result=self._on_news, on_error=self._on_error)

    def _on_news(self, news: News) -> None:
        if self._job is None:
            return
        if news.state.ended:
            self._job = None
        else:
            self._timer.start()
        self.news.emit(news)

    def _on_error(self, error: Exception) -> None:
        self._on_news(News(JobState.lost, [], str(error)))


def progress_of(event: ProgressEvent) -> Progress:
    """Return what a progress event says; layers are called by their names, not by those of scratch files."""
    return replace(event.progress, message=event.message.removesuffix(".ome.zarr"))
