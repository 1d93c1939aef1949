"""The warm helper process: jobs as lines, no failure ends it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from segloop.artifacts.job.job import JobFolder
from segloop.artifacts.job.state import JobState
from segloop.prediction.helper import serve
from segloop.prediction.request import PredictRequest


def _request(folder: Path, model: Path, image: Path) -> Path:
    PredictRequest(model=str(model), inputs=[str(image)], out=str(folder / "out")).write(folder)
    return folder


def test_jobs_run_one_after_the_other_whatever_some_of_them_do(
    nuclei_model: Path, sample_nuclei: Path, tmp_path: Path
) -> None:
    image = sample_nuclei / "raw" / "000.tif"
    good = _request(tmp_path / "good job", nuclei_model, image)
    no_model = _request(tmp_path / "no_model", tmp_path / "none", image)
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / "request.json").write_text("{")
    last = _request(tmp_path / "last", nuclei_model, image)
    lines = [
        json.dumps(str(good)),
        str(no_model),
        "",
        str(damaged),
        str(tmp_path / "nowhere"),
        "[1]",
        json.dumps(str(last)),
    ]
    serve(io.StringIO("\n".join(lines) + "\n"))
    states = [JobFolder(folder).state() for folder in (good, no_model, damaged, last)]
    assert states == [JobState.finished, JobState.failed, JobState.failed, JobState.finished]
    assert "request.json" in JobFolder(damaged).message
    assert (last / "out" / "000.tif").is_file()
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.slow
def test_it_ends_when_its_input_does(nuclei_model: Path, sample_nuclei: Path, tmp_path: Path) -> None:
    job = _request(tmp_path / "job", nuclei_model, sample_nuclei / "raw" / "000.tif")
    code = "import sys; from segloop.prediction.helper import serve; serve(sys.stdin)"
    process = subprocess.run(
        [sys.executable, "-c", code],
        input=f"{job}\n",
        text=True,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    assert JobFolder(job).state() is JobState.finished
