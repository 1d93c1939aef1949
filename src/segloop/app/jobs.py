"""Jobs as the docks see them: started, watched and stopped, and identified by their folder alone.

A job runs in a process of its own and communicates through its folder (`segloop.artifacts.job`), so that a
crash, a ``kill -9`` or a restart of napari on one side leaves the other side intact.
"""

from __future__ import annotations

import re
import subprocess
import time
import uuid
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

from segloop.app.processes import (
    has_ended,
    kill_tree,
    last_line,
    start_segloop,
    wait_for_status,
    wait_until_ended,
)
from segloop.app.tasks import submit
from segloop.app.workspace import Workspace
from segloop.artifacts.job.events import MessageEvent, StateEvent
from segloop.artifacts.job.job import EVENTS_FILE, EventLog, JobFolder
from segloop.artifacts.job.state import JobState
from segloop.artifacts.job.task import Task, TrainTask
from segloop.artifacts.run.run import Run
from segloop.config.train import StopConfig, TrainConfig
from segloop.core.errors import JobError, RunError

CANCEL_GRACE_S = 0.4
"""Time that a job has to react to a stop request before its process is ended, in seconds."""

KEEP_GRACE_S = 30.0
"""Time that a job in the state stopping has to finish what it saves, in seconds."""

_END_S = 0.2
"""How long to wait for a process that was killed, in seconds.

It does no more work from then on, but the system may take seconds to free the memory of a large one.
"""

_SIGKILL = 9  # by number: Windows has no such signal
_KILLED = (
    " The system ended it, most likely because the memory was full: close other programs, or choose smaller "
    "tiles or patches."
)
# In the last line that a process printed: an error, as opposed to a message from before.
_TROUBLE = re.compile(r"error|exception|fault|abort|killed|memory", re.IGNORECASE)


