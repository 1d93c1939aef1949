"""What a batch system does to a training whose time is up."""

from __future__ import annotations

import contextlib
import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.job.events import MetricsEvent
from segloop.artifacts.job.state import JobState
from segloop.artifacts.model.model import Model
from segloop.artifacts.run.run import Run
from segloop.images.pairing import pair_by_stem

KNOBS = ["patch.size=[32,32]", "patch.batch_size=2", "patch.per_epoch=60", "stop.patience=0"]
SLURM = {
    "SLURM_NTASKS": "1",
    "SLURM_JOB_ID": "1",
    "SLURM_JOB_NAME": "train",
    "SLURM_PROCID": "0",
    "SLURM_LOCALID": "0",
    "SLURM_NODEID": "0",
}


def wait_for_an_epoch(process: subprocess.Popen[str], run: Run) -> None:
    deadline = time.monotonic() + 120
    while run.job.last(MetricsEvent) is None:
        assert time.monotonic() < deadline, "the training does not get on"
        with contextlib.suppress(subprocess.TimeoutExpired):
            assert process.wait(0.02) is None, "the training ended early"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")
@pytest.mark.parametrize("surroundings", [{}, SLURM], ids=["plain", "slurm"])
def test_sigterm_stops_a_training_and_keeps_what_there_is(
    surroundings: dict[str, str], sample_nuclei: Path, tmp_path: Path
) -> None:
    pairs = pair_by_stem(sample_nuclei / "raw", sample_nuclei / "seg").pairs
    dataset = CuratedDataset.create(tmp_path / "dataset", pairs[:8], accept_all=True)
    run = Run(tmp_path / "run")
    process = subprocess.Popen(
        [sys.executable, "-m", "segloop", "train", str(dataset.path), "--out", str(run.path), *KNOBS],
        env={**os.environ, **surroundings},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for_an_epoch(process, run)

    process.send_signal(signal.SIGTERM)
    printed, said = process.communicate(timeout=120)

    assert process.returncode == 0, said
    assert f"Model: {run.model_dir}" in printed
    assert run.job.state() is JobState.stopped
    Model.load(run.path).verify()
    last = run.job.events_of(MetricsEvent)[-1].epoch
    assert last >= 2
    with run.metrics_file.open() as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == [str(n) for n in range(1, last + 1)]
    assert torch.load(run.last_checkpoint, weights_only=True)["epoch"] + 1 == last
