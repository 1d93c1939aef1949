"""What a follower reads of a training."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

from fakes.trainings import write_model_card
from segloop.app.jobs import Job
from segloop.app.run_follower import RunFollower
from segloop.artifacts.job.job import EventLog
from segloop.artifacts.job.state import JobState
from segloop.artifacts.run.kept_model import KeptModel
from segloop.artifacts.run.run import Run
from segloop.core.context import Progress

PLAN = Path(__file__).parents[1] / "artifacts" / "run" / "plan_v1.json"


def test_only_what_is_new_is_returned(tmp_path: Path) -> None:
    log = EventLog(tmp_path)
    log.state(JobState.running)
    log.metrics(1, {"train_loss": 0.5, "val_dice": math.nan})
    follower = RunFollower(Job(tmp_path))

    first = follower.look()
    log.progress(Progress(1, 4, "Epoch 2", 90.0))
    log.message("Half of it.")
    second = follower.look()

    assert [epoch for epoch, _ in first.metrics] == [1]
    assert first.lines[-1].endswith("Epoch 1: training loss 0.500")
    assert first.state is JobState.running
    assert first.first
    assert not second.first
    assert second.metrics == ()
    assert [line[9:] for line in second.lines] == ["Half of it."]
    assert second.timed_progress == Progress(1, 4, "Epoch 2, 0:00 min", 90.0)


def test_a_new_attempt_forgets_the_progress_of_the_last(tmp_path: Path) -> None:
    log = EventLog(tmp_path)
    log.state(JobState.running)
    log.progress(Progress(3, 4, "Epoch 9"))
    log.state(JobState.stopped)
    follower = RunFollower(Job(tmp_path))
    stopped = follower.look()
    assert stopped.state is JobState.stopped
    assert stopped.timed_progress == Progress(3, 4, "Epoch 9")
    log.state(JobState.running)
    assert follower.look().progress is None


def test_plan_and_model_are_noticed(tmp_path: Path) -> None:
    follower = RunFollower(Job(tmp_path))
    before = follower.look()
    write_model_card(tmp_path, 3, val_ap50=0.5)
    shutil.copy(PLAN, tmp_path / "plan.json")
    after = follower.look()
    assert (before.plan, before.model) == ((), None)
    assert after.plan == Run(tmp_path).plan.notes  # type: ignore[union-attr]
    assert after.plan[0].startswith("2D network")
    assert after.model == KeptModel(3, "AP50", 0.5)
