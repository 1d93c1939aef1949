"""Watching jobs: of this process, of killed processes, of other computers, on disks that fail."""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from segloop.app.job_watcher import JobFollower, JobUpdate, JobWatcher
from segloop.app.jobs import Job
from segloop.app.repeating import ThreadRepeater
from segloop.artifacts.job.events import MessageEvent, StateEvent
from segloop.artifacts.job.job import EVENTS_FILE, EventLog, JobFolder
from segloop.artifacts.job.state import JobState
from segloop.core.context import Progress

PATIENCE_S = 60


class ByHand:
    """A repeater whose calls the test makes."""

    def __init__(self) -> None:
        self.going_on = False
        self._call: Callable[[], bool] = lambda: False

    def start(self, function: Callable[[], Any], on_result: Callable[[Any], bool]) -> None:
        self._call, self.going_on = lambda: on_result(function()), True

    def stop(self) -> None:
        self.going_on = False

    def repeat(self) -> None:
        assert self.going_on
        self.going_on = self._call() and self.going_on


@pytest.fixture
def repeater() -> ByHand:
    return ByHand()


@pytest.fixture
def updates() -> list[JobUpdate]:
    return []


@pytest.fixture
def watcher(repeater: ByHand, updates: list[JobUpdate]) -> JobWatcher:
    watcher = JobWatcher(repeater)
    watcher.updated.connect(updates.append)
    return watcher


def test_a_job_is_watched_from_its_submission_to_its_end(
    watcher: JobWatcher, repeater: ByHand, updates: list[JobUpdate], tmp_path: Path
) -> None:
    watcher.watch(Job(tmp_path))
    repeater.repeat()
    log = EventLog(tmp_path)
    log.state(JobState.running)
    log.progress(Progress(1, 2, "half"))
    log.message("first")
    repeater.repeat()
    log.message("second")
    log.state(JobState.finished, ended_by="epochs")
    repeater.repeat()

    assert [update.state for update in updates] == [
        JobState.waiting,
        JobState.running,
        JobState.finished,
    ]
    assert [update.first for update in updates] == [True, False, False]
    assert [[event.text for event in update.events_of(MessageEvent)] for update in updates] == [
        [],
        ["first"],
        ["second"],
    ]
    assert updates[1].progress == Progress(1, 2, "half")
    assert updates[2].progress == Progress(1, 2, "half")
    assert updates[2].ended_by == "epochs"
    assert not repeater.going_on
    assert not watcher.watching
    assert watcher.job is not None


def test_a_job_that_had_ended_gives_one_update(
    watcher: JobWatcher, repeater: ByHand, updates: list[JobUpdate], tmp_path: Path
) -> None:
    EventLog(tmp_path).message("The disk is full.", "error")
    EventLog(tmp_path).state(JobState.failed)
    watcher.watch(Job(tmp_path))
    repeater.repeat()
    assert [(update.state, update.failure) for update in updates] == [(JobState.failed, "The disk is full.")]
    assert not repeater.going_on


def test_another_job_takes_the_place_of_the_first(
    watcher: JobWatcher, repeater: ByHand, updates: list[JobUpdate], tmp_path: Path
) -> None:
    for name in "ab":
        EventLog(tmp_path / name).state(JobState.running)
        EventLog(tmp_path / name).message(name)
    watcher.watch(Job(tmp_path / "a"))
    repeater.repeat()
    watcher.watch(Job(tmp_path / "b"))
    assert watcher.latest is None
    repeater.repeat()
    assert [update.events_of(MessageEvent)[0].text for update in updates] == ["a", "b"]
    assert [update.first for update in updates] == [True, True]


def test_a_receiver_may_choose_another_job(
    watcher: JobWatcher, repeater: ByHand, updates: list[JobUpdate], tmp_path: Path
) -> None:
    EventLog(tmp_path / "a").state(JobState.finished)
    EventLog(tmp_path / "b").state(JobState.running)

    def go_on(update: JobUpdate) -> None:
        if update.state is JobState.finished:
            watcher.watch(Job(tmp_path / "b"))

    watcher.updated.connect(go_on)
    watcher.watch(Job(tmp_path / "a"))
    repeater.repeat()
    assert watcher.job is not None
    assert watcher.job.path == tmp_path / "b"


def test_a_follower_can_begin_after_an_earlier_attempt(tmp_path: Path) -> None:
    log = EventLog(tmp_path)
    log.message("earlier")
    log.state(JobState.finished)
    since = (tmp_path / EVENTS_FILE).stat().st_size
    log.message("now")
    update = JobFollower(Job(tmp_path), since=since).look()
    assert [event.text for event in update.events_of(MessageEvent)] == ["now"]


def test_a_follower_reads_all_events_of_the_next_job_in_the_folder(tmp_path: Path) -> None:
    log = EventLog(tmp_path)
    log.message("earlier")
    log.state(JobState.finished)
    job = Job(tmp_path)
    follower = JobFollower(job, since=(tmp_path / EVENTS_FILE).stat().st_size)
    assert follower.look().events == ()

    (tmp_path / EVENTS_FILE).unlink()
    log = EventLog(tmp_path)
    log.state(JobState.running)
    log.message("A message that makes this log longer than the one before.")

    update = follower.look()
    assert update.state is JobState.running
    assert len(update.events) == 2
    assert "longer than the one before" in job.folder.message


