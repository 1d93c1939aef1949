"""What *Compare models* knows and decides, without Qt."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from fakes.background import FakeBackground, FakeMemory
from fakes.trainings import FakeRepeater
from segloop.app.app import App
from segloop.app.jobs import Job
from segloop.app.presenters.messages import Messages
from segloop.app.presenters.training import comparing
from segloop.app.presenters.training.comparing import Comparing
from segloop.app.workspace import Workspace
from segloop.artifacts.job.job import EventLog
from segloop.artifacts.job.state import JobState
from segloop.core.errors import JobError

POOLED = {
    "n_images": 1,
    "instance": {"ap": {"0.50": 0.5}},
    "semantic": {"dice": 0.5},
    "intervals": {},
}
SUMMARY = {
    "format": "segloop-comparison",
    "version": 2,
    "score": "ap50",
    "best": "a",
    "models": {"a": POOLED},
    "baselines": {},
    "differences": {},
    "dataset": "nuclei",
    "images": [],
}
MODELS = {"run a": Path("/runs/a"), "run b": Path("/runs/b"), "nuclei-2d": Path("/models/nuclei-2d")}


class Stage:
    """The presenter among fakes; comparisons are started, but their process is this one."""

    def __init__(self, folder, monkeypatch):
        self.app = App(Workspace(folder))
        self.background, self.memory, self.repeater = FakeBackground(), FakeMemory(), FakeRepeater()
        self.messages = Messages()
        self.started = []
        monkeypatch.setattr(comparing, "start_comparison", self.start_comparison)
        self.open()

    def open(self):
        self.comparing = Comparing(self.app, self.background, self.memory, self.repeater, self.messages)
        self.comparing.open_workspace()
        self.background.finish()
        self.comparing.set_models(MODELS)

    def start_comparison(self, models, dataset, split, workspace):
        self.started.append((models, dataset, split))
        folder = workspace.new_folder(workspace.comparisons_dir, "nuclei") / ".segloop"
        EventLog(folder).state(JobState.running, pid=os.getpid())
        self.job = Job(folder)
        return self.job

    def start(self):
        self.comparing.start("nuclei")
        self.background.finish()

    def end(self, state=JobState.finished, problems=(), **options):
        log = EventLog(self.job.path)
        for each in problems:
            log.message(each, "error")
        if state is JobState.finished:
            (self.job.path.parent / "metrics.json").write_text(json.dumps(SUMMARY))
        log.state(state, **options)
        self.repeater.look()
        self.background.finish()


@pytest.fixture
def stage(tmp_path, monkeypatch):
    return Stage(tmp_path / "study", monkeypatch)


def test_at_first_the_newest_run_and_an_installed_model_are_chosen(stage):
    assert stage.comparing.chosen == {"run a", "nuclei-2d"}
    stage.comparing.set_models({})
    assert stage.comparing.chosen == set()
    assert not stage.comparing.can_start


def test_a_choice_is_remembered_and_what_is_gone_is_no_longer_chosen(stage):
    stage.comparing.choose("run b", True)
    stage.comparing.choose("nuclei-2d", False)
    stage.open()
    assert stage.comparing.chosen == {"run a", "run b"}
    stage.comparing.set_models({"run b": MODELS["run b"]})
    assert stage.comparing.chosen == {"run b"}


def test_the_chosen_models_are_compared_and_the_outcome_is_shown(stage):
    stage.comparing.set_split("test")
    stage.start()
    assert stage.started == [([MODELS["run a"], MODELS["nuclei-2d"]], "nuclei", "test")]
    assert stage.comparing.busy
    assert not stage.comparing.can_start
    stage.end()
    assert not stage.comparing.busy
    assert stage.comparing.result.models == ("a",)
    assert stage.messages.last is None


def test_progress_is_passed_on(stage):
    said = []
    stage.comparing.progressed.connect(said.append)
    stage.start()
    EventLog(stage.job.path).context().progress(1, 4, "nuclei-2d: 045")
    stage.repeater.look()
    assert said[0].total == 0
    assert said[-1].message == "nuclei-2d: 045"


def test_without_a_dataset_the_user_is_told(stage):
    stage.comparing.start("")
    assert "Choose a dataset first" in stage.messages.last.text
    assert not stage.started


def test_what_could_not_be_scored_is_told(stage):
    stage.start()
    stage.end(problems=["b.tif is damaged.", "c.tif is damaged."])
    assert stage.messages.last.text == "b.tif is damaged. And 1 more, see the report."
    assert stage.comparing.result is not None


def test_why_it_failed_is_told(stage):
    stage.start()
    stage.end(JobState.failed, problems=["The dataset has no accepted samples."])
    assert stage.messages.last.text == "The dataset has no accepted samples."
    assert not stage.comparing.busy


def test_what_can_not_be_started_is_told(stage, monkeypatch):
    def fail(*_):
        raise JobError("The comparison could not be started.")

    monkeypatch.setattr(comparing, "start_comparison", fail)
    stage.start()
    assert stage.messages.last.text == "The comparison could not be started."
    assert stage.comparing.can_start


def test_cancel_stops_the_job_without_a_message(stage):
    stage.start()
    stage.comparing.cancel()
    stage.background.finish()
    assert stage.job.folder.stop_requested()
    stage.end(JobState.stopped)
    assert not stage.comparing.busy
    assert stage.messages.last is None


def test_cancel_while_it_starts_stops_it_too(stage):
    stage.comparing.start("nuclei")
    stage.comparing.cancel()
    stage.background.finish()
    assert stage.job.folder.stop_requested()


def test_a_comparison_goes_on_while_the_dock_is_closed(stage):
    stage.start()
    stage.comparing.close()
    stage.open()
    assert stage.comparing.busy
    stage.end()
    assert stage.comparing.result.models == ("a",)

    stage.open()
    assert not stage.comparing.busy
    assert stage.comparing.result.models == ("a",)


def test_a_comparison_that_was_deleted_is_no_news(stage):
    stage.memory.remember(comparing.SHOWN_KEY, "gone")
    stage.open()
    assert stage.comparing.result is None
    assert stage.messages.last is None
