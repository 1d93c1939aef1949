"""Ending and suspending other processes, as tests do."""

from __future__ import annotations

import os

import psutil


def other_process(pid: int | None) -> psutil.Process:
    """Return another process than this one, which psutil would take None for."""
    assert pid is not None, "there is no process"
    assert pid != os.getpid()
    return psutil.Process(pid)


def kill(pid: int | None) -> None:
    """Do what ``kill -9`` does to another process."""
    other_process(pid).kill()
