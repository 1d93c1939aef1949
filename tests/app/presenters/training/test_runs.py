"""What is said of runs: in the list, and of the one on screen."""

from __future__ import annotations

import math
import os
import sys
from dataclasses import replace

import pytest

from documented_packages import install
from fakes.trainings import make_run, write_epoch, write_model_card
from segloop.app.app import App
from segloop.app.jobs import Job
from segloop.app.presenters.training.actions import list_models, more_time
from segloop.app.presenters.training.curves import Curves
from segloop.app.presenters.training.run_summary import RunReader
from segloop.app.presenters.training.shown_run import ShownRun
from segloop.app.run_follower import RunFollower
from segloop.app.run_length import duration_text, with_short_training
from segloop.app.workspace import Workspace
from segloop.artifacts.job.job import EventLog, JobState
from segloop.artifacts.run.kept_model import KeptModel, read_kept_model
from segloop.artifacts.run.run import Run
from segloop.config.train import StopConfig, TargetConfig, TrainConfig
from segloop.core.context import Context, Progress

CONFIG = TrainConfig(dataset="d")


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path / "study")


# The list


def test_the_score_is_that_of_the_model_that_is_kept(workspace):
    path = make_run(workspace, "a", CONFIG, scores=[0.70, 0.76, 0.75])
    write_model_card(path, 3, val_ap50=0.74, val_dice=0.9)
    (run,) = RunReader().read(workspace, Context())
    assert run.score_text == "AP50 0.74"
    assert run.model.epoch == 3


@pytest.mark.parametrize(
    ("scores", "text"),
    [
        ({"val_ap50": 0.5, "val_dice": 0.9}, "AP50 0.50"),
        ({"val_dice": 0.9}, "Dice 0.90"),
        ({"val_ap50": None, "val_dice": math.nan}, "not validated"),
        ({}, "not validated"),
    ],
)
def test_a_model_is_scored_by_what_was_measured(tmp_path, scores, text):
    write_model_card(tmp_path, 2, **scores)
    assert read_kept_model(tmp_path).text == text


@pytest.mark.parametrize("card", ["", "[]", "{}", '{"provenance": 3}', '{"provenance": {"epoch": "x"}}'])
def test_a_damaged_card_counts_as_no_model(tmp_path, card):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.json").write_text(card)
    assert read_kept_model(tmp_path) is None


@pytest.mark.parametrize(
    ("state", "seconds", "short"),
    [(JobState.finished, 5, True), (JobState.finished, 40, False), (JobState.running, 5, False)],
)
def test_a_training_of_seconds_is_called_short_once_it_has_ended(workspace, state, seconds, short):
    make_run(workspace, "a", CONFIG, state, scores=[0.5, 0.6], pid=os.getpid(), seconds=seconds)
    (run,) = RunReader().read(workspace, Context())
    assert run.is_short is short
    assert run.seconds == 2 * seconds


@pytest.mark.parametrize(
    ("state", "seconds", "name"),
    [
        (JobState.finished, 5, "run a, trained for 10 s"),
        (JobState.finished, 40, "run a"),
        (JobState.running, 5, "run a"),
    ],
)
def test_lists_of_models_say_when_a_training_was_short(workspace, state, seconds, name):
    path = make_run(workspace, "a", CONFIG, state, scores=[0.5, 0.6], pid=os.getpid(), seconds=seconds)
    assert with_short_training("run a", path) == name
    assert next(iter(list_models(App(workspace), Context()))) == name
    assert with_short_training("nuclei-2d", workspace.path) == "nuclei-2d"


def test_durations_have_a_unit():
    assert [duration_text(each) for each in (10, 59, 60, 250)] == ["10 s", "59 s", "1 min", "4 min"]


def test_a_run_is_read_again_when_its_files_change(workspace):
    path = make_run(workspace, "a", CONFIG, JobState.running, pid=os.getpid())
    reader = RunReader()
    (before,) = reader.read(workspace, Context())
    write_epoch(path, 1, val_dice=0.5)
    write_model_card(path, 1, val_dice=0.5)
    EventLog(path).state(JobState.finished)
    (after,) = reader.read(workspace, Context())
    assert (before.state, before.model) == (JobState.running, None)
    assert (after.state, after.score_text, after.epochs) == (JobState.finished, "Dice 0.50", 1)
    write_model_card(path, 1, val_dice=0.6)
    assert reader.read(workspace, Context())[0].model == KeptModel(1, "Dice", 0.6)


# The run on screen


