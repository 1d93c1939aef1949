"""The helper's side of the conversation: jobs as lines, answers as lines, and no failure ends it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from segloop.app.helper_protocol import (
    PROTOCOL_VERSION,
    Accepted,
    Answer,
    Failed,
    Finished,
    Loading,
    Ready,
    Refused,
    format_answer,
    parse_answer,
)
from segloop.app.helper_server import serve
from segloop.artifacts.job.job import EventLog, JobFolder
from segloop.artifacts.job.state import JobState
from segloop.artifacts.job.task import PredictTask, write_task

ANSWERS: list[Answer] = [
    Loading(),
    Ready(),
    Accepted(folder="/a b/é"),
    Refused(folder="a", reason="b"),
    Finished(folder="a"),
    Failed(folder="a", error="two\nlines"),
]


def make_job(folder: Path, model: Path, image: Path) -> Path:
    write_task(folder, PredictTask(model=str(model), inputs=[str(image)], out=str(folder / "out")))
    return folder


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: answer.kind)
def test_an_answer_is_one_line_and_reads_back(answer: Answer) -> None:
    line = format_answer(answer)
    assert line.count(b"\n") == 1
    assert parse_answer(line) == answer


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"Loading weights\n",
        b"{\n",
        b"{}\n",
        b'{"kind": "ready"\n',
        b'{"format": "other", "kind": "ready"}\n',
        b'{"format": "segloop-helper", "kind": "song"}\n',
        b'{"format": "segloop-helper", "kind": "accepted"}\n',
        b"\xff\xfe\n",
    ],
)
def test_what_else_is_printed_is_no_answer(line: bytes) -> None:
    assert parse_answer(line) is None


def test_an_answer_of_a_newer_version_is_read() -> None:
    line = b'{"format": "segloop-helper", "version": 9, "kind": "ready", "device": "cuda"}\n'
    assert parse_answer(line) == Ready(version=9)
    assert PROTOCOL_VERSION < 9


def test_jobs_run_one_after_the_other_whatever_some_of_them_do(
    model: Path, sample_nuclei: Path, tmp_path: Path
) -> None:
    image = sample_nuclei / "raw" / "000.tif"
    good = make_job(tmp_path / "good job", model, image)
    no_model = make_job(tmp_path / "no_model", tmp_path / "none", image)
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / "task.json").write_text("{")
    nowhere = tmp_path / "nowhere"
    last = make_job(tmp_path / "last", model, image)
    lines = [
        json.dumps(str(good)),
        str(no_model),
        "",
        str(damaged),
        str(nowhere),
        "[1]",
        json.dumps(str(last)),
    ]
    answers: list[Answer] = []

    serve(io.StringIO("\n".join(lines) + "\n"), answers.append)

    states = [JobFolder(folder).state() for folder in (good, no_model, damaged, last)]
    assert states == [JobState.finished, JobState.failed, JobState.failed, JobState.finished]
    assert "task.json" in JobFolder(damaged).message
    assert (last / "out" / "000.tif").is_file()
    assert not nowhere.exists()
    assert [(answer.kind, getattr(answer, "folder", "")) for answer in answers] == [
        ("loading", ""),
        ("ready", ""),
        ("accepted", str(good)),
        ("finished", str(good)),
        ("accepted", str(no_model)),
        ("failed", str(no_model)),
        ("refused", str(damaged)),
        ("refused", str(nowhere)),
        ("refused", "[1]"),
        ("accepted", str(last)),
        ("finished", str(last)),
    ]
    assert isinstance(answers[7], Refused)
    assert "start the job again" in answers[7].reason


def test_a_job_that_was_stopped_before_its_turn_is_not_begun(
    model: Path, sample_nuclei: Path, tmp_path: Path
) -> None:
    image = sample_nuclei / "raw" / "000.tif"
    asked, recorded, other = (make_job(tmp_path / name, model, image) for name in ("a", "b", "c"))
    JobFolder(asked).request_stop()
    EventLog(recorded).state(JobState.stopped)
    answers: list[Answer] = []

    serve(io.StringIO(f"{asked}\n{recorded}\n{other}\n{other}\n"), answers.append)

    states = [JobFolder(folder).state() for folder in (asked, recorded, other)]
    assert states == [JobState.stopped, JobState.stopped, JobState.finished]
    assert [answer.folder for answer in answers if isinstance(answer, Accepted)] == [str(other)]


def helper_command(code: str = "") -> list[str]:
    return [sys.executable, "-c", code] if code else [sys.executable, "-m", "segloop", "helper"]


@pytest.mark.slow
def test_it_ends_when_its_input_does(model: Path, sample_nuclei: Path, tmp_path: Path) -> None:
    job = make_job(tmp_path / "job", model, sample_nuclei / "raw" / "000.tif")
    process = subprocess.run(
        helper_command(), input=f"{job}\n".encode(), capture_output=True, timeout=240, check=False
    )
    assert process.returncode == 0, process.stderr
    assert JobFolder(job).state() is JobState.finished
    answers = [parse_answer(line) for line in process.stdout.splitlines()]
    assert answers == [Loading(), Ready(), Accepted(folder=str(job)), Finished(folder=str(job))]


PRINTING = """
import os, sys
from segloop.app.helper_server import answers_to_stdout
from segloop.app.helper_protocol import Ready
with answers_to_stdout() as answer:
    print("printed by Python", flush=True)
    os.system("echo printed by a child")
    os.write(1, b"printed by C")
    answer(Ready())
print("afterwards")
"""


def test_what_libraries_print_does_not_mix_with_the_answers() -> None:
    process = subprocess.run(helper_command(PRINTING), capture_output=True, timeout=60, check=True)
    first, *rest = process.stdout.splitlines()
    assert parse_answer(first) == Ready()
    assert rest == [b"afterwards"]
    for said in (b"printed by Python", b"printed by a child", b"printed by C"):
        assert said in process.stderr


UNREAD = """
import sys
from segloop.app.helper_server import answers_to_stdout
from segloop.app.helper_protocol import Ready
with answers_to_stdout() as answer:
    sys.stdin.read()
    for _ in range(10000):
        answer(Ready())
sys.stderr.write("went on")
"""


def test_it_goes_on_when_nobody_reads_its_answers() -> None:
    with subprocess.Popen(
        helper_command(UNREAD), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        process.stdin.close()
        assert process.stderr.read() == b"went on"
    assert process.returncode == 0
