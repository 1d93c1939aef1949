"""How a job communicates: through its folder, and nothing else.

The job appends events to ``events.jsonl``. Other processes read them, and ask the job to stop by writing a
file ``stop``. The processes may run on different computers that share a disk, and each of them may be
killed.
"""

from __future__ import annotations

import math
import os
import platform
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import psutil

from segloop.artifacts.job.events import (
    JobEvent,
    MessageEvent,
    MetricsEvent,
    OutputEvent,
    PreviewEvent,
    ProgressEvent,
    StateEvent,
    parse_event,
)
from segloop.artifacts.job.state import JobState
from segloop.artifacts.job.task import OLD_TASK_FILE, TASK_FILE
from segloop.core.atomic import write_text
from segloop.core.context import Context, Progress
from segloop.core.errors import JobError
from segloop.core.file_errors import reading, writing
from segloop.core.jsonl import LineReader, append_line, read_lines

EVENTS_FILE = "events.jsonl"
STOP_FILE = "stop"
JOB_FILES = (EVENTS_FILE, STOP_FILE, TASK_FILE, OLD_TASK_FILE)
"""Files in the folder of every job."""

E = TypeVar("E", bound=JobEvent)

OnEvent = Callable[[JobEvent], None]
"""Receives the events of a job that runs in the same process."""

_PROGRESS_INTERVAL = 0.2  # seconds between two progress events
_STOP_POLL_INTERVAL = 0.05  # seconds between two looks for the stop request
_CLOCK_TOLERANCE = 2.0  # seconds; a process's creation time shifts when the system clock is set


class EventLog:
    """The job's side of its folder: an append-only writer of ``events.jsonl``.

    Safe to use from several threads.

    Parameters
    ----------
    folder : path
        The job's folder; created if it is missing.
    on_event : callable, optional
        Called with each event once it is written, on the thread that writes it.

    Raises
    ------
    JobError
        If the folder can't be created or written.
    """

    def __init__(self, folder: str | os.PathLike[str], on_event: OnEvent | None = None) -> None:
        self.folder = Path(folder)
        self._on_event = on_event
        with writing(self.folder, JobError):
            self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._running = False
        self._last_progress = -math.inf
        self._last_stop_poll = -math.inf
        self._stop_seen = False

    def append(self, event: JobEvent) -> None:
        """Write an event, with the present time.

        Raises
        ------
        JobError
            If the file can't be written.
        """
        path = self.folder / EVENTS_FILE
        event = event.model_copy(update={"time": time.time()})
        with writing(path, JobError):
            append_line(path, event.to_line())
        if self._on_event is not None:
            self._on_event(event)

    def state(
        self,
        state: JobState,
        *,
        pid: int | None = None,
        error: str = "",
        ended_by: str = "",
        n_done: int | None = None,
        n_problems: int | None = None,
    ) -> None:
        """Write the state of the job.

        ``waiting`` is written by the process that submits the job, the other states by the process that
        does the work. A stop request left over from earlier is removed when the job is submitted, starts or
        ends; one made after the job was submitted remains.

        Parameters
        ----------
        state : JobState
            The new state.
        pid : int, optional
            Number of the process that does the work; by default this one (for ``waiting``: not known yet).
        error, ended_by, n_done, n_problems
            See `StateEvent`.
        """
        if state is JobState.running and not self._running:
            if JobFolder(self.folder).recorded_state() not in (None, JobState.waiting):
                self._forget_stop()
            self._running = True
            _forget_end_of_work(self.folder)
        elif state is JobState.waiting or state.ended:
            self._forget_stop()
            self._running = False
        if pid is None and state is not JobState.waiting:
            pid = os.getpid()
        self.append(
            StateEvent(
                state=state,
                pid=pid,
                process_started=_process_started(pid),
                host=platform.node() if pid is not None else "",
                error=error,
                ended_by=ended_by,
                n_done=n_done,
                n_problems=n_problems,
            )
        )

    def progress(self, progress: Progress) -> None:
        """Write how far the job is: at most about five times a second, and always when it is complete."""
        now = time.monotonic()
        with self._lock:
            due = now - self._last_progress >= _PROGRESS_INTERVAL
            if not due and not 0 < progress.total <= progress.done:
                return
            self._last_progress = now
        self.append(
            ProgressEvent(
                done=progress.done,
                total=progress.total,
                message=progress.message,
                seconds_left=progress.seconds_left,
            )
        )

    def metrics(self, epoch: int, values: Mapping[str, float]) -> None:
        """Write the values of an epoch, by name; one that is not finite is stored as null, read as NaN."""
        self.append(MetricsEvent(epoch=int(epoch), values={name: float(v) for name, v in values.items()}))

    def message(self, text: str, level: str = "info") -> None:
        """Write a message to the user, in one plain sentence; ``level`` is info, warning or error."""
        self.append(MessageEvent.model_validate({"text": text, "level": level}))

    def output(
        self, path: str | os.PathLike[str], *, input: str = "", output_kind: str = "", partial: bool = False
    ) -> None:
        """Announce a file or folder that was written; see `OutputEvent`."""
        self.append(OutputEvent(path=str(path), input=input, output_kind=output_kind, partial=partial))

    def preview(self, path: str, *, sample: str = "", epoch: int | None = None, shows: str = "") -> None:
        """Announce an image that shows what the job has achieved so far; see `PreviewEvent`."""
        self.append(PreviewEvent(path=path, sample=sample, epoch=epoch, shows=shows))

    def context(self) -> Context:
        """Return a `Context` whose progress becomes events, and which is cancelled by a stop request."""
        return Context(report=self.progress, cancelled=self.stop_requested)

    def stop_requested(self) -> bool:
        """Whether someone asked to stop; looks at the disk at most every 50 ms."""
        now = time.monotonic()
        with self._lock:
            if not self._stop_seen and now - self._last_stop_poll >= _STOP_POLL_INTERVAL:
                self._last_stop_poll = now
                self._stop_seen = (self.folder / STOP_FILE).exists()
            return self._stop_seen

    def _forget_stop(self) -> None:
        stop = self.folder / STOP_FILE
        if os.path.lexists(stop):
            with writing(stop, JobError):
                stop.unlink(missing_ok=True)
        with self._lock:
            self._stop_seen = False


