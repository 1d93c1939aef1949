from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch

from damage import DAMAGES, zeroed
from segloop.app.training import resume as resume_with
from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.manifest import Verdict
from segloop.artifacts.job.events import ProgressEvent
from segloop.artifacts.job.job import EventLog, JobFolder
from segloop.artifacts.job.state import JobState
from segloop.artifacts.model.model import Model
from segloop.artifacts.run.run import Run
from segloop.config.train import StopConfig
from segloop.core.errors import RunError
from segloop.training.cache import cache_folder
from segloop.training.extras import Extras
from segloop.training.fit import fit
from training_fixtures import (
    ENDLESS,
    TINY,
    TickingClock,
    config,
    epochs_done,
    messages,
    stopping_when,
    train,
)

Pictures = dict[str, Any]
MakeRun = Callable[[str], Run]
MakeDataset = Callable[..., CuratedDataset]


@pytest.fixture(scope="module")
def runs(nuclei: Pictures, make_dataset_in: MakeDataset, tmp_path_factory: pytest.TempPathFactory) -> MakeRun:
    """Return a function that gives the finished run of a limit; it must not be changed."""
    folder = tmp_path_factory.mktemp("runs")
    dataset = make_dataset_in(folder, nuclei)

    @cache
    def run(limit: str) -> Run:
        # A second passes whenever the clock is read, so that no limit in time depends on the computer.
        return train(config(dataset, TINY, limit), folder / limit, extras=Extras(clock=TickingClock(1)))

    return run


