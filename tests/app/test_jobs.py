"""Trainings in processes of their own: started, stopped, killed, found again, continued."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import tifffile

from processes import wait_until
from segloop.app.jobs import Job, resume_training, start_training
from segloop.app.workspace import Workspace
from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.job.events import MessageEvent, MetricsEvent
from segloop.artifacts.job.job import JobFolder
from segloop.artifacts.job.state import JobState
from segloop.artifacts.model.model import Model
from segloop.artifacts.run.run import Run
from segloop.config.device import DeviceConfig, DeviceKind
from segloop.config.train import PatchConfig, StopConfig, TrainConfig
from segloop.core.errors import DatasetError, RunError
from segloop.images.pairing import pair_by_stem


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """An empty workspace."""
    return Workspace(tmp_path / "study")


@pytest.fixture
def dataset(sample_nuclei: Path, tmp_path: Path, workspace: Workspace) -> Path:
    """Corners of five real images of nuclei, all accepted, one of them for validation."""
    window = (slice(0, 96), slice(0, 96))
    for kind in ("raw", "seg"):
        (tmp_path / kind).mkdir()
        for path in sorted((sample_nuclei / kind).glob("*.tif"))[:5]:
            tifffile.imwrite(tmp_path / kind / path.name, tifffile.imread(path)[window])
    pairs = pair_by_stem(tmp_path / "raw", tmp_path / "seg").pairs
    return CuratedDataset.create(workspace.datasets_dir / "nuclei", pairs, val=0.2, accept_all=True).path


@pytest.fixture
def config(dataset: Path) -> TrainConfig:
    """A training of some seconds."""
    return TrainConfig(
        dataset=str(dataset),
        patch=PatchConfig(size=[32, 32], batch_size=2, per_epoch=8),
        stop=StopConfig(max_epochs=3, patience=0),
        device=DeviceConfig(kind=DeviceKind.cpu),
    )


@pytest.fixture
def endless(config: TrainConfig) -> TrainConfig:
    """A training that goes on until it is stopped."""
    config.stop = StopConfig(max_epochs=1_000_000, patience=0)
    return config


def wait_for(job: Job, *states: JobState) -> None:
    def reached() -> bool:
        state = job.state()
        return state in states or (state.ended and fail(job))

    wait_until(reached)


def fail(job: Job) -> bool:
    raise AssertionError(f"{job.state()}: {job.failure()}")


def wait_for_epoch(job: Job) -> None:
    """Wait until one more epoch is reported."""
    before = len(job.folder.events_of(MetricsEvent))

    def reported() -> bool:
        return len(job.folder.events_of(MetricsEvent)) > before or (job.ended and fail(job))

    wait_until(reported)


def pid_of(job: Job) -> int:
    pid = job.folder.pid()
    assert pid is not None
    return pid


def kill(job: Job) -> None:
    """Do what ``kill -9`` does."""
    psutil.Process(pid_of(job)).kill()


def test_a_training_runs_to_its_end_in_a_process_of_its_own(
    config: TrainConfig, workspace: Workspace
) -> None:
    run = workspace.new_folder(workspace.runs_dir, "nuclei")

    job = start_training(config, run, workspace)

    assert pid_of(job) != os.getpid()
    wait_for(job, JobState.finished)
    assert Model.load(run).card.name
    assert job.failure() == ""
    assert [event.epoch for event in job.folder.events_of(MetricsEvent)] == [1, 2, 3]


def test_the_run_is_there_at_once(config: TrainConfig, workspace: Workspace) -> None:
    run = workspace.new_folder(workspace.runs_dir, "nuclei")

    job = start_training(config, run, workspace)

    assert workspace.runs() == [run]
    assert workspace.new_folder(workspace.runs_dir, "nuclei").name == "nuclei-2"
    assert JobFolder(run).state() is JobState.waiting
    job.stop()
    wait_for(job, JobState.stopped)


def test_a_training_of_nothing_is_refused_and_leaves_nothing(workspace: Workspace) -> None:
    run = workspace.runs_dir / "nothing"

    with pytest.raises(DatasetError):
        start_training(TrainConfig(dataset=str(workspace.path)), run, workspace)

    assert not run.exists()


def test_why_a_training_failed_is_told(config: TrainConfig, workspace: Workspace) -> None:
    config.recipe.channels = ["DAPI"]
    run = workspace.runs_dir / "nuclei"

    job = start_training(config, run, workspace)

    wait_for(job, JobState.failed)
    assert "DAPI" in job.failure()


def test_stop_acts_within_a_second_and_keeps_a_model(endless: TrainConfig, workspace: Workspace) -> None:
    run = workspace.runs_dir / "nuclei"
    job = start_training(endless, run, workspace)
    wait_for_epoch(job)

    asked = time.monotonic()
    job.stop()
    wait_for(job, JobState.stopping, JobState.stopped)

    assert time.monotonic() - asked < 1
    wait_for(job, JobState.stopped)
    Model.load(run).verify()


def test_stop_before_the_training_has_begun_acts_within_a_second(
    endless: TrainConfig, workspace: Workspace
) -> None:
    job = start_training(endless, workspace.runs_dir / "nuclei", workspace)
    pid = pid_of(job)

    asked = time.monotonic()
    job.stop()
    wait_for(job, JobState.stopped)

    assert time.monotonic() - asked < 2  # a second, and what a busy computer takes to end the process
    wait_until(lambda: not psutil.pid_exists(pid), seconds=5)  # once its memory is cleared away
    assert JobFolder(job.path).state() is JobState.stopped


def test_stop_does_not_wait_until_the_system_has_freed_the_memory_of_a_process(
    endless: TrainConfig, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = start_training(endless, workspace.runs_dir / "nuclei", workspace)
    pid = pid_of(job)
    # A suspended process does as little as one that was killed, and exists as long as one likes.
    psutil.Process(pid).suspend()
    monkeypatch.setattr("segloop.app.jobs.kill_tree", lambda pid: None)
    try:
        asked = time.monotonic()
        job.stop()
        wait_for(job, JobState.stopped)
        seconds = time.monotonic() - asked
    finally:
        psutil.Process(pid).kill()

    assert seconds < 2
    assert JobFolder(job.path).state() is JobState.stopped


def test_a_training_says_that_it_runs_only_when_it_can_heed_a_stop(
    config: TrainConfig, tmp_path: Path
) -> None:
    code = (
        "import sys; from segloop.app.training import train; from segloop.artifacts.job.job import EventLog;"
        "EventLog.state = lambda *_, **__: sys.exit(None if 'torch' in sys.modules else 'still loading');"
        "train(sys.argv[1], out=sys.argv[2])"
    )
    command = [sys.executable, "-c", code, config.dataset, str(tmp_path / "run")]

    assert subprocess.run(command, capture_output=True, text=True, check=False).stderr == ""


def test_a_killed_training_is_lost_and_goes_on_when_resumed(
    endless: TrainConfig, workspace: Workspace
) -> None:
    run = workspace.runs_dir / "nuclei"
    job = start_training(endless, run, workspace)
    wait_until(lambda: Run.open(run).last_checkpoint.is_file())

    kill(job)
    wait_for(job, JobState.lost)
    assert job.failure().startswith(
        "The process of nuclei ended without finishing; what it had saved is kept."
    )
    assert job.failure().endswith("close other programs, or choose smaller tiles or patches.")

    again = resume_training(run, workspace)
    assert not again.ended
    wait_for_epoch(again)
    again.stop()
    wait_for(again, JobState.stopped)
    messages = again.folder.events_of(MessageEvent)
    assert any(event.text.startswith("Resuming after epoch") for event in messages)
    Model.load(run).verify()


def test_a_training_killed_before_it_began_starts_when_resumed(
    config: TrainConfig, workspace: Workspace
) -> None:
    run = workspace.runs_dir / "nuclei"
    job = start_training(config, run, workspace)
    kill(job)
    wait_for(job, JobState.lost)

    again = resume_training(run, workspace)

    wait_for(again, JobState.finished)
    Model.load(run).verify()


def test_a_job_found_again_by_its_folder_is_followed_and_stopped(
    endless: TrainConfig, workspace: Workspace
) -> None:
    run = workspace.runs_dir / "nuclei"
    start_training(endless, run, workspace)

    found = Job(run)

    wait_for_epoch(found)
    found.stop()
    wait_for(found, JobState.stopped)


def test_a_run_that_is_still_trained_is_not_resumed(endless: TrainConfig, workspace: Workspace) -> None:
    job = start_training(endless, workspace.runs_dir / "nuclei", workspace)

    with pytest.raises(RunError, match="still being trained"):
        resume_training(job.path, workspace)

    job.stop()
    wait_for(job, JobState.stopped)


def test_a_finished_run_goes_on_only_with_new_limits(config: TrainConfig, workspace: Workspace) -> None:
    config.stop.max_epochs = 1
    run = workspace.runs_dir / "nuclei"
    wait_for(start_training(config, run, workspace), JobState.finished)

    with pytest.raises(RunError, match="is finished"):
        resume_training(run, workspace)

    wait_for(resume_training(run, workspace, StopConfig(max_epochs=2, patience=0)), JobState.finished)
    assert [epoch for epoch, _ in Run.open(run).metrics()["train_loss"]] == [1, 2]
