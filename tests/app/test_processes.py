"""Ending processes: real ones."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress

import psutil
import pytest

from segloop.app.processes import has_ended, kill_tree, wait_until_ended

SLEEP = "import time; time.sleep(600)"
PARENT = (
    f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', '{SLEEP}']); print(1, flush=True)"
)


@pytest.fixture
def family():
    """A process with a child."""
    parent = subprocess.Popen([sys.executable, "-c", f"{PARENT}; time.sleep(600)"], stdout=subprocess.PIPE)
    assert parent.stdout.readline()
    children = psutil.Process(parent.pid).children()
    yield parent, children[0]
    parent.stdout.close()
    parent.kill()
    parent.wait()
    for child in children:
        with suppress(psutil.NoSuchProcess):
            child.kill()


def test_children_end_with_their_parent(family):
    parent, child = family
    kill_tree(parent.pid)
    assert parent.wait(timeout=10) != 0
    psutil.wait_procs([child], timeout=10)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_a_child_that_the_system_protects_does_not_save_its_parent(family, monkeypatch):
    parent, child = family
    kill = psutil.Process.kill

    def protected(process):
        if process.pid == child.pid:
            raise psutil.AccessDenied(process.pid)
        kill(process)

    with monkeypatch.context() as patch:
        patch.setattr(psutil.Process, "kill", protected)
        kill_tree(parent.pid)
    assert parent.wait(timeout=10) != 0


def test_a_family_that_can_not_be_seen_is_no_error(family, monkeypatch):
    def hidden(process, recursive=False):
        raise psutil.AccessDenied(process.pid)

    parent, _ = family
    with monkeypatch.context() as patch:
        patch.setattr(psutil.Process, "children", hidden)
        kill_tree(parent.pid)
    assert parent.wait(timeout=10) != 0


def test_the_end_of_a_killed_process_with_threads_and_much_memory_is_seen():
    hold = "import threading, time; kept = bytearray(b'x') * (1 << 30); print(1, flush=True); "
    threads = "[threading.Thread(target=time.sleep, args=(600,)).start() for _ in range(4)]"
    process = subprocess.Popen([sys.executable, "-c", hold + threads], stdout=subprocess.PIPE)
    assert process.stdout.readline()
    process.stdout.close()
    process.kill()
    wait_until_ended(process, timeout_s=10)
    assert has_ended(process)
    assert process.wait(timeout=10) != 0


def test_waiting_for_a_process_that_goes_on_is_given_up(family):
    parent, _ = family
    wait_until_ended(parent, timeout_s=0.05)
    assert not has_ended(parent)
