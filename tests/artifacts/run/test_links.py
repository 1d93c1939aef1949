"""A run from a stranger: nothing is read or written through its files and folders, whatever they are."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from fakes.trainings import make_run, write_model_card
from segloop.app.jobs import Job, resume_training
from segloop.app.presenters.training.run_summary import RunReader
from segloop.app.run_follower import RunFollower
from segloop.app.tasks import resume_run, submit
from segloop.app.workspace import Workspace
from segloop.artifacts.job.events import MessageEvent
from segloop.artifacts.job.job import EventLog, JobFolder
from segloop.artifacts.job.state import JobState
from segloop.artifacts.job.task import PredictTask, RethresholdTask, TrainTask, read_task, write_task
from segloop.artifacts.model.model import Model, find_model
from segloop.artifacts.run.run import Run
from segloop.config.train import TrainConfig
from segloop.core.context import Context
from segloop.core.errors import JobError, ModelError, RunError, SegloopError
from segloop.training import fit

pytestmark = pytest.mark.skipif(os.name == "nt", reason="links need special rights on Windows")

FOLDERS = ["checkpoints", "model", "previews"]
FILES = [
    "config.yaml",
    "plan.json",
    "metrics.csv",
    "log.txt",
    "events.jsonl",
    "task.json",
    "stop",
    "checkpoints/last.ckpt",
    "checkpoints/best.ckpt",
    "model/model.json",
    "model/weights.safetensors",
    "model/test_input.npy",
    "model/test_output.npy",
]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "study")


@pytest.fixture
def run(workspace: Workspace) -> Path:
    """A stopped run with every file and folder that a run may have."""
    folder = make_run(workspace, "a", TrainConfig(dataset="d"), JobState.stopped, scores=[0.5])
    EventLog(folder).message("precious words")
    EventLog(folder).state(JobState.stopped)
    write_task(folder, TrainTask())
    write_model_card(folder, 1, val_ap50=0.5)
    (folder / "previews").mkdir(exist_ok=True)
    for name in FILES:
        if not (folder / name).exists():
            (folder / name).write_text("{}")
    return folder


def lead_outside(path: Path, outside: Path) -> Path:
    """Move a file or folder of a run out of it, and put a link in its place."""
    outside.mkdir(exist_ok=True)
    target = outside / path.name
    shutil.move(path, target)
    path.symlink_to(target)
    return target


def contents(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def point_to_nothing(path: Path) -> None:
    remove(path)
    path.symlink_to(path.parent / "nowhere")


def make_pipe(path: Path) -> None:
    remove(path)
    os.mkfifo(path)


def point_to_endless_device(path: Path) -> None:
    remove(path)
    path.symlink_to("/dev/zero")


def remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.mark.parametrize("name", [*FOLDERS, *FILES])
@pytest.mark.parametrize(
    "go_on",
    [
        lambda run, workspace: fit.fit(run),
        lambda run, workspace: resume_run(run),
        lambda run, workspace: resume_training(run, workspace),
    ],
    ids=["fit", "command line", "dock"],
)
def test_a_run_with_a_link_is_not_continued(
    run: Path, workspace: Workspace, tmp_path: Path, name: str, go_on: Callable[[Path, Workspace], object]
) -> None:
    lead_outside(run / name, tmp_path / "outside")
    before = contents(tmp_path / "outside"), contents(run)

    with pytest.raises(SegloopError) as refusal:
        go_on(run, workspace)

    assert str(run / name) in str(refusal.value)
    assert "or delete it." in str(refusal.value)
    assert (contents(tmp_path / "outside"), contents(run)) == before


@pytest.mark.parametrize("name", [*FOLDERS, *FILES])
@pytest.mark.parametrize("make", [point_to_nothing, make_pipe, point_to_endless_device])
def test_a_run_with_a_pipe_or_a_device_is_refused_at_once(
    run: Path, name: str, make: Callable[[Path], None]
) -> None:
    make(run / name)

    with pytest.raises(RunError, match=r"delete it|move it away|is not a run|has no config"):
        Run.open(run)

    assert not (run / "nowhere").exists()


@pytest.mark.parametrize("name", ["metrics.csv", "events.jsonl", "plan.json", "model", "model/model.json"])
@pytest.mark.parametrize("make", [None, point_to_nothing, make_pipe, point_to_endless_device])
def test_watching_reads_nothing_through_a_link(
    run: Path, workspace: Workspace, tmp_path: Path, name: str, make: Callable[[Path], None] | None
) -> None:
    if make is None:
        lead_outside(run / name, tmp_path / "outside")
    else:
        make(run / name)
    make_run(workspace, "b", TrainConfig(dataset="d"), scores=[0.5])

    update = RunFollower(Job(run)).look()
    found = {summary.path.name: summary for summary in RunReader().read(workspace, Context())}

    assert set(found) == {"a", "b"}
    assert (found["b"].state, found["b"].epochs) == (JobState.finished, 1)
    if name == "events.jsonl":
        assert str(run / name) in update.problem
        assert not update.events
        assert found["a"].score_text == "can't be read"
    elif name == "metrics.csv":
        assert found["a"].epochs == 0
    elif name.startswith("model"):
        assert found["a"].model is None


def test_a_model_is_not_taken_out_of_a_linked_folder(run: Path, tmp_path: Path) -> None:
    lead_outside(run / "model", tmp_path / "outside")
    with pytest.raises(ModelError, match="model is a link"):
        find_model(run)


@pytest.mark.parametrize("name", ["model.json", "weights.safetensors", "test_input.npy"])
def test_no_file_of_a_model_is_read_through_a_link(run: Path, tmp_path: Path, name: str) -> None:
    from segloop.artifacts.model.files import FolderFiles

    lead_outside(run / "model" / name, tmp_path / "outside")
    with pytest.raises(ModelError, match=rf"{name} can't be read \(it is a link to another file\): delete"):
        FolderFiles(run / "model").read(name)
    if name == "model.json":
        with pytest.raises(ModelError, match="link"):
            Model.load(run / "model")


@pytest.mark.parametrize("name", ["events.jsonl", "log.txt", "metrics.csv"])
def test_nothing_is_appended_to_a_link(run: Path, tmp_path: Path, name: str) -> None:
    target = lead_outside(run / name, tmp_path / "outside")
    before = target.read_bytes()
    append = {
        "events.jsonl": lambda: EventLog(run).state(JobState.running),
        "log.txt": lambda: fit._log_file(run / "log.txt").__enter__(),
        "metrics.csv": lambda: Run(run).append_metrics({"epoch": 9}),
    }[name]

    with pytest.raises((SegloopError, OSError), match="link"):
        append()

    assert target.read_bytes() == before


TASKS = {
    ".segloop": PredictTask(model="m", inputs=["i"], out="o"),
    ".segloop/rethreshold": RethresholdTask(predictions="p"),
}


@pytest.mark.parametrize("job", list(TASKS))
@pytest.mark.parametrize("name", ["", "..", "events.jsonl", "task.json", "stop"])
def test_a_job_of_predictions_is_not_submitted_through_a_link(tmp_path: Path, job: str, name: str) -> None:
    if (job, name) == (".segloop", ".."):
        pytest.skip("the folder of the predictions is the user's")
    folder = tmp_path / "predictions" / job
    EventLog(folder).state(JobState.finished)
    write_task(folder, TASKS[job])
    JobFolder(folder).request_stop()
    linked = folder.parent if name == ".." else folder / name
    lead_outside(linked, tmp_path / "outside")
    before = contents(tmp_path / "outside")

    with pytest.raises(JobError, match="is a link"):
        submit(folder, TASKS[job])

    assert contents(tmp_path / "outside") == before


def test_a_task_is_not_read_through_a_link(tmp_path: Path) -> None:
    write_task(tmp_path / "job", TrainTask())
    lead_outside(tmp_path / "job" / "task.json", tmp_path / "outside")
    with pytest.raises(JobError, match="link to another file"):
        read_task(tmp_path / "job")


def test_messages_of_a_linked_log_are_not_shown(run: Path, tmp_path: Path) -> None:
    lead_outside(run / "events.jsonl", tmp_path / "outside")
    with pytest.raises(JobError, match="link to another file"):
        JobFolder(run).events_of(MessageEvent)
