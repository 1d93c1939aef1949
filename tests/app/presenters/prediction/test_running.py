"""A job is started in the background, followed and cancelled; waiting says what it waits for."""

from __future__ import annotations

import pytest

from fakes.background import FakeBackground
from fakes.repeater import FakeRepeater
from segloop.app.jobs import Job
from segloop.app.presenters.prediction.running import Activity, RunningJob
from segloop.artifacts.job.job import EventLog
from segloop.artifacts.job.state import JobState
from segloop.core.context import Progress
from segloop.core.errors import Cancelled, JobError


class Bench:
    """A running job and what it reported."""

    def __init__(self):
        self.background, self.repeater = FakeBackground(), FakeRepeater()
        self.job = RunningJob(self.background, self.repeater)
        self.progress, self.ended, self.failed = [], [], []
        self.job.progressed.connect(self.progress.append)
        self.job.ended.connect(self.ended.append)
        self.job.failed.connect(self.failed.append)


@pytest.fixture
def bench():
    return Bench()


@pytest.fixture
def log(tmp_path):
    return EventLog(tmp_path)


def test_a_job_is_followed_to_its_end(bench, log, tmp_path):
    bench.job.run(Activity.layers, "Starting", lambda context: Job(tmp_path), then=lambda job: job)
    assert bench.job.busy
    bench.background.finish()
    log.state(JobState.running)
    log.progress(Progress(1, 4, "Predicting a.ome.zarr"))
    bench.repeater.repeat()
    assert bench.progress[-1].message == "Predicting a"
    assert bench.progress[-1].fraction == 0.25
    log.state(JobState.finished)
    bench.repeater.repeat()
    (ended,) = bench.ended
    assert (ended.activity, ended.cancelled, ended.seen) == (Activity.layers, False, True)
    assert not bench.job.busy


def test_what_it_waits_for_is_said_with_a_bar_of_unknown_length(bench, tmp_path):
    class Waiting(Job):
        waiting_for = "Loading torch"

    EventLog(tmp_path).state(JobState.waiting)
    bench.job.follow(Activity.layers, "Starting", Waiting(tmp_path))
    bench.repeater.repeat()
    assert bench.progress == [Progress(0, 0, "Loading torch")]


def test_cancel_asks_the_job_to_stop_and_its_end_counts_as_cancelled(bench, log, tmp_path):
    log.state(JobState.running)
    bench.job.follow(Activity.files, "Following", Job(tmp_path))
    bench.repeater.repeat()
    bench.job.cancel()
    log.state(JobState.stopped)
    bench.repeater.repeat()
    assert bench.ended[0].cancelled


def test_cancel_before_the_job_is_there(bench):
    def start(context):
        context.check()

    bench.job.run(Activity.layers, "Starting", start, then=lambda job: job)
    bench.job.cancel()
    bench.background.finish()
    assert isinstance(bench.failed[0], Cancelled)
    assert not bench.job.busy


def test_work_without_a_job_ends_with_its_result(bench):
    results = []
    bench.job.run(Activity.other, "Saving", lambda context: 3, then=results.append)
    bench.background.finish()
    assert results == [3]
    assert not bench.job.busy


def test_a_failure_to_start_is_reported(bench):
    def start(context):
        raise JobError("No room.")

    bench.job.run(Activity.layers, "Starting", start, then=lambda job: job)
    bench.background.finish()
    assert str(bench.failed[0]) == "No room."
    assert not bench.job.busy
