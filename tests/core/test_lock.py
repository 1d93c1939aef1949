"""One process at a time."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from segloop.core.errors import DatasetError
from segloop.core.lock import FileLock, Owner

HOLD = """
import sys
from pathlib import Path
from segloop.core.errors import DatasetError
from segloop.core.lock import FileLock

FileLock(Path(sys.argv[1]), "The dataset cells", DatasetError).acquire()
print("held", flush=True)
sys.stdin.read()
"""

COUNT = """
import sys
from pathlib import Path
from segloop.core.errors import DatasetError
from segloop.core.lock import FileLock

lock, counter = FileLock(Path(sys.argv[1]), "The counter", DatasetError), Path(sys.argv[2])
done = 0
while done < int(sys.argv[3]):
    try:
        with lock:
            counter.write_text(str(int(counter.read_text()) + 1))
            done += 1
    except DatasetError:
        pass
"""


def lock(folder: Path) -> FileLock:
    return FileLock(folder / ".lock", "The dataset cells", DatasetError)


def test_a_lock_is_gone_when_it_is_released(tmp_path: Path) -> None:
    with lock(tmp_path):
        found = lock(tmp_path).owner()
        mine = Owner.this_process()
        assert found == mine.model_copy(update={"since": found.since})

    assert list(tmp_path.iterdir()) == []


def test_the_holder_is_named(tmp_path: Path) -> None:
    with (
        lock(tmp_path),
        pytest.raises(
            DatasetError, match=rf"The dataset cells is in use by process {os.getpid()} on .*: close it there"
        ),
    ):
        lock(tmp_path).acquire()


def test_the_lock_of_another_process_holds_until_that_is_killed(tmp_path: Path) -> None:
    arguments = [sys.executable, "-c", HOLD, str(tmp_path / ".lock")]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(DatasetError, match=f"in use by process {process.pid}"):
            lock(tmp_path).acquire()
        process.kill()
    with lock(tmp_path):
        assert lock(tmp_path).owner().pid == os.getpid()
    assert list(tmp_path.iterdir()) == []


def test_a_lock_of_another_computer_is_respected_and_its_file_named(tmp_path: Path) -> None:
    owner = {"pid": 1, "started": 0.0, "host": "elsewhere", "since": "2026-01-01T00:00:00+00:00"}
    (tmp_path / ".lock").write_text(json.dumps(owner))

    with pytest.raises(DatasetError, match=r"process 1 on elsewhere.*or delete .*\.lock if that process"):
        lock(tmp_path).acquire()


NO_OWNERS = [
    json.dumps({"pid": 5, "started": 1.0, "host": os.uname().nodename, "since": "2026"} | wrong)
    for wrong in (
        {"pid": -1}, {"pid": 10**400}, {"pid": 1e999}, {"pid": 2**63}, {"pid": None}, {"started": 10**400},
        {"started": float("nan")}, {"host": "x" * 5000}, {"since": "x" * 5000}, {"since": []},
    )
]  # fmt: skip


@pytest.mark.parametrize(
    "content", ["", "\0" * 40, "[]", "{}", '{"pid": "x"}', "[" * 100_000, *NO_OWNERS], ids=itertools.count()
)
def test_a_damaged_lock_is_in_use_only_as_long_as_it_may_just_be_written(
    tmp_path: Path, content: str
) -> None:
    file = tmp_path / ".lock"
    file.write_text(content)
    with pytest.raises(DatasetError, match="in use by another process"):
        lock(tmp_path).acquire()

    os.utime(file, (0, 0))

    with lock(tmp_path):
        assert lock(tmp_path).owner().pid == os.getpid()


def test_an_owner_that_is_just_writing_its_name_is_named(tmp_path: Path) -> None:
    file = tmp_path / ".lock"
    file.touch()
    owner = {"pid": os.getppid(), "started": psutil.Process(os.getppid()).create_time()}
    text = json.dumps({**owner, "host": os.uname().nodename, "since": "2026-01-01T00:00:00+00:00"})
    writer = threading.Timer(0.1, lambda: file.write_text(text))
    writer.start()

    with pytest.raises(DatasetError, match=f"in use by process {os.getppid()}"):
        lock(tmp_path).acquire()
    writer.join()


def test_processes_that_compete_never_hold_it_together(tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    counter.write_text("0")
    arguments = [sys.executable, "-c", COUNT, str(tmp_path / ".lock"), str(counter), "100"]

    processes = [subprocess.Popen(arguments) for _ in range(3)]

    assert [process.wait() for process in processes] == [0, 0, 0]
    assert counter.read_text() == "300"
    assert [path.name for path in tmp_path.iterdir()] == ["counter"]


def test_a_lock_that_was_just_given_back_is_not_taken_for_an_abandoned_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the lock of a process that has taken it since would be removed."""
    file = tmp_path / ".lock"
    with lock(tmp_path):
        theirs = file.read_text()
    file.write_text(theirs)
    looks = []

    def given_back_while_it_is_read(self: FileLock) -> None:
        if not looks:
            file.unlink()
        looks.append(file)

    def refused(self: Path, target: Path) -> None:
        pytest.fail(f"{self} was moved away")

    with monkeypatch.context() as patch:
        patch.setattr(FileLock, "owner", given_back_while_it_is_read)
        patch.setattr(Path, "rename", refused)
        lock(tmp_path).acquire()
    assert looks
    assert json.loads(file.read_text())["pid"] == os.getpid()


def test_a_fresh_lock_that_is_not_named_yet_is_put_back(tmp_path: Path) -> None:
    file = tmp_path / ".lock"
    file.touch()
    lock(tmp_path)._remove_abandoned(None)
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
