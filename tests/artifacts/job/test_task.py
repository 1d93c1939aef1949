"""The task file of a job."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from segloop.artifacts.job.task import (
    CompareTask,
    PredictTask,
    RethresholdTask,
    Task,
    TrainTask,
    read_task,
    write_task,
)
from segloop.config import compose
from segloop.config.predict import PredictConfig
from segloop.config.train import StopConfig
from segloop.core.errors import ConfigError, JobError

CONFIG = PredictConfig(outputs=["mask"], channels=["DAPI"])
OLD = Path(__file__).parent / "old"

TASKS: list[Task] = [
    TrainTask(),
    TrainTask(stop=compose.to_dict(StopConfig(max_epochs=7))),
    PredictTask(model="m", inputs=["a.tif", "é*.tif"], out="o", config=compose.to_dict(CONFIG), scene=1),
    PredictTask(model="m", inputs=[], out="o", scene="scene 1"),
    RethresholdTask(predictions="p", thresholds={"min_size": 30}, otsu=True),
    CompareTask(models=["m", "é"], dataset="d", split="test", out="o"),
]


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.kind)
def test_a_task_reads_back_as_written(tmp_path: Path, task: Task) -> None:
    path = write_task(tmp_path / "job", task)
    assert path == tmp_path / "job" / "task.json"
    assert read_task(tmp_path / "job") == task


def test_settings_are_typed() -> None:
    assert TASKS[2].settings() == CONFIG  # type: ignore[union-attr]
    assert TrainTask().limits() is None
    assert TrainTask(stop={"max_epochs": 7}).limits() == StopConfig(max_epochs=7)


def test_a_request_of_version_1_is_read(tmp_path: Path) -> None:
    shutil.copy(OLD / "request-1.json", tmp_path / "request.json")
    task = read_task(tmp_path)
    assert isinstance(task, PredictTask)
    assert task.inputs == ["/data/raw/000.tif", "/data/raw/broken.tif"]
    assert task.settings() == PredictConfig(outputs=["labels", "probability"])
    assert task.version == 2


def test_a_new_task_takes_the_place_of_an_old_request(tmp_path: Path) -> None:
    shutil.copy(OLD / "request-1.json", tmp_path / "request.json")
    write_task(tmp_path, TASKS[4])
    assert read_task(tmp_path) == TASKS[4]


def test_a_missing_task_is_named(tmp_path: Path) -> None:
    with pytest.raises(JobError, match=r"task\.json can't be read .*: start the job again"):
        read_task(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"task\.json is damaged: start the job again"),
        ("[1]", r"task\.json is damaged: start the job again"),
        ("\xff", r"task\.json is damaged: start the job again"),
        ('{"model": 3}', r"task\.json is not a task that Segloop knows: start the job again"),
        ('{"format": "segloop-task", "version": 2, "kind": "dance"}', "is not a task that Segloop knows"),
        ('{"format": "segloop-task", "version": 3, "kind": "train"}', "newer version of Segloop: update"),
    ],
)
def test_a_file_that_is_no_task_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "task.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(JobError, match=message):
        read_task(tmp_path)


def test_a_field_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    value: dict[str, Any] = {**TASKS[0].model_dump(), "colour": "red"}
    (tmp_path / "task.json").write_text(json.dumps(value))
    with pytest.raises(JobError, match="is not a task"):
        read_task(tmp_path)


def test_an_unknown_setting_is_named() -> None:
    with pytest.raises(ConfigError, match="colour"):
        PredictTask(model="m", inputs=[], out="o", config={"colour": 1}).settings()


def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "job").write_text("")
    with pytest.raises(JobError, match=r"task\.json can't be written .*choose a folder"):
        write_task(tmp_path / "job", TrainTask())
