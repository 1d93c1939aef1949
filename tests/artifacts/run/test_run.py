from __future__ import annotations

import json
import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from segloop.artifacts.job.job import EventLog
from segloop.artifacts.job.state import JobState
from segloop.artifacts.run.kept_model import KeptModel, read_kept_model
from segloop.artifacts.run.plan import Choice, PlannedDevice, TrainingPlan
from segloop.artifacts.run.run import Run
from segloop.config.from_python import resolve
from segloop.config.train import StopConfig, TargetConfig, TrainConfig
from segloop.core.atomic import atomic_path
from segloop.core.errors import RunError


def test_a_run_is_found_again_with_its_config(tmp_path: Path) -> None:
    Run.create(tmp_path / "run", TrainConfig(dataset="d", seed=7))

    config = Run.open(tmp_path / "run").config

    assert config == resolve(TrainConfig(dataset="d", seed=7))


def test_a_run_is_not_made_in_a_folder_that_holds_something(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")

    with pytest.raises(RunError, match="not empty: choose another folder"):
        Run.create(tmp_path, TrainConfig())

    assert [entry.name for entry in tmp_path.iterdir()] == ["mine.txt"]


def test_a_run_is_not_made_in_place_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("keep")

    with pytest.raises(RunError, match="is a file"):
        Run.create(tmp_path / "run", TrainConfig())


def test_a_submitted_job_becomes_a_run(tmp_path: Path) -> None:
    EventLog(tmp_path / "run").state(JobState.waiting)

    run = Run.create(tmp_path / "run", TrainConfig())

    assert run.job.state() is JobState.waiting


def test_opening_another_folder_says_that_it_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is not a run"):
        Run.open(tmp_path)


def test_opening_a_missing_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="There is no run"):
        Run.open(tmp_path / "nothing")


def test_a_damaged_config_is_named(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", TrainConfig())
    run.config_file.write_text("seed: [")

    with pytest.raises(RunError, match=r"config\.yaml"):
        _ = run.config


def test_metrics_leave_out_what_was_not_measured(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", TrainConfig(target=TargetConfig("instance")))
    run.append_metrics({"epoch": 1, "train_loss": 0.5})
    run.append_metrics({"epoch": 2, "train_loss": 0.25, "val_dice": 0.75})

    assert run.metrics() == {"train_loss": [(1, 0.5), (2, 0.25)], "val_dice": [(2, 0.75)]}


def test_a_torn_last_row_is_left_out(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", TrainConfig())
    run.append_metrics({"epoch": 1, "train_loss": 0.5})
    with run.metrics_file.open("a") as file:
        file.write("2,10,3")

    assert run.metrics() == {"train_loss": [(1, 0.5)]}


def test_dropping_later_epochs_keeps_the_earlier_ones(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", TrainConfig())
    for epoch in (1, 2, 3):
        run.append_metrics({"epoch": epoch, "train_loss": epoch / 2})

    run.drop_metrics_after(2)
    run.append_metrics({"epoch": 3, "train_loss": 9})

    assert run.metrics()["train_loss"] == [(1, 0.5), (2, 1.0), (3, 9.0)]


def test_new_limits_are_part_of_the_config(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", TrainConfig(seed=3))

    run.change_stop(StopConfig(max_minutes=99))

    assert run.config == resolve(TrainConfig(seed=3, stop=StopConfig(max_minutes=99)))


def test_the_plan_is_kept(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", TrainConfig())
    assert run.plan is None
    plan = TrainingPlan(
        target="instance",
        dimensions=2,
        channels=("DAPI",),
        network={"name": "unet"},
        patch_size=(128, 128),
        batch_size=8,
        batches_per_epoch=20,
        device=PlannedDevice(kind="cpu"),
        choices=(Choice(name="Patch size", value="128 × 128 px", reason="Because."),),
    )

    run.write_plan(plan)

    assert Run.open(run.path).plan == plan


def test_a_plan_of_the_first_version_is_read(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", TrainConfig())
    shutil.copy(Path(__file__).with_name("plan_v1.json"), run.path / "plan.json")

    plan = run.plan

    assert plan is not None
    assert (plan.target, plan.patch_size, plan.version) == ("instance", (128, 128), 2)
    assert "2D network because the images have one slice." in plan.notes
    assert len(plan.train_samples) == 13


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"version": 3}'])
def test_a_damaged_plan_says_what_to_do(tmp_path: Path, text: str) -> None:
    run = Run.create(tmp_path / "run", TrainConfig())
    (run.path / "plan.json").write_text(text)

    with pytest.raises(RunError, match=r"plan\.json is damaged: start a new run"):
        _ = run.plan


@pytest.mark.parametrize("folder", [".", "checkpoints", "previews"])
def test_what_a_killed_process_was_writing_is_removed(tmp_path: Path, folder: str) -> None:
    run = Run.create(tmp_path / "run", TrainConfig())
    file = run.path / folder / "whole"
    file.parent.mkdir(exist_ok=True)
    file.write_text("whole")
    before = set(file.parent.iterdir())
    with suppress(FileNotFoundError), atomic_path(file) as partial:
        torn = partial
    torn.write_text("torn")

    run.remove_leftovers()

    assert set(file.parent.iterdir()) == before


def test_a_run_without_previews_has_no_leftovers_there(tmp_path: Path) -> None:
    Run.create(tmp_path / "run", TrainConfig()).remove_leftovers()


def test_a_run_in_the_folder_one_is_in_has_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert Run(".").name == tmp_path.name


def test_a_model_that_a_kill_caught_being_replaced_comes_back(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", TrainConfig())
    run.model_dir.mkdir()
    with suppress(KeyboardInterrupt), atomic_path(run.model_dir) as partial:
        raise KeyboardInterrupt
    (run.model_dir / "model.json").write_text("old")
    aside = partial.with_name(partial.name.replace("partial", "replaced"))
    run.model_dir.rename(aside)

    run.remove_leftovers()

    assert (run.model_dir / "model.json").read_text() == "old"
    assert not aside.exists()


def test_the_model_kept_by_another_target_has_its_own_measure(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    provenance = {"epoch": 3, "scores": {"val_loss": 0.1, "val_overlap": 0.625}}
    (tmp_path / "model" / "model.json").write_text(
        json.dumps({"target": {"name": "boundary"}, "provenance": provenance})
    )

    assert read_kept_model(tmp_path) == KeptModel(3, "overlap", 0.625)