def test_a_stopped_run_keeps_a_model_and_continues(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    with stopping_when(folder, lambda job: epochs_done(job) >= 2) as asked:
        run = train(config(make_dataset(nuclei), ENDLESS), folder)
        took = time.monotonic() - asked[0]
    assert run.job.state() is JobState.stopped
    assert not run.job.stop_requested()
    assert took < 5  # under a second on a machine of its own
    Model.load(run.path).verify()
    epochs = len(run.metrics()["train_loss"])

    fit(run.path, StopConfig(max_epochs=epochs + 2))

    assert run.job.state() is JobState.finished
    assert [epoch for epoch, _ in run.metrics()["train_loss"]] == list(range(1, epochs + 3))
    assert run.config.stop.max_epochs == epochs + 2


def test_resuming_goes_on_with_optimiser_and_clock(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    run = train(config(make_dataset(nuclei), TINY), tmp_path / "run")
    before = torch.load(run.last_checkpoint, weights_only=True)
    steps = before["optimizer_states"][0]["state"][0]["step"]

    fit(run.path, StopConfig(max_epochs=4))

    after = torch.load(run.last_checkpoint, weights_only=True)
    assert after["optimizer_states"][0]["state"][0]["step"] == steps + 3
    assert after["global_step"] == before["global_step"] + 3
    seconds = [value for _, value in run.metrics()["seconds"]]
    assert seconds == sorted(seconds)


def test_an_edit_of_the_dataset_does_not_change_what_a_resumed_run_has_chosen(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    pictures = {name: (raw, np.minimum(labels, 2)) for name, (raw, labels) in nuclei.items()}
    dataset = make_dataset(pictures, label_kind="semantic")
    automatic = ["target=semantic", "patch.per_epoch=6", "stop.max_epochs=1"]
    run = train(config(dataset, automatic), tmp_path / "run")
    chosen = run.plan
    first, second = list(dataset.samples())[:2]
    labels = dataset.label_file(first).path
    tifffile.imwrite(labels, tifffile.imread(labels) * 2)
    dataset.save(second.edit(verdict=Verdict.rejected), "reject")

    fit(run.path, StopConfig(max_epochs=2))

    assert run.job.state() is JobState.finished
    assert any("The labels hold class 4" in text for text in messages(run, "warning"))
    for name in ("target_options", "network", "patch_size", "batch_size", "batches_per_epoch", "channels"):
        assert getattr(run.plan, name) == getattr(chosen, name)


def test_a_lost_model_is_brought_back(nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path) -> None:
    run = train(config(make_dataset(nuclei), TINY), tmp_path / "run")
    shutil.rmtree(run.model_dir)
    with stopping_when(run.path, lambda job: run.model_dir.is_dir()):
        fit(run.path, StopConfig(max_epochs=1000))

    Model.load(run.path).verify()


def test_a_request_to_stop_before_it_began_is_heeded(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    EventLog(tmp_path / "run").state(JobState.waiting)
    JobFolder(tmp_path / "run").request_stop()

    run = train(config(make_dataset(nuclei), ENDLESS), tmp_path / "run")

    assert run.job.state() is JobState.stopped
    assert messages(run, "warning")[-1].startswith("Stopped before the first epoch")
    fit(run.path, StopConfig(max_epochs=1))
    Model.load(run.path).verify()


def test_a_stop_before_the_first_validation_still_gives_a_model(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    begun = lambda job: "Epoch" in getattr(job.last(ProgressEvent), "message", "")  # noqa: E731
    with stopping_when(folder, begun):
        run = train(config(make_dataset(nuclei), ENDLESS, "patch.per_epoch=100000"), folder)

    assert run.job.state() is JobState.stopped
    assert "val_dice" not in run.metrics()
    Model.load(run.path).verify()


@pytest.mark.parametrize(
    ("limit", "overrides", "named"),
    [
        ("stop.max_epochs=2", [], "stop.max_epochs"),
        ("stop.max_epochs=2", ["stop.max_minutes=20", "stop.patience=0"], "stop.max_epochs"),
        ("stop.max_epochs=2", ["stop.max_epochs=9", "stop.max_steps=4"], "stop.max_steps"),
        ("stop.max_steps=4", [], "stop.max_steps"),
        ("stop.max_steps=4", ["stop.max_minutes=20", "stop.max_steps=3"], "stop.max_steps"),
        ("stop.max_steps=4", ["stop.max_steps=9", "stop.max_epochs=1"], "stop.max_epochs"),
        ("stop.max_steps=4", ["stop.max_steps=9", "stop.max_minutes=0.01"], "stop.max_minutes"),
        ("stop.max_steps=4", ["stop.max_epochs=1"], "stop.max_steps and stop.max_epochs"),
    ],
)
def test_a_finished_run_says_which_limit_to_raise(
    runs: MakeRun, limit: str, overrides: list[str], named: str
) -> None:
    run = runs(limit)
    before = run.config_file.read_text(encoding="utf-8"), run.metrics()

    with pytest.raises(RunError, match=rf"minutes: raise {named} to train it for longer\.$"):
        resume_with(run.path, overrides)

    assert (run.config_file.read_text(encoding="utf-8"), run.metrics()) == before
    assert run.job.state() is JobState.finished


@pytest.mark.parametrize(
    ("limit", "overrides", "steps"),
    [
        ("stop.max_steps=4", ["stop.max_steps=6"], 6),
        ("stop.max_steps=4", ["stop.max_steps=0", "stop.max_epochs=3"], 7),
        ("stop.max_epochs=2", ["stop.max_epochs=20", "stop.max_steps=8"], 8),
    ],
)
def test_a_finished_run_trains_up_to_its_new_limit(
    runs: MakeRun, tmp_path: Path, limit: str, overrides: list[str], steps: int
) -> None:
    copy = Path(shutil.copytree(runs(limit).path, tmp_path / "copy"))

    run = resume_with(copy, overrides)

    assert run.job.state() is JobState.finished
    curve = run.metrics()["step"]
    assert curve[-1][1] == steps
    assert [epoch for epoch, _ in curve] == list(range(1, len(curve) + 1))
    assert torch.load(run.last_checkpoint, weights_only=True)["global_step"] == steps


def test_a_stopped_run_keeps_its_limits_but_takes_no_lower_ones(runs: MakeRun, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(runs("stop.max_steps=4").path, tmp_path / "copy"))
    EventLog(copy).state(JobState.stopped)

    with pytest.raises(RunError, match=r"has finished 4 steps in 2 epochs and .* raise stop\.max_steps"):
        resume_with(copy, ["stop.max_steps=3"])

    assert resume_with(copy).job.state() is JobState.finished


def test_a_resumed_run_validates_on_what_it_has_not_learnt_from(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    dataset = make_dataset(nuclei, val=[])
    run = train(config(dataset, TINY), tmp_path / "run")
    learnt, aside = run.plan.train_samples, run.plan.val_samples
    dataset.save(dataset.sample(learnt[0]).edit(verdict=Verdict.rejected), "reject")

    fit(run.path, StopConfig(max_epochs=4))

    assert run.plan.train_samples == learnt[1:]
    assert run.plan.val_samples == aside


def with_weights_zeroed(file: Path) -> None:
    content = file.read_bytes()
    middle = len(content) // 2
    file.write_bytes(content[: middle - 2000] + b"\0" * 4000 + content[middle + 2000 :])


@pytest.mark.parametrize("damage", [*DAMAGES, with_weights_zeroed])
def test_without_a_usable_last_checkpoint_the_best_one_is_continued(
    runs: MakeRun, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    run = Run(shutil.copytree(runs("stop.max_steps=4").path, tmp_path / "copy"))
    damage(run.last_checkpoint)
    best = torch.load(run.best_checkpoint, weights_only=True)["epoch"] + 1

    again = resume_with(run.path, ["stop.max_steps=9"])

    assert any("continuing from the best one" in text for text in messages(again, "warning"))
    assert f"Resuming after epoch {best}." in messages(again, "info")
    epochs = [epoch for epoch, _ in again.metrics()["train_loss"]]
    assert epochs == list(range(1, len(epochs) + 1))
    assert again.job.state() is JobState.finished


def test_where_all_checkpoints_are_damaged_nothing_is_overwritten(runs: MakeRun, tmp_path: Path) -> None:
    run = Run(shutil.copytree(runs("stop.max_steps=4").path, tmp_path / "copy"))
    zeroed(run.last_checkpoint)
    zeroed(run.best_checkpoint)
    before = run.metrics(), (run.model_dir / "weights.safetensors").read_bytes()

    with pytest.raises(RunError, match=r"last\.ckpt is damaged: start a new training with --init"):
        resume_with(run.path, ["stop.max_steps=9"])

    assert (run.metrics(), (run.model_dir / "weights.safetensors").read_bytes()) == before


def test_a_training_that_starts_over_has_no_rows_of_the_old_one(runs: MakeRun, tmp_path: Path) -> None:
    run = Run(shutil.copytree(runs("stop.max_epochs=2").path, tmp_path / "copy"))
    run.last_checkpoint.unlink()
    run.best_checkpoint.unlink()
    EventLog(run.path).state(JobState.stopped)

    resume_with(run.path, ["stop.max_epochs=3"])

    assert any("starts over" in text for text in messages(run, "warning"))
    assert [epoch for epoch, _ in run.metrics()["train_loss"]] == [1, 2, 3]


def test_a_damaged_sample_of_the_cache_is_made_again_and_said(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    dataset = make_dataset(nuclei)
    first = train(config(dataset, TINY, "stop.max_steps=4"), tmp_path / "first")
    raw = sorted(cache_folder().glob("*/raw.npy"), key=lambda file: file.stat().st_mtime)[-1]
    zeroed(raw)

    second = train(config(dataset, TINY, "stop.max_steps=4"), tmp_path / "second")

    said = [text for text in messages(second, "warning") if "in the cache is damaged" in text]
    assert len(said) == 1
    assert second.metrics()["train_loss"] == first.metrics()["train_loss"]


HOLD = """
import sys
from segloop.artifacts.run.run import Run

with Run(sys.argv[1]).lock:
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_run_that_another_process_trains_is_refused(runs: MakeRun, tmp_path: Path) -> None:
    run = Run(shutil.copytree(runs("stop.max_steps=4").path, tmp_path / "copy"))
    before = run.metrics()
    arguments = [sys.executable, "-c", HOLD, str(run.path)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(RunError, match=rf"{run.path} is in use by process {process.pid} on .*: close it"):
            resume_with(run.path, ["stop.max_steps=9"])
        process.kill()
    assert run.metrics() == before

    assert resume_with(run.path, ["stop.max_steps=9"]).job.state() is JobState.finished
    assert not (run.path / ".lock").exists()


@pytest.mark.slow
def test_of_two_processes_that_resume_a_run_at_once_one_trains(runs: MakeRun, tmp_path: Path) -> None:
    run = Run(shutil.copytree(runs("stop.max_steps=4").path, tmp_path / "copy"))
    longer = ["stop.max_steps=400", "stop.max_epochs=1000", "stop.patience=0"]
    command = [sys.executable, "-m", "segloop", "train", "--resume", str(run.path), *longer]

    processes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    errors = [process.communicate()[1] for process in processes]

    assert sorted(process.returncode for process in processes) == [0, 1]
    refused = next(error for error, each in zip(errors, processes, strict=True) if each.returncode)
    # On a busy machine one may begin only after the other has ended.
    reasons = ("is in use by process", "still being trained", "to train it for longer")
    assert any(reason in refused for reason in reasons), refused
    steps = [step for _, step in run.metrics()["step"]]
    assert steps == sorted(set(steps))
    assert steps[-1] == 400
