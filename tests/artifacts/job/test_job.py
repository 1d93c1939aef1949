from __future__ import annotations

import math
import os
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from segloop.artifacts.job.events import MessageEvent, MetricsEvent, OutputEvent, ProgressEvent, StateEvent
from segloop.artifacts.job.job import EventLog, JobFolder, working_on
from segloop.artifacts.job.state import JobState
from segloop.core.context import Progress
from segloop.core.errors import Cancelled, JobError
from segloop.core.jsonl import append_line

WORKER = """
import sys
from segloop.artifacts.job.events import MessageEvent, MetricsEvent, OutputEvent, ProgressEvent, StateEvent
from segloop.artifacts.job.job import EventLog
from segloop.artifacts.job.state import JobState
log = EventLog(sys.argv[1])
log.state(JobState.running)
print("running", flush=True)
sys.stdin.read()
log.state(JobState.finished)
"""


@pytest.fixture
def worker(tmp_path: Path):
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "running\n"
    yield process
    process.kill()
    process.communicate()


def test_a_folder_without_events_is_waiting(tmp_path: Path) -> None:
    assert JobFolder(tmp_path / "none").state() is JobState.waiting


def test_a_job_in_another_process_is_seen_running(worker: subprocess.Popen[str], tmp_path: Path) -> None:
    job = JobFolder(tmp_path)
    assert job.state() is JobState.running
    assert job.pid() == worker.pid


def test_a_job_in_another_process_is_seen_finished(worker: subprocess.Popen[str], tmp_path: Path) -> None:
    job = JobFolder(tmp_path)
    worker.communicate()
    assert job.state() is JobState.finished


def test_a_killed_job_is_lost(worker: subprocess.Popen[str], tmp_path: Path) -> None:
    job = JobFolder(tmp_path)
    worker.kill()
    worker.wait()
    assert job.state() is JobState.lost
    assert job.pid() is None


def test_who_writes_that_a_job_has_ended_does_not_do_its_work(tmp_path: Path) -> None:
    log, job = EventLog(tmp_path), JobFolder(tmp_path)
    log.state(JobState.running)
    assert job.pid() == os.getpid()
    log.state(JobState.stopped)
    assert job.pid() is None


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps no zombies")
def test_a_killed_job_that_nobody_waited_for_is_lost(worker: subprocess.Popen[str], tmp_path: Path) -> None:
    worker.kill()
    os.waitid(os.P_PID, worker.pid, os.WEXITED | os.WNOWAIT)  # dead, but still in the process table
    assert psutil.Process(worker.pid).status() == psutil.STATUS_ZOMBIE
    assert JobFolder(tmp_path).state() is JobState.lost


def test_another_process_with_the_same_number_is_not_the_job(tmp_path: Path) -> None:
    log = EventLog(tmp_path)
    log.state(JobState.running)
    event = JobFolder(tmp_path).last(StateEvent)
    assert event is not None
    assert event.process_started is not None
    log.append(event.model_copy(update={"process_started": event.process_started - 3600}))
    assert JobFolder(tmp_path).state() is JobState.lost


def test_a_job_on_another_computer_is_believed(tmp_path: Path) -> None:
    append_line(
        tmp_path / "events.jsonl",
        {
            "time": 0,
            "kind": "state",
            "state": "running",
            "pid": 1,
            "process_started": 0.0,
            "host": "elsewhere",
        },
    )
    assert JobFolder(tmp_path).state() is JobState.running


def test_state_keeps_what_goes_with_it(tmp_path: Path) -> None:
    EventLog(tmp_path).state(JobState.failed, error="disk full")
    event = JobFolder(tmp_path).last(StateEvent)
    assert event is not None
    assert (event.state, event.error, event.pid) == (JobState.failed, "disk full", os.getpid())


def test_events_come_with_the_offset_to_go_on_from(tmp_path: Path) -> None:
    log, job = EventLog(tmp_path), JobFolder(tmp_path)
    log.message("first")
    _, offset = job.events()
    log.message("second", level="warning")
    (event,), _ = job.events(offset)
    assert isinstance(event, MessageEvent)
    assert (event.text, event.level) == ("second", "warning")


