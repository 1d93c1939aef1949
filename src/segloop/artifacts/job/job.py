"""How a training or a prediction speaks with the world: through its folder, and nothing else.

The job appends events to ``events.jsonl``; whoever watches reads them, and asks it to stop by writing a file
``stop``. Both sides may be processes of different computers that share a disk, and either may be killed.
"""

from __future__ import annotations

import math
import os
import platform
import threading
import time
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any

import psutil

from segloop.core.atomic import write_text
from segloop.core.context import Context, Progress
from segloop.core.errors import JobError
from segloop.core.jsonl import append_line, read_lines

EVENTS_FILE = "events.jsonl"
STOP_FILE = "stop"

_PROGRESS_INTERVAL = 0.2  # seconds between two progress events
_STOP_POLL_INTERVAL = 0.05  # seconds between two looks for the stop request
_CLOCK_TOLERANCE = 2.0  # seconds; a process's creation time shifts when the system clock is set


class JobState(Enum):
    """Where a job is in its life; ``lost`` means that its process ended without saying so."""

    waiting = "waiting"
    running = "running"
    stopping = "stopping"
    finished = "finished"
    stopped = "stopped"
    failed = "failed"
    lost = "lost"

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen unless the job is started again."""
        return self in _ENDED


_ENDED = frozenset({JobState.finished, JobState.stopped, JobState.failed, JobState.lost})


class EventLog:
    """The job's side of its folder: an append-only writer of ``events.jsonl``.

    Each line is one JSON object with ``time`` (seconds since the epoch) and ``kind``. Safe to use from
    several threads.

    Parameters
    ----------
    folder : path
        The job's folder; made if it is missing.

    Raises
    ------
    JobError
        If the folder can't be made or written.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise JobError(_cannot_write(self.folder, error)) from error
        self._lock = threading.Lock()
        self._running = False
        self._last_progress = -math.inf
        self._last_stop_poll = -math.inf
        self._stop_seen = False

    def state(self, state: JobState, **info: Any) -> None:
        """Say what state the job is in.

        ``waiting`` is for whoever submits the job, the other states are for the process that does the work.
        A stop request left over from earlier is removed when the job is submitted, starts or ends; one made
        after the job was submitted stands.

        Parameters
        ----------
        state : JobState
            The new state.
        **info
            Anything else that readers should find in the event, such as ``error="..."``. ``pid`` names the
            process that does the work; by default it is this one (for ``waiting``: not known yet).
        """
        if state is JobState.running and not self._running:
            if JobFolder(self.folder).recorded_state() not in (None, JobState.waiting):
                self._forget_stop()
            self._running = True
        elif state is JobState.waiting or state.ended:
            self._forget_stop()
            self._running = False
        pid = info.pop("pid", None if state is JobState.waiting else os.getpid())
        process = {"pid": pid, "process_started": _process_started(pid), "host": platform.node()}
        self._append("state", state=state.value, **(process if pid is not None else {}), **info)

    def progress(self, progress: Progress) -> None:
        """Say how far the job is; at most about five of these a second are written, and each completion."""
        now = time.monotonic()
        with self._lock:
            due = now - self._last_progress >= _PROGRESS_INTERVAL
            if not due and not 0 < progress.total <= progress.done:
                return
            self._last_progress = now
        self._append(
            "progress",
            done=progress.done,
            total=progress.total,
            message=progress.message,
            seconds_left=progress.seconds_left,
        )

    def metrics(self, epoch: int, values: Mapping[str, float]) -> None:
        """Report the values of an epoch, by name; one that isn't finite is stored as null and read as NaN."""
        plain = {name: float(value) for name, value in values.items()}
        finite = {name: value if math.isfinite(value) else None for name, value in plain.items()}
        self._append("metrics", epoch=int(epoch), values=finite)

    def message(self, text: str, level: str = "info") -> None:
        """Tell the user something, as one plain sentence; ``level`` is info, warning or error."""
        self._append("message", text=text, level=level)

    def output(
        self, path: str | os.PathLike[str], *, input: str = "", kind_of: str = "", partial: bool = False
    ) -> None:
        """Announce an output.

        Parameters
        ----------
        path : path
            The file or folder that is there now.
        input : str, optional
            What it was made from.
        kind_of : str, optional
            What it is, such as ``"labels"``.
        partial : bool, optional
            True for a Zarr that is still being filled; it is announced again once it is whole.
        """
        self._append("output", path=str(path), input=input, output=kind_of, partial=partial)

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
        (self.folder / STOP_FILE).unlink(missing_ok=True)
        with self._lock:
            self._stop_seen = False

    def _append(self, kind: str, **values: Any) -> None:
        path = self.folder / EVENTS_FILE
        try:
            append_line(path, {"time": time.time(), "kind": kind, **values})
        except OSError as error:
            raise JobError(_cannot_write(path, error)) from error


