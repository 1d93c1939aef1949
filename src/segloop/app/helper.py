"""The viewer's side of the prediction helper: one process per session, which keeps a model loaded."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import threading
import uuid
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from pathlib import Path

from psygnal import Signal

from segloop.app.helper_protocol import Accepted, Answer, Loading, Ready, Refused, parse_answer
from segloop.app.jobs import Job
from segloop.app.processes import has_ended, start_segloop
from segloop.app.workspace import Workspace
from segloop.artifacts.job.job import JobFolder
from segloop.artifacts.job.state import JobState
from segloop.core.errors import JobError

logger = logging.getLogger(__name__)


class HelperState(Enum):
    """What the helper does; the value is what to show to a user who waits for it."""

    absent = "The prediction process is not running"
    starting = "Starting the prediction process"
    loading = "Loading torch: about 20 s, once per session"
    ready = "Ready"
    busy = "Predicting"


class PredictionHelper:
    """One process for a napari session's predictions; it keeps the last model loaded.

    It reads the folder of each job from its standard input, and ends when that is closed. Its answers are in
    `segloop.app.helper_protocol`. Safe to use from several threads.

    Parameters
    ----------
    workspace : Workspace
        Gets the log of the process.
    """

    changed = Signal(HelperState)
    """The new state; emitted on a thread."""

    def __init__(self, workspace: Workspace) -> None:
        self._log = workspace.scratch_dir / f"helper-{os.getpid()}-{uuid.uuid4().hex[:8]}.log"
        self._process: _HelperProcess | None = None
        self._lock = threading.Lock()
        self._closed = False

    @property
    def pid(self) -> int | None:
        """Number of the process; None while there is none."""
        process = self._process
        return None if process is None or has_ended(process.popen) else process.popen.pid

    @property
    def state(self) -> HelperState:
        """What the helper does now."""
        process = self._process
        return HelperState.absent if process is None or has_ended(process.popen) else process.state

    def warm_up(self) -> None:
        """Start the process if it does not run."""
        with self._lock:
            self._running()

    def submit(self, folder: Path) -> Job:
        """Have the task in ``folder`` executed after those submitted before.

        Raises
        ------
        JobError
            If the process can't be started or has just ended.
        """
        with self._lock:
            process = self._running()
            if process is None:
                raise JobError("Segloop is closing: open napari again to predict.")
            submission = _Submission(folder, process)
            try:
                process.send(submission)
            except OSError as error:
                raise JobError(f"The prediction process has ended ({error}): try again.") from error
        return Job(folder, log=self._log, queued=submission)

    def close(self) -> None:
        """End the process once it has done what was submitted."""
        with self._lock:
            self._closed = True
            self._release()

    def _running(self) -> _HelperProcess | None:
        if self._process is not None and has_ended(self._process.popen):
            self._release()
        if self._process is None and not self._closed:
            try:
                self._process = _HelperProcess(self._log, self.changed.emit, self._take_over)
            except OSError as error:
                raise JobError(
                    f"The prediction process can't be started ({error}): see segloop doctor."
                ) from error
        return self._process

    def _release(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.close()

    def _take_over(self, ended: _HelperProcess) -> None:
        """Hand what a process had not begun to a new one, where it ended because of one job."""
        with self._lock:
            if self._process is ended:
                self._release()
            waiting = [each for each in ended.queue if JobFolder(each.folder).state() is JobState.waiting]
            if self._closed or not ended.current or not waiting:
                return
            try:
                process = self._running()
                assert process is not None
                for submission in waiting:
                    process.send(submission)
                    submission.executor = process
            except (OSError, JobError) as error:  # the jobs are lost, and the dock says so
                logger.error("The waiting jobs could not be passed to a new process: %s", error)


class _Submission:
    """A job's place in the queue of the helper; see `segloop.app.jobs.QueuedJob`.

    Attributes
    ----------
    folder : Path
        The folder of the job.
    executor : _HelperProcess
        The process that executes it; another one if that ended before the job's turn.
    refused : str
        Why the job was refused.
    """

    def __init__(self, folder: Path, executor: _HelperProcess) -> None:
        self.folder = folder
        self.executor = executor
        self.refused = ""

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process."""
        return self.executor.popen

    @property
    def waiting_for(self) -> str:
        """What the job waits for before it starts; empty if that is not known."""
        return self.executor.waiting_for(self.folder)

    @property
    def refusal(self) -> str:
        """Why the job was refused; empty if it was not."""
        return self.refused

    @property
    def is_executing(self) -> bool:
        """Whether the process executes this job now."""
        return self.executor.current == str(self.folder)

    @property
    def is_lost(self) -> bool:
        """Whether the process has ended and no other takes over its queue."""
        return self.executor.is_over