def test_what_a_run_offers_follows_its_state(workspace):
    path = make_run(workspace, "a", CONFIG, JobState.running, pid=os.getpid())
    follower, shown = RunFollower(Job(path)), ShownRun(path)

    assert shown.update(follower.look()) is None
    assert (shown.active, shown.can_predict, shown.can_resume) == (True, False, False)
    assert shown.progress.message == "Reading the images"
    write_epoch(path, 1, train_loss=0.5, val_ap50=0.7)
    write_model_card(path, 1, val_ap50=0.7)
    EventLog(path).progress(Progress(1, 4, "Epoch 1", 60.0))
    assert shown.update(follower.look()) is None
    assert shown.status == "training, model of epoch 1: AP50 0.70"
    assert shown.progress.message.startswith("Epoch 1, 0:")
    assert shown.curves.curve("train_loss") == ([1], [0.5])

    EventLog(path).state(JobState.stopped, ended_by="stop")
    message = shown.update(follower.look())
    assert (message.text, message.button) == ("a is stopped; its best model so far is kept.", "Resume")
    assert (shown.active, shown.can_predict, shown.can_resume) == (False, True, True)
    assert shown.progress is None


@pytest.mark.parametrize(
    ("state", "said"),
    [(JobState.finished, None), (JobState.stopped, None), (JobState.failed, "error")],
)
def test_of_a_run_that_had_ended_before_only_trouble_is_told(workspace, state, said):
    path = make_run(workspace, "a", CONFIG, state)
    message = ShownRun(path).update(RunFollower(Job(path)).look())
    assert (message.level if message is not None else None) == said


def test_epochs_done_again_replace_those_of_the_last_attempt():
    curves = Curves()
    curves.add([(epoch, {"train_loss": 1.0 / epoch, "val_dice": 0.5}) for epoch in (1, 2, 3)])
    curves.add([(2, {"train_loss": 0.4, "val_loss": math.nan})])
    assert curves.curve("train_loss") == ([1, 2], [1.0, 0.4])
    assert curves.curve("val_dice") == ([1], [0.5])
    assert curves.curve("val_loss") == ([], [])


def test_the_scores_to_draw_are_those_that_the_run_reports_the_deciding_one_first(workspace):
    path = make_run(workspace, "a", CONFIG, scores=[0.5, 0.6])
    shown = ShownRun(path)
    shown.update(RunFollower(Job(path)).look())
    assert shown.curves.scores() == {"val_ap50": "AP50", "val_dice": "Dice"}
    assert list(shown.curves.scores()) == ["val_ap50", "val_dice"]


def test_scores_of_a_target_that_is_not_installed_keep_their_names(workspace):
    path = make_run(workspace, "a", CONFIG)
    Run(path).change_target(TargetConfig("boundary"))
    write_epoch(path, 1, train_loss=0.5, val_loss=0.6, val_overlap=0.25, val_recall=0.75)
    write_model_card(path, 1, target="boundary", val_loss=0.6, val_overlap=0.25)
    shown, update = ShownRun(path), RunFollower(Job(path)).look()
    shown.update(update)
    assert shown.curves.scores() == {"val_overlap": "overlap", "val_recall": "recall"}
    assert shown.status == "finished, model of epoch 1: overlap 0.25"
    assert update.lines[-1].endswith(
        "Epoch 1: training loss 0.500, validation loss 0.600, overlap 0.250, recall 0.750"
    )


def test_a_target_from_outside_names_its_scores(workspace, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(install(tmp_path / "package")))
    path = make_run(workspace, "a", CONFIG)
    Run(path).change_target(TargetConfig("boundary"))
    write_epoch(path, 1, val_overlap=0.25)
    write_model_card(path, 1, target="boundary", val_overlap=0.25)
    shown = ShownRun(path)
    shown.update(RunFollower(Job(path)).look())
    sys.modules.pop("boundary_target", None)
    assert shown.curves.scores() == {"val_overlap": "Overlap"}
    assert shown.status == "finished, model of epoch 1: Overlap 0.25"


def test_more_time_lifts_the_limit_that_ended_the_run():
    stop = StopConfig(max_minutes=15, max_epochs=50, patience=10)
    assert more_time(stop, "time", 15.0, 5) == replace(stop, max_minutes=20)
    assert more_time(stop, "epochs", 3.0, 5) == replace(stop, max_minutes=8, max_epochs=1050)
    assert more_time(stop, "patience", 3.0, 5) == replace(stop, max_minutes=8, patience=0)
