"""The lines of events.jsonl: of this version, of older ones, of newer ones, and damaged ones."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from segloop.artifacts.job.events import (
    EVENTS_VERSION,
    JobEvent,
    MessageEvent,
    MetricsEvent,
    OutputEvent,
    PreviewEvent,
    ProgressEvent,
    StateEvent,
    parse_event,
)
from segloop.artifacts.job.job import EVENTS_FILE, EventLog, JobFolder
from segloop.artifacts.job.state import JobState
from segloop.core.context import Progress
from segloop.core.jsonl import append_line

OLD = Path(__file__).parent / "old"

EVENTS: list[JobEvent] = [
    StateEvent(state=JobState.waiting),
    StateEvent(state=JobState.finished, pid=3, process_started=1.5, host="here", n_done=2, n_problems=0),
    StateEvent(state=JobState.stopped, ended_by="stop"),
    StateEvent(state=JobState.failed, error="The disk is full."),
    ProgressEvent(done=1, total=4, message="Epoch 1", seconds_left=12.5),
    ProgressEvent(done=1, total=0),
    MetricsEvent(epoch=3, values={"train_loss": 0.25}),
    MessageEvent(text="Größe 5 µm", level="warning"),
    OutputEvent(path="/a/b.tif", input="/raw/b.tif", output_kind="labels", partial=True),
    PreviewEvent(path="previews/epoch-3.png", sample="b", epoch=3, shows="outlines"),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.kind)
def test_an_event_reads_back_as_written(tmp_path: Path, event: JobEvent) -> None:
    EventLog(tmp_path).append(event)

    (found,), _ = JobFolder(tmp_path).events()

    assert type(found) is type(event)
    assert found.model_copy(update={"time": 0.0}) == event
    assert found.time > 0
    line = json.loads((tmp_path / EVENTS_FILE).read_text(encoding="utf-8"))
    assert (line["version"], line["kind"]) == (EVENTS_VERSION, event.kind)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_is_stored_as_null_and_read_as_nan(tmp_path: Path, value: float) -> None:
    EventLog(tmp_path).append(MetricsEvent(epoch=1, values={"loss": value, "dice": 0.5}))

    assert '"loss":null' in (tmp_path / EVENTS_FILE).read_text(encoding="utf-8")
    event = JobFolder(tmp_path).last(MetricsEvent)
    assert event is not None
    assert math.isnan(event.values["loss"])
    assert event.values["dice"] == 0.5


def old_job(tmp_path: Path, name: str) -> JobFolder:
    shutil.copy(OLD / name, tmp_path / EVENTS_FILE)
    return JobFolder(tmp_path)


def test_every_line_of_an_old_training_is_read(tmp_path: Path) -> None:
    job = old_job(tmp_path, "train-1.jsonl")

    events, _ = job.events()

    assert len(events) == len((OLD / "train-1.jsonl").read_text(encoding="utf-8").splitlines())
    assert {event.version for event in events} == {EVENTS_VERSION}
    epochs = job.events_of(MetricsEvent)
    assert [event.epoch for event in epochs] == [1, 2, 3]
    assert epochs[-1].values["val_dice"] == pytest.approx(0.41688, abs=1e-5)
    state = job.last(StateEvent)
    assert state is not None
    assert (state.state, state.ended_by, state.host) == (JobState.finished, "epochs", "workstation")
    assert job.message.startswith("Finished after 3 epochs")


def test_every_line_of_an_old_prediction_is_read(tmp_path: Path) -> None:
    job = old_job(tmp_path, "predict-1.jsonl")

    events, _ = job.events()

    assert len(events) == len((OLD / "predict-1.jsonl").read_text(encoding="utf-8").splitlines())
    outputs = job.events_of(OutputEvent)
    assert [event.output_kind for event in outputs] == ["labels", "probability"] * 5
    assert (outputs[0].path, outputs[0].input) == ("predictions/000.labels.tif", "raw/000.tif")
    assert [event.text for event in job.events_of(MessageEvent) if event.level == "error"] == [
        "raw/broken.tif is empty (0 bytes); copy or export it again."
    ]
    assert job.events_of(ProgressEvent)[-1].progress == Progress(6, 6, "Done", 0.0)
    state = job.last(StateEvent)
    assert state is not None
    assert (state.n_done, state.n_problems) == (5, 1)


READABLE: list[tuple[dict[str, Any], str]] = [
    ({"version": 9, "kind": "message", "text": "hello", "level": "info", "colour": "red"}, "hello"),
    ({"version": 9, "kind": "message", "text": "hello", "level": "shout"}, "hello"),
    ({"kind": "message", "text": "hello"}, "hello"),
]


@pytest.mark.parametrize(("line", "text"), READABLE)
def test_what_is_known_of_a_newer_line_is_read(line: dict[str, Any], text: str) -> None:
    event = parse_event(line)
    assert isinstance(event, MessageEvent)
    assert (event.text, event.level) == (text, "info")


UNREADABLE: list[dict[str, Any]] = [
    {},
    {"kind": None},
    {"kind": ["message"]},
    {"version": 9, "kind": "heat_map", "path": "a"},
    {"version": 9, "kind": "state", "state": "paused"},
    {"kind": "message"},
    {"kind": "metrics", "epoch": 1, "values": [1, 2]},
    {"kind": "metrics", "epoch": "first", "values": {}},
    {"kind": "progress", "done": "much", "total": 1},
    {"kind": "output", "output": "labels"},
]


@pytest.mark.parametrize("line", UNREADABLE, ids=str)
def test_a_line_that_can_not_be_read_is_skipped(tmp_path: Path, line: dict[str, Any]) -> None:
    log = EventLog(tmp_path)
    log.state(JobState.running)
    append_line(tmp_path / EVENTS_FILE, line)
    log.message("after it")

    events, _ = JobFolder(tmp_path).events()

    assert [event.kind for event in events] == ["state", "message"]
    assert JobFolder(tmp_path).state() is JobState.running


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../other/a.png", "previews/../../a.png", "C:\\a.png", "..\\a.png"]
)
def test_a_preview_never_leads_out_of_the_folder(path: str) -> None:
    with pytest.raises(ValidationError, match="relative to the job's folder"):
        PreviewEvent(path=path)
    assert parse_event({"version": 2, "kind": "preview", "path": path}) is None


def test_a_preview_lies_in_the_folder(tmp_path: Path) -> None:
    EventLog(tmp_path).preview("previews/a.png", sample="a", epoch=2, shows="outlines")
    event = JobFolder(tmp_path).last(PreviewEvent)
    assert event is not None
    assert event.file(tmp_path) == tmp_path / "previews" / "a.png"
