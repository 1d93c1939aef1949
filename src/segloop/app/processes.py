"""Starting and ending the processes that do a job's work."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

_NICENESS = 5


def start_segloop(
    arguments: Sequence[str], log: Path, *, piped: bool = False, outlives_parent: bool = False
) -> subprocess.Popen[bytes]:
    """Start the ``segloop`` command in a process of its own, just as a user would at the command line.

    Parameters
    ----------
    arguments : sequence of str
        What follows ``segloop`` on the command line.
    log : Path
        File that receives standard error, and standard output if that is not piped.
    piped : bool, optional
        Connect standard input and standard output by pipes; the process sees the end of its input when the
        caller dies.
    outlives_parent : bool, optional
        Let the process go on when the caller ends, and when the caller gets Ctrl+C.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    detached: dict[str, Any] = {}
    if outlives_parent and os.name == "nt":
        detached["creationflags"] = 0x00000200 | 0x00000008  # CREATE_NEW_PROCESS_GROUP | DETACHED_PROCESS
    elif outlives_parent:
        detached["start_new_session"] = True
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "segloop", *arguments],
            stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
            stdout=subprocess.PIPE if piped else output,
            stderr=output,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            **detached,
        )
    _lower_priority(process.pid)
    if outlives_parent:
        # Keeps the handle until the process ends, even if the viewer that started it is closed.
        threading.Thread(target=process.wait, name=f"segloop-{process.pid}", daemon=True).start()
    return process


def _lower_priority(pid: int) -> None:
    """Lower the priority of a process, so that the viewer stays responsive."""
    with suppress(psutil.Error, OSError):
        psutil.Process(pid).nice(psutil.BELOW_NORMAL_PRIORITY_CLASS if os.name == "nt" else _NICENESS)


def has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Return whether a process has ended, even if the system still frees its memory."""
    if process.poll() is not None:
        return True
    try:
        return bool(psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def wait_until_ended(process: subprocess.Popen[bytes], timeout_s: float) -> None:
    """Wait until a process has ended, but not until the system has freed its memory."""
    deadline = time.monotonic() + timeout_s
    while not has_ended(process) and time.monotonic() < deadline:
        time.sleep(0.005)


def wait_for_status(process: subprocess.Popen[bytes], timeout_s: float) -> None:
    """Wait until the exit status of a process that has ended is known, which another thread may read."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout_s)


def kill_tree(pid: int) -> None:
    """Kill a process and its children; one that no longer exists, or that the system protects, is skipped."""
    out_of_reach = (psutil.NoSuchProcess, psutil.AccessDenied)
    try:
        parent = psutil.Process(pid)
    except out_of_reach:
        return
    family = [parent]
    with suppress(*out_of_reach):
        family = [*parent.children(recursive=True), parent]
    for member in family:
        with suppress(*out_of_reach):
            member.kill()


def last_line(log: Path) -> str:
    """Return the last non-empty line of a log file, or an empty string."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def start_window(workspace: Path) -> int:
    """Open napari with the three docks on a workspace, in a process of its own; return its exit status."""
    return subprocess.call([sys.executable, "-m", "segloop.ui", str(workspace)])