def test_metrics_come_back_even_when_not_finite(tmp_path: Path) -> None:
    EventLog(tmp_path).metrics(3, {"loss": math.nan, "dice": 0.5})
    event = JobFolder(tmp_path).last(MetricsEvent)
    assert event is not None
    assert event.epoch == 3
    assert event.values["dice"] == 0.5
    assert math.isnan(event.values["loss"])


def test_outputs_are_announced(tmp_path: Path) -> None:
    EventLog(tmp_path).output(tmp_path / "a.tif", input="raw/a.tif", output_kind="labels")
    event = JobFolder(tmp_path).last(OutputEvent)
    assert event is not None
    assert (event.path, event.input, event.output_kind) == (
        str(tmp_path / "a.tif"),
        "raw/a.tif",
        "labels",
    )


def test_the_newest_message_is_at_hand(tmp_path: Path) -> None:
    log, job = EventLog(tmp_path), JobFolder(tmp_path)
    assert job.message == ""
    log.message("first")
    log.message("second")
    assert job.message == "second"


def test_progress_is_written_sparingly_but_never_without_its_end(tmp_path: Path) -> None:
    log = EventLog(tmp_path)
    for done in range(1001):
        log.progress(Progress(done, 1000, "counting"))
    events = JobFolder(tmp_path).events_of(ProgressEvent)
    assert len(events) < 100
    assert events[-1].done == 1000


def test_a_stop_request_cancels_the_context(tmp_path: Path) -> None:
    context = EventLog(tmp_path).context()
    JobFolder(tmp_path).request_stop()
    with pytest.raises(Cancelled):
        context.progress(1, 2)


def test_without_a_stop_request_progress_is_reported(tmp_path: Path) -> None:
    EventLog(tmp_path).context().progress(1, 2, "half")
    event = JobFolder(tmp_path).last(ProgressEvent)
    assert event is not None
    assert (event.done, event.total, event.message) == (1, 2, "half")


@pytest.mark.parametrize("earlier", [JobState.running, JobState.stopping])
def test_the_stop_request_of_an_earlier_attempt_is_forgotten(tmp_path: Path, earlier: JobState) -> None:
    EventLog(tmp_path).state(earlier)
    JobFolder(tmp_path).request_stop()
    log = EventLog(tmp_path)
    log.state(JobState.running)
    assert not log.stop_requested()
    assert not JobFolder(tmp_path).stop_requested()


def test_a_stop_request_made_while_the_job_starts_stands(tmp_path: Path) -> None:
    EventLog(tmp_path).state(JobState.waiting)
    JobFolder(tmp_path).request_stop()
    log = EventLog(tmp_path)
    log.state(JobState.running)
    assert log.stop_requested()


def test_a_heeded_stop_request_is_gone(tmp_path: Path) -> None:
    log = EventLog(tmp_path)
    log.state(JobState.running)
    JobFolder(tmp_path).request_stop()
    log.state(JobState.stopped)
    assert not JobFolder(tmp_path).stop_requested()


def test_events_of_many_threads_stay_whole(tmp_path: Path) -> None:
    log = EventLog(tmp_path)
    threads = [threading.Thread(target=lambda: [log.message("x" * 500) for _ in range(50)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(JobFolder(tmp_path).events()[0]) == 400


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JobError, match=r"file.run.*choose a folder you may write to"):
        EventLog(tmp_path / "file" / "run")


def test_a_job_whose_end_could_not_be_written_is_lost_once_its_work_is_over(tmp_path: Path) -> None:
    folder = tmp_path / "job"
    with working_on(folder):
        EventLog(folder).state(JobState.running)
        with working_on(folder):
            pass  # such as a second attempt that was refused
        assert JobFolder(folder).state() is JobState.running
    assert JobFolder(folder).state() is JobState.lost
    assert JobFolder(folder).pid() is None
    EventLog(folder).state(JobState.running)
    assert JobFolder(folder).state() is JobState.running
