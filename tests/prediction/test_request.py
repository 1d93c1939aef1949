"""The request file of a job."""

from __future__ import annotations

from pathlib import Path

import pytest

from segloop.config import compose
from segloop.config.predict import OutputKind, PredictConfig
from segloop.core.errors import ConfigError, JobError
from segloop.prediction.request import PredictRequest


def test_a_request_reads_back_as_written(tmp_path: Path) -> None:
    config = PredictConfig(outputs=[OutputKind.mask], channels=["DAPI"])
    request = PredictRequest(model="m", inputs=["a.tif"], out="o", config=compose.to_dict(config), scene=1)
    path = request.write(tmp_path / "job")
    assert path == tmp_path / "job" / "request.json"
    assert PredictRequest.read(tmp_path / "job").settings() == config
    assert PredictRequest.read(tmp_path / "job") == request


def test_a_missing_request_is_named(tmp_path: Path) -> None:
    with pytest.raises(JobError, match=r"request\.json can't be read"):
        PredictRequest.read(tmp_path)


def test_a_damaged_request_is_named(tmp_path: Path) -> None:
    (tmp_path / "request.json").write_text('{"model": 3}')
    with pytest.raises(JobError, match=r"request\.json is not a prediction request"):
        PredictRequest.read(tmp_path)


def test_an_unknown_knob_is_named() -> None:
    with pytest.raises(ConfigError, match="colour"):
        PredictRequest(model="m", inputs=[], out="o", config={"colour": 1}).settings()
