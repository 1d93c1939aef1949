"""A prediction that is killed leaves nothing half-written in view, and can be done again."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from segloop.app.evaluating import evaluate
from segloop.artifacts.prediction.place import find_predictions
from segloop.config.predict import OutputFormat, PredictConfig
from segloop.core.errors import ImageError, SegloopError
from segloop.images.read import open_image
from segloop.prediction.predict import predict_image
from segloop.targets.output import LABELS

PREDICT = """
import sys
from pathlib import Path
from segloop.artifacts.model.model import Model
from segloop.config.predict import OutputFormat, PredictConfig
from segloop.core.context import Context
from segloop.images.read import open_image
from segloop.inference.engine import Engine
from segloop.prediction.predict import predict_image

def report(progress):
    if progress.fraction > 0.3:
        print("under way", flush=True)
        sys.stdin.read()

model = Model.load(sys.argv[1])
engine = Engine(model.network(), model.target())
config = PredictConfig(tile_size=[64, 64], format=OutputFormat(sys.argv[4]))
predict_image(model, engine, open_image(sys.argv[2]), config, Path(sys.argv[3]), "a", Context(report=report))
"""


@pytest.mark.slow
@pytest.mark.parametrize("file_format", ["tiff", "zarr"])
def test_a_kill_leaves_no_half_prediction_and_does_not_hinder_the_next(
    nuclei_model: Path, load: Callable[..., Any], sample_nuclei: Path, tmp_path: Path, file_format: str
) -> None:
    source, out = sample_nuclei / "raw" / "000.tif", tmp_path / "out"
    arguments = [sys.executable, "-c", PREDICT, str(nuclei_model), str(source), str(out), file_format]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "under way\n"
        process.kill()
    assert list(out.rglob("*.tif")) == []
    assert find_predictions(out) == []
    truth = tmp_path / "truth"
    truth.mkdir()
    shutil.copy(sample_nuclei / "seg" / "000.tif", truth / "a.tif")
    with pytest.raises(SegloopError, match=f"{out}"):
        evaluate(out, truth, out=tmp_path / "scores")
    config = PredictConfig(format=OutputFormat(file_format))
    result = predict_image(*load(nuclei_model), open_image(source), config, out, "a")
    assert open_image(result.outputs[LABELS]).data.compute().any()
    assert len(find_predictions(out)) == 1
    assert evaluate(out, truth, out=tmp_path / "scores").metrics["n_images"] == 1


@pytest.mark.slow
@pytest.mark.parametrize("file_format", ["tiff", "zarr"])
def test_of_two_processes_that_write_a_prediction_at_once_the_second_is_told_who_holds_it(
    nuclei_model: Path, load: Callable[..., Any], sample_nuclei: Path, tmp_path: Path, file_format: str
) -> None:
    source, out = sample_nuclei / "raw" / "000.tif", tmp_path / "out"
    arguments = [sys.executable, "-c", PREDICT, str(nuclei_model), str(source), str(out), file_format]
    config = PredictConfig(format=OutputFormat(file_format))
    model, engine = load(nuclei_model)
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "under way\n"
        with pytest.raises(ImageError, match=rf"{out / 'a.json'}.*process {process.pid}"):
            predict_image(model, engine, open_image(source), config, out, "a")
        process.stdin.close()
        assert process.wait(timeout=120) == 0
    assert len(find_predictions(out)) == 1
    assert predict_image(model, engine, open_image(source), config, out, "a").record.exists()
