from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.manifest import Verdict
from segloop.artifacts.job.events import ProgressEvent
from segloop.artifacts.job.job import EventLog, JobFolder
from segloop.artifacts.job.state import JobState
from segloop.artifacts.model.model import Model
from segloop.config.train import StopConfig
from segloop.core.errors import RunError
from segloop.training.fit import fit, resume
from training_fixtures import (
    ENDLESS,
    TINY,
    config,
    epochs_done,
    messages,
    stopping_when,
)

Pictures = dict[str, Any]
MakeDataset = Callable[..., CuratedDataset]


def test_a_stopped_run_keeps_a_model_and_continues(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    with stopping_when(folder, lambda job: epochs_done(job) >= 2) as asked:
        run = fit(config(make_dataset(nuclei), ENDLESS), folder)
        took = time.monotonic() - asked[0]
    assert run.job.state() is JobState.stopped
    assert not run.job.stop_requested()
    assert took < 5  # under a second on a machine of its own
    Model.load(run.path).verify()
    epochs = len(run.metrics()["train_loss"])

    resume(run.path, StopConfig(max_epochs=epochs + 2))

    assert run.job.state() is JobState.finished
    assert [epoch for epoch, _ in run.metrics()["train_loss"]] == list(range(1, epochs + 3))
    assert run.config.stop.max_epochs == epochs + 2


def test_resuming_goes_on_with_optimiser_and_clock(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    run = fit(config(make_dataset(nuclei), TINY), tmp_path / "run")
    before = torch.load(run.last_checkpoint, weights_only=True)
    steps = before["optimizer_states"][0]["state"][0]["step"]

    resume(run.path, StopConfig(max_epochs=4))

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
    run = fit(config(dataset, automatic), tmp_path / "run")
    chosen = run.plan
    first, second = list(dataset.samples())[:2]
    labels = dataset.label_file(first).path
    tifffile.imwrite(labels, tifffile.imread(labels) * 2)
    dataset.save(second.edit(verdict=Verdict.rejected), "reject")

    resume(run.path, StopConfig(max_epochs=2))

    assert run.job.state() is JobState.finished
    assert any("The labels hold class 4" in text for text in messages(run, "warning"))
    for name in ("target_options", "network", "patch_size", "batch_size", "batches_per_epoch", "channels"):
        assert getattr(run.plan, name) == getattr(chosen, name)


def test_a_lost_model_is_brought_back(nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path) -> None:
    run = fit(config(make_dataset(nuclei), TINY), tmp_path / "run")
    shutil.rmtree(run.model_dir)
    with stopping_when(run.path, lambda job: run.model_dir.is_dir()):
        resume(run.path, StopConfig(max_epochs=1000))

    Model.load(run.path).verify()


def test_a_request_to_stop_before_it_began_is_heeded(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    EventLog(tmp_path / "run").state(JobState.waiting)
    JobFolder(tmp_path / "run").request_stop()

    run = fit(config(make_dataset(nuclei), ENDLESS), tmp_path / "run")

    assert run.job.state() is JobState.stopped
    assert messages(run, "warning")[-1].startswith("Stopped before the first epoch")
    resume(run.path, StopConfig(max_epochs=1))
    Model.load(run.path).verify()


def test_a_stop_before_the_first_validation_still_gives_a_model(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    begun = lambda job: "Epoch" in getattr(job.last(ProgressEvent), "message", "")  # noqa: E731
    with stopping_when(folder, begun):
        run = fit(config(make_dataset(nuclei), ENDLESS, "patch.per_epoch=100000"), folder)

    assert run.job.state() is JobState.stopped
    assert "val_dice" not in run.metrics()
    Model.load(run.path).verify()


def test_a_finished_run_says_which_limit_to_raise(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    run = fit(config(make_dataset(nuclei), TINY), tmp_path / "run")

    with pytest.raises(RunError, match=r"is finished: raise stop\.max_epochs"):
        resume(run.path)


def test_a_resumed_run_validates_on_what_it_has_not_learnt_from(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    dataset = make_dataset(nuclei, val=[])
    run = fit(config(dataset, TINY), tmp_path / "run")
    learnt, aside = run.plan.train_samples, run.plan.val_samples
    dataset.save(dataset.sample(learnt[0]).edit(verdict=Verdict.rejected), "reject")

    resume(run.path, StopConfig(max_epochs=4))

    assert run.plan.train_samples == learnt[1:]
    assert run.plan.val_samples == aside
