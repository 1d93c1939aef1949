"""Jobs as the docks see them: started, watched, stopped; known by their folder alone.

A job works in a process of its own and speaks through its folder (`segloop.artifacts.job`), so that a crash, a
``kill -9`` or a restart of napari never takes the other side along.
"""

from __future__ import annotations

import subprocess
import time
import uuid
from pathlib import Path
from typing import Any

from segloop.app.processes import kill_tree, last_line, start_segloop
from segloop.app.workspace import Workspace
from segloop.artifacts.job import JobFolder, JobState
from segloop.config import compose
from segloop.config.train import TrainConfig
from segloop.core.errors import JobError

CANCEL_GRACE_S = 0.9
"""How long a job is given to heed a stop request before its process is ended, in seconds."""

KEEP_GRACE_S = 30.0
"""How long a job that has said it is stopping may take to finish what it saves, in seconds."""

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

    def new_events(self) -> list[dict[str, Any]]:
        """Return the events written since the last call, oldest first."""
        events, self._offset = self.folder.events(self._offset)
        return events

    def state(self) -> JobState:
        """Return how the job stands; ends its process if it did not heed `stop` in time."""
        state = self._said()
        if state.ended:
            return state
        self._enforce_stop(state)
        if self._process is not None and self._process.poll() is not None:
            state = self._said()
            return state if state.ended else JobState.lost
        return state

    def _said(self) -> JobState:
        spoken = self._begin == 0 or any(e["kind"] == "state" for e in self.folder.events(self._begin)[0])
        return self.folder.state() if spoken else JobState.waiting

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self.state().ended

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
                if event["kind"] == "message" and event.get("level") == "error":
                    return str(event["text"])
        said = last_line(self._log) if self._log is not None else ""
        if said.startswith("Error: "):
            return said.removeprefix("Error: ")
        return f"The process of {self.path.name} ended without finishing; what it had saved is kept." + (
            f" It last said: {said}" if said else ""
        )

    def _enforce_stop(self, state: JobState) -> None:
        if self._stop_asked is None:
            return
        waited = time.monotonic() - self._stop_asked
        if waited < CANCEL_GRACE_S or (state is JobState.stopping and waited < KEEP_GRACE_S):
            return
        pid = self._process.pid if self._process is not None else self.folder.pid()
        if pid is not None:
            kill_tree(pid)
        if self._process is not None:
            self._process.wait(timeout=5)


def start_training(config: TrainConfig, run: Path, workspace: Workspace) -> Job:
    """Start a training in a process of its own.

    Parameters
    ----------
    config : TrainConfig
        What to train.
    run : Path
        Folder of the new run; must not exist yet.
    """
    request = workspace.scratch_dir / f"{run.name}-{uuid.uuid4().hex[:8]}.yaml"
    request.parent.mkdir(parents=True, exist_ok=True)
    compose.save(config, request)
    log = request.with_suffix(".log")
    arguments = ["train", "--config", str(request), "--out", str(run)]
    return Job(run, start_segloop(arguments, log, outlives_parent=True), log)


def resume_training(run: Path, workspace: Workspace) -> Job:
    """Continue a training that was stopped, failed or was lost."""
    log = workspace.scratch_dir / f"{run.name}-{uuid.uuid4().hex[:8]}.log"
    begin = JobFolder(run).events(0)[1]
    return Job(run, start_segloop(["train", "--resume", str(run)], log, outlives_parent=True), log, begin)


class PredictionHelper:
    """One warm process for a napari session's predictions; it keeps the last model loaded.

    It is told the folder of each job by a line on its standard input, and ends when that closes.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._log = workspace.scratch_dir / f"helper-{uuid.uuid4().hex[:8]}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def warm_up(self) -> None:
        """Start the process if it does not run."""
        if self._process is None or self._process.poll() is not None:
            self._process = start_segloop(["helper"], self._log, lines_in=True)

    def submit(self, folder: Path) -> Job:
        """Have the job described in ``folder`` executed after those submitted before.

        Raises
        ------
        JobError
            If the process can't be told.
        """
        self.warm_up()
        process = self._process
        if process is None or process.stdin is None:
            raise JobError("The prediction process could not be started: see segloop doctor.")
        try:
            process.stdin.write(f"{folder}\n".encode())
            process.stdin.flush()
        except OSError as error:
            raise JobError(f"The prediction process has ended ({error}): try again.") from error
        return Job(folder, process, self._log)

    def close(self) -> None:
        """End the process once it has done what was submitted."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