class JobFolder:
    """Anyone's view of a job: its events, its state, and the request to stop.

    Parameters
    ----------
    folder : path
        The job's folder; it may not exist yet, and then has no events.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self._lock = threading.Lock()
        self._offset = 0
        self._last: dict[str, dict[str, Any]] = {}

    def events(self, since_offset: int = 0) -> tuple[list[dict[str, Any]], int]:
        """Return the events from a byte offset on, and the offset to go on from next time.

        A line that was torn by a kill is left out, wherever it is.
        """
        found, offset = read_lines(self.folder / EVENTS_FILE, since_offset)
        for event in found:
            if event.get("kind") == "metrics":
                values = event.get("values", {})
                event["values"] = {name: math.nan if v is None else v for name, v in values.items()}
        return found, offset

    def last(self, kind: str) -> dict[str, Any] | None:
        """Return the newest event of a kind, or None; reads only what was appended since the last call."""
        with self._lock:
            found, self._offset = self.events(self._offset)
            for event in found:
                self._last[str(event.get("kind"))] = event
            return self._last.get(kind)

    @property
    def message(self) -> str:
        """The newest message to the user, empty if there is none."""
        return str((self.last("message") or {}).get("text", ""))

    def recorded_state(self) -> JobState | None:
        """Return the state that was last written, or None where there is none yet."""
        name = (self.last("state") or {}).get("state")
        return JobState(name) if name in JobState.__members__ else None

    def state(self) -> JobState:
        """Return the state of the job; waiting while nothing was written yet.

        A job that says it is under way is `JobState.lost` when its process, on this computer, is gone; a
        process is known again by its creation time. Of a job on another computer the written state is
        returned.
        """
        state = self.recorded_state()
        if state is None:
            return JobState.waiting
        event = self.last("state") or {}
        if state.ended or not isinstance(event.get("pid"), int) or event.get("host") != platform.node():
            return state
        return state if self.pid() is not None else JobState.lost

    def pid(self) -> int | None:
        """Return the number of the living process on this computer that does the work, or None."""
        event = self.last("state") or {}
        pid, recorded = event.get("pid"), event.get("process_started")
        if not isinstance(pid, int) or event.get("host") != platform.node():
            return None
        started = _process_started(pid)
        if started is None or not isinstance(recorded, int | float):
            return None
        return pid if abs(started - recorded) < _CLOCK_TOLERANCE else None

    def request_stop(self) -> None:
        """Ask the job to stop; it keeps what it has finished until then.

        Raises
        ------
        JobError
            If the folder can't be written.
        """
        try:
            write_text(self.folder / STOP_FILE, "")
        except OSError as error:
            raise JobError(_cannot_write(self.folder, error)) from error

    def stop_requested(self) -> bool:
        """Whether someone asked the job to stop and it hasn't ended since."""
        return (self.folder / STOP_FILE).exists()


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


def _cannot_write(path: Path, error: OSError) -> str:
    reason = error.strerror or str(error)
    return f"{path} can't be written ({reason}): free some disk space, or choose a folder you may write to."