class _HelperProcess:
    """One process of the helper, with a thread that reads its answers.

    Parameters
    ----------
    log : Path
        File for its standard error.
    on_change : callable
        Receives each new state, on that thread.
    on_end : callable
        Called on that thread when the process has ended.

    Attributes
    ----------
    current : str
        Folder of the job that it executes; empty while there is none.
    queue : list of _Submission
        What it has not begun, in order.
    is_over : bool
        Whether it has ended, and ``on_end`` was called.
    """

    def __init__(
        self,
        log: Path,
        on_change: Callable[[HelperState], None],
        on_end: Callable[[_HelperProcess], None],
    ) -> None:
        self.state = HelperState.starting
        self.current = ""
        self.queue: list[_Submission] = []
        self.is_over = False
        self._on_change = on_change
        self._on_end = on_end
        self.popen: subprocess.Popen[bytes] = start_segloop(["helper"], log, piped=True)
        threading.Thread(target=self._read_answers, name="segloop-helper-answers", daemon=True).start()

    def send(self, submission: _Submission) -> None:
        """Write the folder of a job to the process."""
        assert self.popen.stdin is not None
        self.queue.append(submission)
        self.popen.stdin.write(f"{json.dumps(str(submission.folder))}\n".encode())
        self.popen.stdin.flush()

    def waiting_for(self, folder: Path) -> str:
        """Return what a job that has not started waits for; empty if that is not known."""
        if self.state in (HelperState.starting, HelperState.loading):
            return str(self.state.value)
        if self.current not in ("", str(folder)):
            return "Waiting for the prediction before this one"
        return ""

    def close(self) -> None:
        """Let the process end once it has done what was submitted."""
        if self.popen.stdin is not None:
            with suppress(OSError):  # what was written to a dead process can't be flushed
                self.popen.stdin.close()
        # A process whose end nobody waits for stays a zombie.
        threading.Thread(target=self.popen.wait, name="segloop-helper-end", daemon=True).start()

    def _read_answers(self) -> None:
        assert self.popen.stdout is not None
        with self.popen.stdout as lines:
            for line in lines:
                answer = parse_answer(line)
                if answer is not None:
                    self._take(answer)
        self._change(HelperState.absent)
        self._on_end(self)
        self.is_over = True

    def _take(self, answer: Answer) -> None:
        if isinstance(answer, Loading):
            self._change(HelperState.loading)
        elif isinstance(answer, Accepted):
            self._next(answer.folder)
            self.current = answer.folder
            self._change(HelperState.busy)
        elif isinstance(answer, Ready):
            self._change(HelperState.ready)
        else:
            if not self.current and (submission := self._next(answer.folder)) and isinstance(answer, Refused):
                submission.refused = answer.reason
            self.current = ""
            self._change(HelperState.ready)

    def _next(self, folder: str) -> _Submission | None:
        """Take the first job with this folder out of the queue; they are answered in order."""
        found = next((each for each in self.queue if str(each.folder) == folder), None)
        if found is not None:
            self.queue.remove(found)
        return found

    def _change(self, state: HelperState) -> None:
        self.state = state
        self._on_change(state)
