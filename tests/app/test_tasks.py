"""Tasks are submitted with care and give the same result in every process."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tifffile

from segloop.app.predicting import (
    JOB_FOLDER,
    RETHRESHOLD_FOLDER,
    predict_files,
    rethreshold_files,
)
from segloop.app.tasks import TaskResult, execute, submit
from segloop.artifacts.job.events import MessageEvent, ProgressEvent, StateEvent
from segloop.artifacts.job.job import EventLog, JobFolder
from segloop.artifacts.job.state import JobState
from segloop.artifacts.job.task import PredictTask, RethresholdTask, TrainTask, read_task
from segloop.config.device import DeviceConfig, DeviceKind
from segloop.config.predict import PredictConfig
from segloop.core.errors import ImageError, JobError

CONFIG = PredictConfig(outputs=["mask", "probability"], device=DeviceConfig(kind=DeviceKind.cpu))


@pytest.fixture
def images(sample_nuclei: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    folder.mkdir()
    for name in ("000.tif", "015.tif"):
        shutil.copy(sample_nuclei / "raw" / name, folder)
    return folder


@pytest.fixture
def predictions(images: Path, model: Path, tmp_path: Path) -> Path:
    assert predict_files(model, [images], out=tmp_path / "out", config=CONFIG) == TaskResult(2)
    return tmp_path / "out"


def task_for(folder: Path) -> PredictTask:
    return PredictTask(model="m", inputs=["a.tif"], out=str(folder / "out"))


def test_a_job_under_way_is_not_disturbed(tmp_path: Path) -> None:
    submit(tmp_path, task_for(tmp_path))
    EventLog(tmp_path).state(JobState.running)
    with pytest.raises(JobError, match="is still running: wait for it or stop it"):
        submit(tmp_path, RethresholdTask(predictions="p"))
    assert read_task(tmp_path) == task_for(tmp_path)
    assert JobFolder(tmp_path).state() is JobState.running


def test_the_events_of_an_earlier_prediction_are_removed(tmp_path: Path) -> None:
    EventLog(tmp_path).state(JobState.finished)
    JobFolder(tmp_path).request_stop()
    submit(tmp_path, task_for(tmp_path))
    assert JobFolder(tmp_path).state() is JobState.waiting
    assert not JobFolder(tmp_path).stop_requested()


def test_what_a_killed_process_was_writing_is_removed(tmp_path: Path) -> None:
    leftovers = [tmp_path / f".3f09d2f4.partial-{name}" for name in ("task.json", "mine.txt")]
    for path in leftovers:
        path.write_text("half")
        os.utime(path, (0, 0))
    submit(tmp_path, task_for(tmp_path))
    assert [path.exists() for path in leftovers] == [False, True]


def test_a_run_keeps_its_events(tmp_path: Path) -> None:
    EventLog(tmp_path).state(JobState.stopped)
    submit(tmp_path, TrainTask())
    assert JobFolder(tmp_path).recorded_state() is JobState.stopped


def test_a_request_to_stop_made_while_the_task_is_prepared_stands(tmp_path: Path) -> None:
    JobFolder(tmp_path).request_stop()
    submit(tmp_path, task_for(tmp_path))
    assert JobFolder(tmp_path).stop_requested()


def test_a_folder_without_a_task_is_named(tmp_path: Path) -> None:
    with pytest.raises(JobError, match=r"task\.json can't be read"):
        execute(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_another_process_executes_the_same_task_with_the_same_result(predictions: Path) -> None:
    before = tifffile.imread(predictions / "000.mask.tif")
    for path in predictions.glob("0*"):
        path.unlink()

    command = [sys.executable, "-m", "segloop", "run-task", str(predictions / JOB_FOLDER)]
    done = subprocess.run(command, cwd="/", capture_output=True, text=True, timeout=240, check=False)

    assert done.returncode == 0, done.stderr
    assert (tifffile.imread(predictions / "000.mask.tif") == before).all()
    job = JobFolder(predictions / JOB_FOLDER)
    assert [event.state for event in job.events_of(StateEvent)][-2:] == [JobState.running, JobState.finished]


def test_a_change_of_thresholds_is_a_job_like_any_other(predictions: Path) -> None:
    (predictions / "015.probability.tif").unlink()
    before = tifffile.imread(predictions / "000.mask.tif")

    result = rethreshold_files(predictions, {"foreground": 0.01})

    assert result.n_done == 1
    assert "015" in result.problems[0]
    assert (tifffile.imread(predictions / "000.mask.tif") != before).any()
    job = JobFolder(predictions / RETHRESHOLD_FOLDER)
    assert [event.state for event in job.events_of(StateEvent)] == [JobState.running, JobState.finished]
    assert [event.text for event in job.events_of(MessageEvent)] == list(result.problems)
    assert job.events_of(ProgressEvent)[-1].progress.fraction == 1
    assert JobFolder(predictions / JOB_FOLDER).state() is JobState.finished


def test_a_change_of_thresholds_of_nothing_creates_nothing(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="There is no folder"):
        rethreshold_files(tmp_path / "typo", {})
    assert not (tmp_path / "typo").exists()


def test_a_change_of_thresholds_without_probabilities_fails_and_says_so(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="keeps no probabilities"):
        rethreshold_files(tmp_path, {})
    job = JobFolder(tmp_path / RETHRESHOLD_FOLDER)
    assert job.state() is JobState.failed
    assert "keeps no probabilities" in job.message


def test_a_name_that_is_not_unicode_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    task = PredictTask(model="m", inputs=["a.tif", "caf\udce9.tif"], out=str(tmp_path / "out"))

    with pytest.raises(JobError, match=r"^caf\\udce9\.tif is not valid Unicode: rename it\.$"):
        submit(tmp_path / "job", task)

    assert not (tmp_path / "job" / "task.json").exists()
