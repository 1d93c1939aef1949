"""A training in a process of its own, killed and taken up again."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.job.events import MetricsEvent
from segloop.artifacts.job.state import JobState
from segloop.artifacts.model.model import Model
from segloop.artifacts.run.run import Run
from segloop.config import compose
from segloop.config.train import TrainConfig
from segloop.training.fit import fit
from training_fixtures import train

Pictures = dict[str, Any]
MakeDataset = Callable[..., CuratedDataset]

PATCHES = ["patch.size=[32,32]", "patch.batch_size=2", "patch.per_epoch=6"]
LIMITS = ["stop.max_epochs=8", "stop.patience=0"]


def start(config: TrainConfig, run: Path) -> subprocess.Popen[bytes]:
    request = run.with_suffix(".yaml")
    compose.save(config, request)
    return subprocess.Popen(
        [sys.executable, "-m", "segloop", "train", "--config", str(request), "--out", str(run)]
    )


def wait_until(process: subprocess.Popen[bytes], happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not happened():
        assert time.monotonic() < deadline, "the training does not get on"
        with contextlib.suppress(subprocess.TimeoutExpired):
            assert process.wait(0.02) is None, "the training ended early"


@pytest.mark.slow
def test_a_killed_run_continues_as_if_nothing_had_happened(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", str(torch.get_num_threads()))
    config = compose.compose(TrainConfig, [f"dataset={make_dataset(nuclei).path}", *PATCHES, *LIMITS])
    undisturbed = train(config, tmp_path / "undisturbed")
    run = Run(tmp_path / "killed")
    process = start(config, run.path)
    wait_until(process, lambda: any(event.epoch >= 3 for event in run.job.events_of(MetricsEvent)))

    process.kill()
    process.wait()

    assert run.job.state() is JobState.lost
    Model.load(run.path).verify()
    fit(run.path)
    assert run.job.state() is JobState.finished
    assert [epoch for epoch, _ in run.metrics()["train_loss"]] == list(range(1, 9))
    ours, theirs = (
        torch.load(r.last_checkpoint, weights_only=True)["state_dict"] for r in (run, undisturbed)
    )
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