def test_a_folder_that_can_not_be_read_for_a_while_is_no_end(
    watcher: JobWatcher,
    repeater: ByHand,
    updates: list[JobUpdate],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = EventLog(tmp_path)
    log.state(JobState.running)
    watcher.watch(Job(tmp_path))
    repeater.repeat()
    with monkeypatch.context() as patch:
        stale = OSError(116, "Stale file handle")
        patch.setattr("segloop.core.jsonl.open_own", lambda _: (_ for _ in ()).throw(stale))
        repeater.repeat()
    log.message("back again")
    repeater.repeat()
    stale_sentence = (
        f"{tmp_path / 'events.jsonl'} can't be read (Stale file handle): "
        "check that you may read it and that its drive is connected."
    )
    assert [update.problem for update in updates] == ["", stale_sentence, ""]
    assert {update.state for update in updates} == {JobState.running}
    assert [event.text for event in updates[2].events_of(MessageEvent)] == ["back again"]


def test_no_event_is_lost_where_looking_fails_half_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = EventLog(tmp_path)
    log.message("The disk is full.", "error")
    log.state(JobState.failed)
    follower = JobFollower(Job(tmp_path))
    with monkeypatch.context() as patch:
        patch.setattr(Job, "failure", lambda _: (_ for _ in ()).throw(OSError(5, "Input/output error")))
        assert "Input/output error" in follower.look().problem
    update = follower.look()
    assert update.first
    assert [event.text for event in update.events_of(MessageEvent)] == ["The disk is full."]


def test_a_job_on_another_computer_is_watched_by_its_folder(tmp_path: Path) -> None:
    log = EventLog(tmp_path)
    log.append(StateEvent(state=JobState.running, pid=1, process_started=0.0, host="elsewhere"))
    follower = JobFollower(Job(tmp_path))
    assert follower.look().state is JobState.running
    log.append(StateEvent(state=JobState.finished, pid=1, process_started=0.0, host="elsewhere"))
    assert follower.look().state is JobState.finished


WORKER = """
import sys
from segloop.artifacts.job.job import EventLog
from segloop.artifacts.job.state import JobState
log = EventLog(sys.argv[1])
log.state(JobState.running)
sys.stdin.read()
"""


def test_the_kill_of_a_job_is_noticed_on_a_thread(tmp_path: Path) -> None:
    arrived: queue.Queue[tuple[JobState, str]] = queue.Queue()
    watcher = JobWatcher(ThreadRepeater(0.01))
    watcher.updated.connect(lambda update: arrived.put((update.state, threading.current_thread().name)))
    process = subprocess.Popen([sys.executable, "-c", WORKER, str(tmp_path)], stdin=subprocess.PIPE)
    watcher.watch(Job(tmp_path))

    def next_state(*accepted: JobState) -> JobState:
        while True:
            state, thread = arrived.get(timeout=PATIENCE_S)
            assert thread == "segloop-repeat"
            if state in accepted:
                return state

    assert next_state(JobState.running) is JobState.running
    process.kill()
    process.communicate()
    assert next_state(JobState.lost) is JobState.lost
    watcher.release()
    assert JobFolder(tmp_path).recorded_state() is JobState.running


def test_finish_delivers_what_was_written_last(tmp_path: Path) -> None:
    updates: list[JobUpdate] = []
    looked = threading.Event()
    watcher = JobWatcher(ThreadRepeater(3600.0))
    watcher.updated.connect(updates.append)
    watcher.updated.connect(lambda _: looked.set())
    log = EventLog(tmp_path)
    log.state(JobState.finished)  # of an earlier job
    watcher.watch(Job(tmp_path), until_ended=False)
    assert looked.wait(PATIENCE_S)
    log.message("the last word")

    watcher.finish()

    assert [event.text for update in updates for event in update.events_of(MessageEvent)] == ["the last word"]
    assert watcher.job is None


def test_nothing_is_delivered_after_release(tmp_path: Path) -> None:
    EventLog(tmp_path).state(JobState.running)
    updates: list[JobUpdate] = []
    entered, go_on = threading.Event(), threading.Event()

    class Slow(JobFollower):
        def look(self) -> JobUpdate:
            entered.set()
            assert go_on.wait(PATIENCE_S)
            return super().look()

    watcher = JobWatcher(ThreadRepeater(0.0))
    watcher.updated.connect(updates.append)
    watcher.watch(Slow(Job(tmp_path)))
    assert entered.wait(PATIENCE_S)
    threading.Timer(0.05, go_on.set).start()
    watcher.release()
    assert updates == []


def test_what_was_read_while_the_watching_ends_is_delivered(tmp_path: Path, updates: list[JobUpdate]) -> None:
    EventLog(tmp_path).message("The image can't be read.", "error")
    read, ending = threading.Event(), threading.Event()

    class Slow(JobFollower):
        """Has read the events when the watching is ended, and returns them only afterwards."""

        def look(self) -> JobUpdate:
            update = super().look()
            read.set()
            ending.wait(PATIENCE_S)
            return update

    watcher = JobWatcher(ThreadRepeater(0.01))
    watcher.updated.connect(updates.append)
    watcher.watch(Slow(Job(tmp_path)), until_ended=False)
    assert read.wait(PATIENCE_S)
    threading.Timer(0.3, ending.set).start()
    watcher.finish()

    texts = [event.text for update in updates for event in update.events_of(MessageEvent)]
    assert texts == ["The image can't be read."]
