"""Watching a job: its state and its new events, as typed objects.

The same watcher serves the docks and the command line, and any job: one that was just started, one found
again by its folder, and one that runs on another computer of a shared disk.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

from psygnal import Signal

from segloop.app.jobs import Job
from segloop.app.repeating import Repeater
from segloop.artifacts.job.events import JobEvent, ProgressEvent, StateEvent
from segloop.artifacts.job.state import JobState
from segloop.core.context import Progress
from segloop.core.errors import SegloopError

E = TypeVar("E", bound=JobEvent)


@dataclass(frozen=True)
class JobUpdate:
    """A job as it is now, and what is new since the last update.

    Attributes
    ----------
    state : JobState
        The present state; after an update whose state has ended no other follows.
    events : tuple of JobEvent
        Events written since the last update, oldest first; in the first update all events so far.
    first : bool
        Whether this is the first update of the job.
    progress : Progress or None
        The newest progress of the present attempt.
    started : float or None
        When the present attempt started, in seconds since the epoch.
    failure : str
        Why the job failed or was lost, in one sentence.
    ended_by : str
        What ended a training: ``time``, ``epochs``, ``patience`` or ``stop``.
    waiting_for : str
        What a job that has not started waits for, such as "Loading torch"; empty if that is not known.
    problem : str
        Why the folder could not be read this time; the other fields are then as before, without events.
    """

    state: JobState
    events: tuple[JobEvent, ...] = ()
    first: bool = False
    progress: Progress | None = None
    started: float | None = None
    failure: str = ""
    ended_by: str = ""
    waiting_for: str = ""
    problem: str = ""

    def events_of(self, kind: type[E]) -> list[E]:
        """Return the new events of a type, oldest first."""
        return [event for event in self.events if isinstance(event, kind)]


class JobFollower:
    """Reads what is new in a job's folder.

    `look` may be called from any thread, but one call must end before the next begins.

    Parameters
    ----------
    job : Job
        The job.
    since : int, optional
        Byte of the event log to begin at; by default its beginning.
    """

    def __init__(self, job: Job, since: int = 0) -> None:
        self.job = job
        self._reader = job.folder.reader(since)
        self._latest: JobUpdate | None = None

    def look(self) -> JobUpdate:
        """Return the state of the job and what is new; reads the disk."""
        before = self._latest or JobUpdate(JobState.waiting)
        try:
            # The state first: when it has ended, all events are there.
            state = self.job.state()
            failure = self.job.failure() if state.ended else ""
            events = self._reader.read()  # last, because what was read does not come again
        except (OSError, SegloopError) as error:
            return replace(before, events=(), first=False, problem=str(error))
        progress, started, ended_by = before.progress, before.started, before.ended_by
        for event in events:
            if isinstance(event, ProgressEvent):
                progress = event.progress
            elif isinstance(event, StateEvent):
                ended_by = event.ended_by
                if event.state in (JobState.waiting, JobState.running):
                    progress, started = None, event.time
        update = JobUpdate(
            state=state,
            events=tuple(events),
            first=self._latest is None,
            progress=progress,
            started=started,
            failure=failure,
            ended_by=ended_by,
            waiting_for=self.job.waiting_for if state is JobState.waiting else "",
        )
        self._latest = update
        return update


class JobWatcher:
    """Watches one job at a time.

    Signals are emitted where the repeater passes results on: in the GUI thread of a dock, else on a thread.

    Parameters
    ----------
    repeater : Repeater
        Calls `JobFollower.look` again and again in the background.
    """

    updated = Signal(JobUpdate)
    """A `JobUpdate`, or what the follower's ``look`` returns."""

    def __init__(self, repeater: Repeater) -> None:
        self._repeater = repeater
        self._follower: JobFollower | None = None
        self._until_ended = True
        self._latest: JobUpdate | None = None
        self._undelivered: JobUpdate | None = None

    @property
    def job(self) -> Job | None:
        """The job that is watched, or was watched last; None before the first and after `release`."""
        return self._follower.job if self._follower is not None else None

    @property
    def latest(self) -> JobUpdate | None:
        """The newest update of that job."""
        return self._latest

    @property
    def watching(self) -> bool:
        """Whether further updates may come."""
        return self._follower is not None and not (self._latest is not None and self._latest.state.ended)

    def watch(self, job: Job | JobFollower, *, until_ended: bool = True) -> None:
        """Watch a job from its beginning, or as a follower says, instead of the one before.

        Parameters
        ----------
        job : Job or JobFollower
            What to watch.
        until_ended : bool, optional
            Whether to stop watching once the job has ended; False goes on until `finish` or `release`.
        """
        self.release()
        self._follower = follower = job if isinstance(job, JobFollower) else JobFollower(job)
        self._until_ended = until_ended

        def look() -> JobUpdate:
            self._undelivered = update = follower.look()
            return update

        self._repeater.start(look, self._deliver)

    def finish(self) -> None:
        """Look once more, in this thread, and stop watching.

        For repeaters whose ``stop`` waits for the present call, as that of `ThreadRepeater` does.
        """
        self._repeater.stop()
        # The repeater drops the result of a call that it was in, and what that call read does not come again.
        if self._undelivered is not None:
            self._deliver(self._undelivered)
        if self._follower is not None:
            self._deliver(self._follower.look())
        self.release()

    def release(self) -> None:
        """Stop watching; the job goes on."""
        self._repeater.stop()
        self._follower = self._latest = self._undelivered = None

    def _deliver(self, update: JobUpdate) -> bool:
        self._latest, self._undelivered = update, None
        follower = self._follower
        self.updated.emit(update)
        # A receiver of the update may have chosen another job.
        return self._follower is follower and not (self._until_ended and update.state.ended)
