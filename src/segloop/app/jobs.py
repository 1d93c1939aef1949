"""Jobs as the docks see them: started, watched, stopped; known by their folder alone.

A job works in a process of its own and speaks through its folder (`segloop.artifacts.job`), so that a crash,
a ``kill -9`` or a restart of napari never takes the other side along.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

from segloop.app.processes import has_ended, kill_tree, last_line, start_segloop, wait_until_ended
from segloop.app.workspace import Workspace
from segloop.artifacts.job.events import JobEvent, MessageEvent
from segloop.artifacts.job.job import EVENTS_FILE, EventLog, JobFolder
from segloop.artifacts.job.state import JobState
from segloop.artifacts.run.run import Run
from segloop.config.knob import validate
from segloop.config.train import StopConfig, TrainConfig
from segloop.core.errors import JobError, RunError

CANCEL_GRACE_S = 0.4
"""How long a job is given to heed a stop request before its process is ended, in seconds."""

KEEP_GRACE_S = 30.0
"""How long a job that has said it is stopping may take to finish what it saves, in seconds."""

# What a dying process says on its way, as opposed to the news that it printed before.
_TROUBLE = re.compile(r"error|exception|fault|abort|killed|memory", re.IGNORECASE)


class Job:
    """One training or prediction, running or found again.

    Parameters
    ----------
    folder : Path
        The run folder, or the folder of the prediction job.
    process : subprocess.Popen, optional
        The process started for it; None for a job found again.
    log : Path, optional
        Where that process' output goes.
    begin : int, optional
        Byte of the event log where this attempt begins; what stands before tells of earlier attempts.
    """

    def __init__(
        self,
        folder: Path,
        process: subprocess.Popen[bytes] | None = None,
        log: Path | None = None,
        begin: int = 0,
    ) -> None:
        self.folder = JobFolder(folder)
        self.path = Path(folder)
        self._process = process
        self._log = log
        self._begin = begin
        self._offset = 0
        self._stop_asked: float | None = None

    def new_events(self) -> list[JobEvent]:
        """Return the events written since the last call, oldest first."""
        events, self._offset = self.folder.events(self._offset)
        return events

    def state(self) -> JobState:
        """Return how the job stands; ends its process if it did not heed `stop` in time."""
        state = self.folder.state()
        if state.ended:
            return state
        self._enforce_stop(state)
        if self._process is not None and self._process.poll() is not None:
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
        return ""

    def stop(self) -> None:
        """Ask the job to stop; `state` ends its process where it does not within a second."""
        if self._stop_asked is None and not self.state().ended:
            self._stop_asked = time.monotonic()
            if self.path.is_dir():
                self.folder.request_stop()

    @property
    def stop_asked(self) -> bool:
        """Whether `stop` was called."""
        return self._stop_asked is not None

    def failure(self) -> str:
        """Return why the job failed or was lost, in one sentence; empty while there is nothing to tell."""
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
        return f"The process of {self.path.name} ended without finishing; what it had saved is kept." + (
            f" It last said: {said}" if _TROUBLE.search(said) else ""
        )

    def _enforce_stop(self, state: JobState) -> None:
        if self._stop_asked is None:
            return
        waited = time.monotonic() - self._stop_asked
        if waited < CANCEL_GRACE_S or (state is JobState.stopping and waited < KEEP_GRACE_S):
            return
        pid = self._process.pid if self._process is not None else self.folder.pid()
        if pid is None:
            return
        kill_tree(pid)
        if self._process is not None:
            wait_until_ended(self._process, timeout_s=5)
        recorded = self.folder.recorded_state()
        if self.path.is_dir() and (recorded is None or not recorded.ended):
            # It can't say so itself any more, and who looks later should not take it for lost.
            EventLog(self.path).state(JobState.stopped, ended_by="stop")


def start_training(config: TrainConfig, run: Path, workspace: Workspace) -> Job:
    """Start a training in a process of its own.

    The run is made first, so that its name is taken, a restarted viewer finds it, and it can be continued
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
        If the config, the dataset, the initial model or the folder can't be used; nothing is made then.
    JobError
        If no process can be started.
    """
    from segloop.artifacts.dataset.curated_dataset import CuratedDataset
    from segloop.artifacts.model.model import Model

    validate(config)
    config = replace(config, dataset=str(Path(config.dataset).resolve()))
    CuratedDataset.open(config.dataset)
    if config.init:
        Model.load(config.init)
    Run.create(run, config)
    return _launch(run, workspace)


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
        If there is no such run, it is still being trained, or is finished and no limit is given.
    JobError
        If no process can be started.
    """
    found = Run.open(run)
    state = found.job.state()
    if not state.ended and (state is not JobState.waiting or found.job.pid() is not None):
        raise RunError(f"The run {run} is still being trained: stop it first.")
    if state is JobState.finished and stop is None:
        raise RunError(f"The run {run} is finished: give it more time to train it for longer.")
    limits = [] if stop is None else [f"stop.{name}={value}" for name, value in asdict(stop).items()]
    return _launch(run, workspace, limits)


def _launch(run: Path, workspace: Workspace, overrides: Sequence[str] = ()) -> Job:
    log = workspace.scratch_dir / f"{run.name}-{uuid.uuid4().hex[:8]}.log"
    events = run / EVENTS_FILE
    begin = events.stat().st_size if events.exists() else 0
    try:
        process = start_segloop(["train", "--resume", str(run), *overrides], log, outlives_parent=True)
    except OSError as error:
        raise JobError(f"The training of {run.name} could not be started ({error}): try again.") from error
    # Whoever looks at the folder, however early, knows that this process is at work.
    EventLog(run).state(JobState.waiting, pid=process.pid)
    return Job(run, process, log, begin)


class PredictionHelper:
    """One warm process for a napari session's predictions; it keeps the last model loaded.

    It is told the folder of each job by a line on its standard input, and ends when that closes. Safe to use
    from several threads.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._log = workspace.scratch_dir / f"helper-{os.getpid()}-{uuid.uuid4().hex[:8]}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._closed = False

    @property
    def pid(self) -> int | None:
        """Number of the process; None while there is none."""
        process = self._process
        return None if process is None or has_ended(process) else process.pid

    def warm_up(self) -> None:
        """Start the process if it does not run."""
        with self._lock:
            self._running()

    def submit(self, folder: Path) -> Job:
        """Have the job described in ``folder`` executed after those submitted before.

        Raises
        ------
        JobError
            If the process can't be told.
        """
        with self._lock:
            process = self._running()
            if process is None or process.stdin is None:
                raise JobError("Segloop is closing: open napari again to predict.")
            try:
                process.stdin.write(f"{json.dumps(str(folder))}\n".encode())
                process.stdin.flush()
            except OSError as error:
                raise JobError(f"The prediction process has ended ({error}): try again.") from error
        return Job(folder, process, self._log)

    def close(self) -> None:
        """End the process once it has done what was submitted."""
        with self._lock:
            self._closed = True
            self._let_go()

    def _running(self) -> subprocess.Popen[bytes] | None:
        if self._process is not None and has_ended(self._process):
            self._let_go()
        if self._process is None and not self._closed:
            try:
                self._process = start_segloop(["helper"], self._log, lines_in=True)
            except OSError as error:
                raise JobError(
                    f"The prediction process can't be started ({error}): see segloop doctor."
                ) from error
        return self._process

    def _let_go(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            with suppress(OSError):  # what was written to a dead process can't be flushed
                process.stdin.close()
        # Someone has to take note of its end, or it stays a zombie.
        threading.Thread(target=process.wait, name="segloop-helper-end", daemon=True).start()