class QueuedJob(Protocol):
    """A job's place in the queue of a process that executes one job after the other."""

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process."""
        ...

    @property
    def waiting_for(self) -> str:
        """What the job waits for before it starts; empty if that is not known."""
        ...

    @property
    def refusal(self) -> str:
        """Why the job was refused; empty if it was not."""
        ...

    @property
    def is_executing(self) -> bool:
        """Whether the process executes this job now."""
        ...

    @property
    def is_lost(self) -> bool:
        """Whether the process has ended and no other takes over its queue."""
        ...


class Job:
    """One training or prediction, running or found again.

    Parameters
    ----------
    folder : Path
        The run folder, or the folder of the prediction job.
    process : subprocess.Popen, optional
        The process started for it alone; None for a job found again, or in a queue.
    log : Path, optional
        File with the output of that process.
    begin : int, optional
        Byte of the event log where this attempt begins; the events before it belong to earlier attempts.
    queued : QueuedJob, optional
        The job's place in a queue.
    """

    def __init__(
        self,
        folder: Path,
        process: subprocess.Popen[bytes] | None = None,
        log: Path | None = None,
        begin: int = 0,
        queued: QueuedJob | None = None,
    ) -> None:
        self.folder = JobFolder(folder)
        self.path = Path(folder)
        self._process = process
        self._log = log
        self._begin = begin
        self._queued = queued
        self._stop_asked: float | None = None

    def state(self) -> JobState:
        """Return the state of the job; ends its process if it did not react to `stop` in time."""
        if self._refusal():
            return JobState.failed
        state = self.folder.state()
        if state.ended:
            return state
        self._enforce_stop(state)
        if self._process_has_ended():
            state = self.folder.state()
            return state if state.ended else JobState.lost
        return self.folder.state() if self.stop_asked else state

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self.state().ended

    @property
    def waiting_for(self) -> str:
        """What a job that has not started waits for; empty if that is not known."""
        return self._queued.waiting_for if self._queued is not None else ""

    def stop(self) -> None:
        """Ask the job to stop; if it has not after half a second, `state` ends its process."""
        if self._stop_asked is None and not self.state().ended:
            self._stop_asked = time.monotonic()
            if self.path.is_dir():
                self.folder.request_stop()

    @property
    def stop_asked(self) -> bool:
        """Whether `stop` was called."""
        return self._stop_asked is not None

    def failure(self) -> str:
        """Return why the job failed or was lost, in one sentence; empty for another state."""
        if refusal := self._refusal():
            return refusal
        state = self.state()
        if state not in (JobState.failed, JobState.lost) or self.stop_asked:
            return ""
        if state is JobState.failed:
            for event in reversed(self.folder.events(self._begin)[0]):
                if isinstance(event, MessageEvent) and event.level == "error":
                    return event.text
        said = last_line(self._log) if self._log is not None else ""
        if said.startswith("Error: "):
            return said.removeprefix("Error: ")
        sentence = f"The process of {self.path.name} ended without finishing; what it had saved is kept."
        if _TROUBLE.search(said):
            return f"{sentence} Its last message: {said}"
        return sentence + (_KILLED if self._was_killed() else "")

    def _was_killed(self) -> bool:
        process = self._own_process()
        if process is None or not has_ended(process):
            return False
        wait_for_status(process, timeout_s=1)
        return process.returncode == -_SIGKILL

    def _own_process(self) -> subprocess.Popen[bytes] | None:
        return self._queued.process if self._queued is not None else self._process

    def _refusal(self) -> str:
        return self._queued.refusal if self._queued is not None else ""

    def _process_has_ended(self) -> bool:
        if self._queued is not None:
            return self._queued.is_lost
        return self._process is not None and self._process.poll() is not None

    def _enforce_stop(self, state: JobState) -> None:
        if self._stop_asked is None:
            return
        waited = time.monotonic() - self._stop_asked
        if waited < CANCEL_GRACE_S or (state is JobState.stopping and waited < KEEP_GRACE_S):
            return
        if self._queued is not None and not self._queued.is_executing:
            # The process works on another job; it finds the request when this job's turn comes.
            if self.path.is_dir():
                EventLog(self.path).append(StateEvent(state=JobState.stopped, ended_by="stop"))
            return
        process = self._own_process()
        pid = process.pid if process is not None else self.folder.pid()
        if pid is None:
            return
        kill_tree(pid)
        if process is not None:
            wait_until_ended(process, timeout_s=_END_S)
        recorded = self.folder.recorded_state()
        if self.path.is_dir() and (recorded is None or not recorded.ended):
            # It was killed before it wrote its state; the job should not be taken for lost later.
            EventLog(self.path).state(JobState.stopped, ended_by="stop")


def start_training(config: TrainConfig, run: Path, workspace: Workspace) -> Job:
    """Start a training in a process of its own.

    The run is created first, so that its name is taken, a restarted viewer finds it, and it can be continued
    however early its process ends.

    Parameters
    ----------
    config : TrainConfig
        What to train.
    run : Path
        Folder of the new run; must be new or empty.
    workspace : Workspace
        Gets the log of the process.

    Raises
    ------
    ConfigError, DatasetError, ModelError, RunError
        If the config, the dataset, the initial model or the folder can't be used; nothing is created then.
    JobError
        If no process can be started.
    """
    from segloop.training.fit import create_run

    create_run(config, run)
    return _launch_training(run, workspace)


def resume_training(run: Path, workspace: Workspace, stop: StopConfig | None = None) -> Job:
    """Continue a training that was stopped, failed or was lost; or a finished one, given new limits.

    Parameters
    ----------
    run : Path
        The run's folder.
    workspace : Workspace
        Gets the log of the process.
    stop : StopConfig, optional
        New limits; time and epochs count from the run's beginning.

    Raises
    ------
    RunError
        If there is no such run, it is still being trained, or it is finished and ``stop`` is absent.
    JobError
        If no process can be started.
    """
    found = Run.open(run)
    state = found.job.state()
    if not state.ended and (state is not JobState.waiting or found.job.pid() is not None):
        raise RunError(f"The run {run} is still being trained: stop it first.")
    if state is JobState.finished and stop is None:
        raise RunError(f"The run {run} is finished: allow it more time to train it for longer.")
    return _launch_training(run, workspace, stop)


def _launch_training(run: Path, workspace: Workspace, stop: StopConfig | None = None) -> Job:
    task = TrainTask(stop=None if stop is None else asdict(stop))
    return start_task(run, task, workspace, f"The training of {run.name}")


def start_task(folder: Path, task: Task, workspace: Workspace, subject: str) -> Job:
    """Execute a task in a process of its own, which goes on when this one ends.

    Parameters
    ----------
    folder : Path
        Of the job.
    task : Task
        What to do.
    workspace : Workspace
        Gets the log of the process.
    subject : str
        What could not be started if it could not, such as ``"The comparison"``.

    Raises
    ------
    JobError
        If no process can be started, the folder can't be written, or a job in it is under way.
    """
    submit(folder, task)
    log = workspace.scratch_dir / f"{folder.name.lstrip('.')}-{uuid.uuid4().hex[:8]}.log"
    events = folder / EVENTS_FILE
    begin = events.stat().st_size if events.exists() else 0
    try:
        process = start_segloop(["run-task", str(folder)], log, outlives_parent=True)
    except OSError as error:
        raise JobError(f"{subject} could not be started ({error}): try again.") from error
    # Other processes that look at the folder, however early, know that this process is at work.
    EventLog(folder).state(JobState.waiting, pid=process.pid)
    return Job(folder, process, log, begin)
