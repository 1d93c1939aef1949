"""What the Training dock knows and decides, without Qt."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from fakes.background import FakeBackground, FakeClock, FakeMemory
from fakes.trainings import FakeApp, FakeRepeater, make_run, write_epoch, write_model_card
from segloop.app.presenters.training.presenter import NO_DATASET, TrainingPresenter
from segloop.app.sample import make_sample_dataset
from segloop.app.workspace import Workspace
from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.manifest import Verdict
from segloop.artifacts.job.job import EventLog, JobState
from segloop.config.train import TrainConfig
from segloop.core.errors import ConfigError


class Stage:
    """A presenter among fakes, and what it has said."""

    def __init__(self, folder):
        self.workspace = Workspace(folder)
        self.app = FakeApp(self.workspace)
        self.background, self.memory, self.clock = FakeBackground(), FakeMemory(), FakeClock()
        self.repeater = FakeRepeater()
        self.presenter = TrainingPresenter(self.app, self.background, self.memory, self.clock, self.repeater)
        self.said = []
        self.presenter.messages.changed.connect(self.said.append)

    def open(self):
        self.presenter.open_workspace(self.workspace)
        self.background.finish()

    def dataset(self, name="nuclei", accepted=10, val=0.2):
        dataset = make_sample_dataset(self.workspace.datasets_dir / name, val=val, accept_all=False)
        for each in dataset.sample_ids[:accepted]:
            dataset.save(dataset.sample(each).edit(verdict=Verdict.accepted), "accept")
        return dataset.path

    def start(self):
        self.presenter.start()
        self.background.finish()

    @property
    def runs(self):
        return [path.name for path in self.workspace.runs()]


@pytest.fixture
def stage(tmp_path, monkeypatch):
    monkeypatch.setenv("SEGLOOP_HOME", str(tmp_path / "home"))
    stage = Stage(tmp_path / "study")
    yield stage
    stage.presenter.close()


# The dataset


def test_without_a_dataset_it_says_what_to_do(stage):
    stage.open()
    assert stage.presenter.dataset_text == NO_DATASET
    assert stage.presenter.wants_curation
    assert not stage.presenter.can_start


def test_the_sample_nuclei_can_be_trained_on(stage):
    stage.open()
    stage.presenter.make_sample()
    stage.background.finish()
    assert stage.presenter.summary.train == 23
    assert stage.presenter.can_start


def test_the_newest_dataset_is_offered_and_another_can_be_chosen(stage):
    first, second = stage.dataset("one"), stage.dataset("two", accepted=0)
    os.utime(first / "dataset.json", (1, 1))
    stage.open()
    assert stage.presenter.dataset == str(second)
    assert stage.presenter.wants_curation
    assert not stage.presenter.can_start

    stage.presenter.choose_dataset(first)
    stage.background.finish()
    assert stage.presenter.can_start


def test_the_dataset_opened_in_curation_is_chosen(stage):
    path = stage.dataset("one")
    stage.dataset("two")
    stage.open()
    stage.app.dataset_chosen.emit(path)
    stage.background.finish()
    assert stage.presenter.summary.path == path


def test_a_verdict_counts_at_once(stage):
    path = stage.dataset()
    stage.open()
    before = stage.presenter.summary
    dataset = CuratedDataset.open(path)
    sample = dataset.sample(dataset.split("train")[0])
    dataset.save(sample.edit(verdict=Verdict.rejected), "reject")
    stage.app.datasets_changed.emit()
    stage.background.finish()
    assert stage.presenter.summary.train == before.train - 1


def test_a_dataset_that_is_gone_is_named(stage, tmp_path):
    stage.open()
    stage.presenter.choose_dataset(tmp_path / "gone")
    stage.background.finish()
    assert str(tmp_path / "gone") in stage.presenter.dataset_text
    assert not stage.presenter.can_start


# Settings and plan


def test_settings_are_remembered_a_moment_after_the_last_change(stage):
    stage.dataset()
    stage.open()
    for seed in range(3):
        stage.presenter.set_config(lambda seed=seed: TrainConfig(seed=seed))
        stage.clock.advance(0.1)
    assert "training.config" not in stage.memory.kept
    stage.clock.advance(1)
    assert stage.memory.kept["training.config"]["seed"] == 2


def test_a_value_that_makes_no_sense_is_neither_remembered_nor_trained_with(stage):
    stage.dataset()
    stage.open()

    def read():
        raise ConfigError("Patch size: write numbers with commas between them, not 'large'.")

    stage.presenter.set_config(read)
    stage.clock.advance(1)
    stage.start()
    assert "training.config" not in stage.memory.kept
    assert stage.runs == []
    assert stage.said[-1].text.startswith("Patch size")


def test_the_plan_is_made_only_while_it_is_looked_at_and_follows_the_settings(stage, monkeypatch):
    from segloop.app.presenters.training import plan_preview

    class Plan:
        def __init__(self, config):
            self.notes, self.warnings, self.problems = (f"{config.network.dimensions}D",), ("Few.",), ()

    planned = []

    def plan_training(config, *, context, import_torch):
        assert not import_torch
        planned.append(config)
        return Plan(config)

    monkeypatch.setattr(plan_preview, "plan_training", plan_training)
    path = stage.dataset()
    stage.open()
    stage.clock.advance(5)
    stage.background.finish()
    assert planned == []

    stage.presenter.plan.set_wanted(True)
    stage.clock.advance(1)
    assert stage.presenter.plan_notes == ("Working out the plan…",)
    stage.background.finish()
    assert planned[-1].dataset == str(path)

    config = TrainConfig()
    config.network.dimensions = 3
    stage.presenter.set_config(lambda: config)
    stage.clock.advance(1)
    stage.background.finish()
    assert stage.presenter.plan_notes == ("3D", "Few.")


# Starting


def test_a_training_is_started_and_followed(stage):
    stage.dataset()
    stage.open()
    stage.start()
    assert stage.runs == ["nuclei"]
    assert stage.memory.kept["training.run"] == "nuclei"
    assert [run.path.name for run in stage.presenter.run_list.runs] == ["nuclei"]
    stage.repeater.look()
    assert stage.presenter.run.active
    assert stage.said == []


@pytest.mark.parametrize("looks", [0, 1], ids=["before its folder was looked at", "after"])
def test_a_second_training_at_once_is_asked_about(stage, looks):
    stage.dataset()
    stage.open()
    stage.start()
    for _ in range(looks):
        stage.repeater.look()

    stage.start()
    assert stage.runs == ["nuclei"]
    question = stage.said[-1]
    assert (question.level, question.button) == ("warning", "Start anyway")
    assert "nuclei is still training" in question.text

    question.action()
    stage.background.finish()
    assert sorted(stage.runs) == ["nuclei", "nuclei-2"]


def test_after_the_first_has_ended_nothing_is_asked(stage):
    stage.dataset()
    stage.open()
    stage.start()
    stage.repeater.look()
    EventLog(stage.presenter.run.path).state(JobState.finished, ended_by="time")
    stage.repeater.look()
    stage.said.clear()
    stage.start()  # the list of runs is seconds old
    assert len(stage.runs) == 2


@pytest.mark.parametrize(("accepted", "asks"), [(3, True), (10, False)])
def test_a_training_without_validation_is_asked_about(stage, accepted, asks):
    stage.dataset(accepted=accepted, val=0.0)
    stage.open()
    assert ("validat" in stage.presenter.dataset_text.lower()) is True
    stage.start()
    assert bool(stage.runs) is not asks
    if asks:
        assert "too few accepted samples for validation" in stage.said[-1].text
        stage.said[-1].action()
        stage.background.finish()
    assert stage.runs == ["nuclei"]


def test_why_a_training_could_not_start_is_said(stage):
    path = stage.dataset()
    stage.open()
    stage.presenter.set_config(lambda: TrainConfig(init=str(path / "nothing")))

    def start_training(config, name):
        raise ConfigError("There is no model nothing.")

    stage.app.start_training = start_training
    stage.start()
    assert stage.said[-1].text == "There is no model nothing."
    assert stage.presenter.can_start


# The run on screen


def test_the_run_in_training_is_shown_first_and_else_the_last_one(stage):
    make_run(stage.workspace, "old", TrainConfig(), scores=[0.5])
    make_run(stage.workspace, "new", TrainConfig(), scores=[0.6])
    stage.workspace.remember("training.run", "old")
    stage.open()
    assert stage.presenter.run.name == "old"
    make_run(stage.workspace, "active", TrainConfig(), JobState.running, pid=os.getpid())
    stage.open()
    assert stage.presenter.run.name == "active"


def test_a_new_model_is_news_to_the_other_docks(stage):
    stage.dataset()
    stage.open()
    stage.start()
    stage.repeater.look()
    changed = []
    stage.app.models_changed.connect(lambda: changed.append(1))
    path = stage.presenter.run.path
    write_epoch(path, 1, val_ap50=0.5)
    write_model_card(path, 1, val_ap50=0.5)
    stage.repeater.look()
    assert changed == [1]
    stage.repeater.look()
    assert changed == [1]


def test_the_end_of_a_training_offers_to_predict(stage):
    stage.dataset()
    stage.open()
    stage.start()
    stage.repeater.look()
    wanted = []
    stage.presenter.predict_wanted.connect(lambda: wanted.append(1))
    EventLog(stage.presenter.run.path).state(JobState.finished, ended_by="time")
    stage.repeater.look()
    assert stage.said[-1].text == "nuclei is trained."
    stage.said[-1].action()
    assert wanted == [1]
    assert not stage.repeater.watching


def test_a_lost_training_offers_to_resume(stage):
    path = make_run(stage.workspace, "lost", TrainConfig(), JobState.running, scores=[0.5], pid=2**22 + 1)
    stage.open()
    stage.repeater.look()
    assert stage.said[-1].button == "Resume"
    stage.said[-1].action()
    stage.background.finish()
    assert stage.app.resumed == (path, None)
    assert stage.presenter.run.path == path


def test_a_finished_training_can_be_longer(stage):
    path = make_run(stage.workspace, "done", TrainConfig(), scores=[0.5, 0.6], seconds=60)
    stage.open()
    stage.repeater.look()
    stage.presenter.config.stop.max_minutes = 5
    stage.presenter.train_longer()
    stage.background.finish()
    run, stop = stage.app.resumed
    assert run == path
    assert stop.max_minutes == 2 + 5


def test_stopping_is_said_at_once(stage):
    stage.dataset()
    stage.open()
    stage.start()
    stage.repeater.look()
    stage.presenter.stop()
    assert stage.presenter.run.stopping
    assert stage.presenter.run.progress.message.startswith("Stopping")
    EventLog(stage.presenter.run.path).state(JobState.stopped, ended_by="stop")
    stage.background.finish()
    stage.repeater.look()
    assert not stage.presenter.run.stopping


def test_the_plan_on_screen_is_that_of_the_run(stage):
    path = make_run(stage.workspace, "done", TrainConfig(), scores=[0.5])
    stage.open()
    assert stage.presenter.plan_title == "Plan"
    shutil.copy(Path(__file__).parents[3] / "artifacts" / "run" / "plan_v1.json", path / "plan.json")
    stage.repeater.look()
    assert stage.presenter.plan_title == "Plan of done"
    assert stage.presenter.plan_notes


# Workspaces


def test_another_workspace_shows_its_own_runs(stage, tmp_path):
    make_run(stage.workspace, "here", TrainConfig(), scores=[0.5])
    other = Workspace(tmp_path / "other")
    make_run(other, "there", TrainConfig(), scores=[0.6])
    stage.open()
    assert [run.path.name for run in stage.presenter.run_list.runs] == ["here"]
    stage.app._workspace = other
    stage.presenter.open_workspace(other)
    assert stage.presenter.run is None
    assert not stage.repeater.watching
    stage.background.finish()
    assert stage.presenter.run.name == "there"


def test_runs_are_listed_again_every_few_seconds(stage):
    stage.open()
    make_run(stage.workspace, "late", TrainConfig(), scores=[0.5])
    stage.clock.advance(1)
    stage.background.finish()
    assert stage.presenter.run_list.runs == ()
    stage.clock.advance(3)
    stage.background.finish()
    assert [run.path.name for run in stage.presenter.run_list.runs] == ["late"]


def test_closing_leaves_no_listener_behind(stage):
    stage.open()
    stage.presenter.close()
    app = stage.app
    assert [len(each) for each in (app.dataset_chosen, app.datasets_changed, app.models_changed)] == [0, 0, 0]
