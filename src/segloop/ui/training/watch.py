"""Watching one run: its news arrive on the GUI thread, read on a worker thread."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import QObject, QTimer, Signal

from segloop.app.jobs import Job
from segloop.ui.training.following import RunFollower, RunNews
from segloop.ui.workers import Workers

_LANE = "look"
_INTERVAL_MS = 200


class RunWatch(QObject):
    """Looks at a run five times a second until it has ended.

    Parameters
    ----------
    workers : Workers
        Where the folder is read.
    """

    news = Signal(object, object)
    """The news (`RunNews`), and those before them or None."""

    failed = Signal(object)
    """The folder could not be read (an exception); the watch goes on."""

    def __init__(self, workers: Workers, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._workers = workers
        self._follower: RunFollower | None = None
        self._seen: RunNews | None = None
        self._timer = QTimer(self, singleShot=True, interval=_INTERVAL_MS)
        self._timer.timeout.connect(self._look)

    @property
    def job(self) -> Job | None:
        """The job that is watched, None where there is none."""
        return self._follower.job if self._follower is not None else None

    @property
    def path(self) -> Path | None:
        """The folder of the run that is watched."""
        return self._follower.path if self._follower is not None else None

    @property
    def seen(self) -> RunNews | None:
        """The newest news of the run, None before the first."""
        return self._seen

    def follow(self, job: Job) -> None:
        """Watch another run, from its beginning."""
        self.let_go()
        self._follower = RunFollower(job)
        self._look()

    def let_go(self) -> None:
        """Watch no more."""
        self._timer.stop()
        self._workers.drop(_LANE)
        self._follower = self._seen = None

    def _look(self) -> None:
        # The next one waits for the answer: a slow disk must not pile them up, nor may news be dropped.
        if self._follower is None:
            return
        self._workers.run(self._follower.look, lane=_LANE, on_result=self._on_news, on_error=self._on_failed)

    def _on_news(self, news: RunNews) -> None:
        before, self._seen = self._seen, news
        if not news.state.ended:
            self._timer.start()
        self.news.emit(news, before)

    def _on_failed(self, error: Exception) -> None:
        self._timer.start()
        self.failed.emit(error)
