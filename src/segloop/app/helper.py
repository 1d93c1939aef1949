"""The viewer's side of the prediction helper: one process per session, which keeps a model loaded."""

from __future__ import annotations

import json
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
from segloop.core.errors import JobError


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
            try:
                process.send(folder)
            except OSError as error:
                raise JobError(f"The prediction process has ended ({error}): try again.") from error
        return Job(folder, process.popen, self._log, helper=process)

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
                self._process = _HelperProcess(self._log, self.changed.emit)
            except OSError as error:
                raise JobError(
                    f"The prediction process can't be started ({error}): see segloop doctor."
                ) from error
        return self._process

    def _release(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.close()


class _HelperProcess:
    """One process of the helper, with a thread that reads its answers.

    Parameters
    ----------
    log : Path
        File for its standard error.
    on_change : callable
        Receives each new state, on that thread.
    """

    def __init__(self, log: Path, on_change: Callable[[HelperState], None]) -> None:
        self.state = HelperState.starting
        self._current = ""
        self._refused: dict[str, str] = {}
        self._on_change = on_change
        self.popen: subprocess.Popen[bytes] = start_segloop(["helper"], log, piped=True)
        threading.Thread(target=self._read_answers, name="segloop-helper-answers", daemon=True).start()

    def send(self, folder: Path) -> None:
        """Write the folder of a job to the process."""
        assert self.popen.stdin is not None
        self._refused.pop(str(folder), None)  # of an earlier job in the same folder
        self.popen.stdin.write(f"{json.dumps(str(folder))}\n".encode())
        self.popen.stdin.flush()

    def waiting_for(self, folder: Path) -> str:
        """Return what a job that has not started waits for; empty if that is not known."""
        if self.state in (HelperState.starting, HelperState.loading):
            return str(self.state.value)
        if self._current not in ("", str(folder)):
            return "Waiting for the prediction before this one"
        return ""

    def refusal(self, folder: Path) -> str:
        """Return why a job was refused; empty if it was not."""
        return self._refused.get(str(folder), "")

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

    def _take(self, answer: Answer) -> None:
        if isinstance(answer, Loading):
            self._change(HelperState.loading)
        elif isinstance(answer, Accepted):
            self._current = answer.folder
            self._change(HelperState.busy)
        elif isinstance(answer, Ready):
            self._change(HelperState.ready)
        else:
            if isinstance(answer, Refused):
                self._refused[answer.folder] = answer.reason
            self._current = ""
            self._change(HelperState.ready)

    def _change(self, state: HelperState) -> None:
        self.state = state
        self._on_change(state)
