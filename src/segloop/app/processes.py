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
    arguments: Sequence[str], errors_to: Path, *, lines_in: bool = False, outlives_parent: bool = False
) -> subprocess.Popen[bytes]:
    """Start the ``segloop`` command in a process of its own, just as a user would at the command line.

    Parameters
    ----------
    arguments : sequence of str
        What follows ``segloop`` on the command line.
    errors_to : Path
        File that receives standard output and standard error.
    lines_in : bool, optional
        Keep a pipe to the process' standard input open; the process sees its end when the caller dies.
    outlives_parent : bool, optional
        Let the process go on when the caller ends (and be spared by the caller's Ctrl+C).
    """
    errors_to.parent.mkdir(parents=True, exist_ok=True)
    detached: dict[str, Any] = {}
    if outlives_parent and os.name == "nt":
        detached["creationflags"] = 0x00000200 | 0x00000008  # CREATE_NEW_PROCESS_GROUP | DETACHED_PROCESS
    elif outlives_parent:
        detached["start_new_session"] = True
    with errors_to.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "segloop", *arguments],
            stdin=subprocess.PIPE if lines_in else subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            **detached,
        )
    _yield_to_the_viewer(process.pid)
    if outlives_parent:
        # Keeps the handle until the process ends, whatever becomes of the viewer that started it.
        threading.Thread(target=process.wait, name=f"segloop-{process.pid}", daemon=True).start()
    return process


def _yield_to_the_viewer(pid: int) -> None:
    """Lower the priority of a process, so that computing on every core leaves the mouse responsive."""
    with suppress(psutil.Error, OSError):
        psutil.Process(pid).nice(psutil.BELOW_NORMAL_PRIORITY_CLASS if os.name == "nt" else _NICENESS)


def has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Tell whether a process does nothing more, even if its last threads are still being cleared away."""
    if process.poll() is not None:
        return True
    try:
        return bool(psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def wait_until_ended(process: subprocess.Popen[bytes], timeout_s: float) -> None:
    """Wait until a process does nothing more, but not for the system to clear away its memory."""
    deadline = time.monotonic() + timeout_s
    while not has_ended(process) and time.monotonic() < deadline:
        time.sleep(0.005)


def kill_tree(pid: int) -> None:
    """End a process and its children at once; one that is gone, or that the system protects, is no error."""
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
