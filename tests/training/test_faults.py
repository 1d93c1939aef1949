"""A full or failing disk at every step of a training: its last model stays whole, and it can be resumed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from faults import CODES, FAULTS
from saved_results import leftovers
from segloop.app.training import resume
from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.job.state import JobState
from segloop.artifacts.model.model import Model
from segloop.artifacts.run.run import Run
from segloop.core.errors import SegloopError
from training_fixtures import TINY, config, train

Pictures = dict[str, Any]
MakeDataset = Callable[..., CuratedDataset]

STRIDE = int(os.environ.get("SEGLOOP_FAULT_STRIDE", "29"))
"""Every how many calls one fails; 1 tries all, which takes half an hour."""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_refused_call_leaves_a_run_that_can_be_resumed(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    dataset = make_dataset(nuclei)
    before = train(config(dataset, TINY, "stop.max_epochs=2"), tmp_path / "before").path
    more = ["stop.max_epochs=4"]

    number, refused, finished = 1 - STRIDE, 0, False
    while not finished:
        number += STRIDE
        run = Run(shutil.copytree(before, tmp_path / "victim"))
        failed = None
        with FAULTS.at(number, CODES[number % len(CODES)], run.path):
            try:
                resume(run.path, more)
            except SegloopError as error:
                failed = error
        finished = FAULTS.count < number

        what = f"call {number}"
        Model.load(run.path).verify()
        epochs = [epoch for epoch, _ in run.metrics()["train_loss"]]
        assert epochs == list(range(1, len(epochs) + 1)), what
        assert len(epochs) >= 2, what
        if failed is not None:
            refused += 1
            assert str(run.path) in str(failed), what
            assert run.job.state() in (JobState.failed, JobState.lost, JobState.finished), what
        else:
            assert run.job.state() is JobState.finished, what
        for path in leftovers(run.path):  # what nobody has touched for an hour is cleared
            os.utime(path, (0, 0))
        resume(run.path, ["stop.max_epochs=5"])
        assert [epoch for epoch, _ in run.metrics()["train_loss"]] == [1, 2, 3, 4, 5], what
        assert run.job.state() is JobState.finished
        Model.load(run.path).verify()
        assert leftovers(run.path) == [], what
        shutil.rmtree(run.path)
    assert refused > 0