class EventReader:
    """Reads the new events of a job each time, and all of them after another job has begun in its folder.

    Parameters
    ----------
    path : Path
        The event log; it may not exist yet.
    offset : int, optional
        Byte of the log to begin at.

    Attributes
    ----------
    replaced : bool
        Whether the last `read` found the log of another job.
    """

    def __init__(self, path: Path, offset: int = 0) -> None:
        self._path = path
        with reading(path, JobError):
            self._lines = LineReader(path, offset)
        self.replaced = False

    def read(self) -> list[JobEvent]:
        """Return the events that were written since the last call.

        Raises
        ------
        JobError
            If the log can't be read.
        """
        with reading(self._path, JobError):
            lines = self._lines.read()
        self.replaced = self._lines.replaced
        return _parsed(lines)


def _parsed(lines: list[dict[str, Any]]) -> list[JobEvent]:
    return [event for line in lines if (event := parse_event(line)) is not None]


class JobFolder:
    """A job as other processes see it: its events, its state, and the request to stop.

    Parameters
    ----------
    folder : path
        The job's folder; it may not exist yet, and then has no events.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self._lock = threading.Lock()
        self._reader = self.reader()
        self._last: dict[type[Any], JobEvent] = {}

    def events(self, since_offset: int = 0) -> tuple[list[JobEvent], int]:
        """Return the events from a byte offset on, and the offset to continue from next time.

        A line that was torn by a kill is left out, and so is a kind of event that this version does not know.

        Raises
        ------
        JobError
            If the file can't be read.
        """
        path = self.folder / EVENTS_FILE
        with reading(path, JobError):
            lines, offset = read_lines(path, since_offset)
        return _parsed(lines), offset

    def reader(self, since_offset: int = 0) -> EventReader:
        """Return a reader of the events from a byte offset on, and of all events of a job that follows."""
        return EventReader(self.folder / EVENTS_FILE, since_offset)

    def events_of(self, kind: type[E]) -> list[E]:
        """Return all events of a type so far, oldest first."""
        return [event for event in self.events()[0] if isinstance(event, kind)]

    def last(self, kind: type[E]) -> E | None:
        """Return the newest event of a type, or None; reads only what was appended since the last call."""
        with self._lock:
            found = self._reader.read()
            if self._reader.replaced:
                self._last.clear()
            for event in found:
                self._last[type(event)] = event
            newest = self._last.get(kind)
        return newest if isinstance(newest, kind) else None

    @property
    def message(self) -> str:
        """The newest message to the user, empty if there is none."""
        event = self.last(MessageEvent)
        return event.text if event is not None else ""

    def recorded_state(self) -> JobState | None:
        """Return the state that was last written, or None where there is none yet."""
        event = self.last(StateEvent)
        return event.state if event is not None else None

    def state(self) -> JobState:
        """Return the state of the job; waiting while nothing was written yet.

        A job that has not written a final state is `JobState.lost` when its process, on this computer, no
        longer exists; a process is identified by its number and creation time. For a job on another
        computer the written state is returned.
        """
        event = self.last(StateEvent)
        if event is None:
            return JobState.waiting
        if event.state.ended or event.pid is None or event.host != platform.node():
            return event.state
        return event.state if self._living_pid(event) is not None else JobState.lost

    def pid(self) -> int | None:
        """Return the number of the living process on this computer that does the work, or None."""
        event = self.last(StateEvent)
        # The process that ends a job which does not react writes the last state, but did not do the work.
        return None if event is None or event.state.ended else self._living_pid(event)

    def request_stop(self) -> None:
        """Ask the job to stop; what it has finished by then is kept.

        Raises
        ------
        JobError
            If the folder can't be written.
        """
        with writing(self.folder, JobError):
            write_text(self.folder / STOP_FILE, "")

    def stop_requested(self) -> bool:
        """Whether someone asked the job to stop and it hasn't ended since."""
        return (self.folder / STOP_FILE).exists()

    def _living_pid(self, event: StateEvent) -> int | None:
        if event.pid is None or event.host != platform.node():
            return None
        if event.pid == os.getpid() and _work_is_over(self.folder):
            return None
        started = _process_started(event.pid)
        if started is None or event.process_started is None:
            return None
        return event.pid if abs(started - event.process_started) < _CLOCK_TOLERANCE else None


_working: dict[Path, int] = {}
"""How many functions of this process work on a job; 0 once they have ended."""


@contextmanager
def working_on(folder: Path) -> Iterator[None]:
    """Note that this process works on a job.

    A job whose final state could not be written is `JobState.lost` afterwards, as if the process had ended.
    """
    key = Path(folder).absolute()
    _working[key] = _working.get(key, 0) + 1
    try:
        yield
    finally:
        _working[key] -= 1


def _work_is_over(folder: Path) -> bool:
    return _working.get(folder.absolute()) == 0


def _forget_end_of_work(folder: Path) -> None:
    if _work_is_over(folder):
        del _working[folder.absolute()]


def _process_started(pid: int | None) -> float | None:
    """Return the creation time of a process in seconds since the epoch, or None if it is gone."""
    if pid is None:
        return None
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except psutil.NoSuchProcess:
        return None
    except psutil.AccessDenied:  # it lives, but belongs to someone else: never our job
        return None
