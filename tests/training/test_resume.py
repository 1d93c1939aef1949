from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch

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
