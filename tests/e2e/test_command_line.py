"""The whole loop on real images through the command line, each step in a process of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

pytestmark = pytest.mark.slow


def segloop(*arguments: object, status: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "segloop", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == status, done.stderr
    return done


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a trained run: 20 nuclei images for training, 9 held aside in ``new``."""
    from importlib.resources import files

    folder = tmp_path_factory.mktemp("study")
    sample = Path(str(files("segloop") / "app" / "sample_nuclei"))
    for kind in ("raw", "seg"):
        (folder / kind).mkdir()
        (folder / "new" / kind).mkdir(parents=True)
        for number, file in enumerate(sorted((sample / kind).glob("*.tif"))):
            shutil.copy(file, folder / "new" / kind if number % 3 == 2 else folder / kind)
    segloop("dataset", "create", folder / "dataset", "--raw", folder / "raw", "--seg", folder / "seg")
    segloop("train", folder / "dataset", "--out", folder / "run", "stop.max_minutes=1.2")
    return folder


def scores(folder: Path) -> dict[str, Any]:
    metrics: dict[str, Any] = json.loads((folder / "metrics.json").read_text())
    return metrics


def test_a_trained_run_predicts_new_images_well(study: Path) -> None:
    segloop(
        "predict",
        study / "run",
        study / "new" / "raw",
        "--out",
        study / "p",
        "--output",
        "labels,probability",
    )
    segloop(
        "evaluate",
        study / "p",
        study / "new" / "seg",
        "--out",
        study / "scores",
        "--raw",
        study / "new" / "raw",
    )

    found = scores(study / "scores")
    assert found["n_images"] == 9
    assert found["instance"]["ap"]["0.50"] > found["baseline"]["instance"]["ap"]["0.50"]
    assert (study / "scores" / "metrics.csv").read_text().count("\n") == 10
    assert "<html" in (study / "scores" / "report.html").read_text()


def test_outputs_are_named_and_typed_as_promised(study: Path) -> None:
    out = study / "named"
    source = study / "new" / "raw"
    segloop("predict", study / "run", source, "--out", out, "--output", "labels,mask,probability")

    raw = next(source.glob("*.tif"))
    shape = tifffile.imread(raw).shape
    labels, mask, probability = (
        tifffile.imread(out / f"{raw.stem}.{kind}.tif") for kind in ("labels", "mask", "probability")
    )
    assert (labels.dtype, labels.shape) == (np.uint16, shape)
    assert (mask.dtype, set(np.unique(mask)) <= {0, 1}) == (np.uint8, True)
    assert (probability.dtype, probability.shape[-2:]) == (np.uint8, shape)
    assert json.loads((out / f"{raw.stem}.json").read_text())["model"]


def test_tile_size_does_not_change_the_result(study: Path) -> None:
    raw = sorted((study / "new" / "raw").glob("*.tif"))[-1]
    found = []
    for size in (64, 160, 1024):
        segloop("predict", study / "run", raw, "--out", study / f"t{size}", f"tile_size=[{size},{size}]")
        found.append(tifffile.imread(study / f"t{size}" / raw.name))

    assert all((labels == found[0]).all() for labels in found[1:])


def test_kept_probabilities_can_be_thresholded_again(study: Path) -> None:
    raw = study / "new" / "raw"
    segloop("predict", study / "run", raw, "--out", study / "kept", "--output", "labels,probability")
    segloop("predict", study / "run", raw, "--out", study / "direct", "threshold.foreground=0.8")
    segloop("threshold", study / "kept", "--foreground", "0.8")

    for direct in (study / "direct").glob("*.tif"):
        again = tifffile.imread(study / "kept" / f"{direct.stem}.labels.tif")
        assert (again == tifffile.imread(direct)).all()


def test_a_model_travels_as_a_zip(study: Path) -> None:
    segloop("model", "export", study / "run", study / "nuclei.zip")
    info = json.loads(segloop("model", "info", study / "nuclei.zip", "--verify", "--json").stdout)

    assert info["verified"] is True
    raw = next((study / "new" / "raw").glob("*.tif"))
    segloop("predict", study / "nuclei.zip", raw, "--out", study / "zipped")
    segloop("predict", study / "run", raw, "--out", study / "plain")
    assert (tifffile.imread(study / "zipped" / raw.name) == tifffile.imread(study / "plain" / raw.name)).all()


def test_compare_scores_runs_on_the_validation_images(study: Path) -> None:
    arguments = (
        "compare",
        study / "run",
        study / "run",
        "--dataset",
        study / "dataset",
        "--out",
        study / "c",
    )
    found = json.loads(segloop(*arguments, "--json").stdout)

    assert list(found["models"]) == ["run", "run-2"]
    assert found["models"]["run"] == found["models"]["run-2"]
    assert list(found["baselines"]) == ["smoothed Otsu", "all background"]


def test_a_finished_run_goes_on_when_given_more_time(study: Path) -> None:
    shutil.copytree(study / "run", study / "longer")
    before = len((study / "longer" / "metrics.csv").read_text().splitlines())

    segloop("train", "--resume", study / "longer", "stop.max_minutes=1.5")

    assert len((study / "longer" / "metrics.csv").read_text().splitlines()) > before


def test_a_saved_config_repeats_the_run(study: Path) -> None:
    out = study / "repeat"
    segloop("train", "--config", study / "run" / "config.yaml", "--out", out, "stop.max_epochs=1")

    assert (out / "model" / "model.json").is_file()
    assert f"dataset: {study / 'dataset'}" in (out / "config.yaml").read_text()


def test_a_sweep_trains_one_run_per_combination(study: Path) -> None:
    out = study / "sweep"
    segloop(
        "train",
        study / "dataset",
        "--out",
        out,
        "--multirun",
        "seed=1,2",
        "stop.max_epochs=1",
        "patch.per_epoch=4",
    )

    seeds = [
        (out / number / "config.yaml").read_text().count(f"seed: {seed}")
        for number, seed in (("0", 1), ("1", 2))
    ]
    assert seeds == [1, 1]
    tasks = [json.loads((out / number / "task.json").read_text()) for number in ("0", "1")]
    assert [task["kind"] for task in tasks] == ["train", "train"]


def test_a_bad_image_is_named_and_the_others_are_predicted(study: Path) -> None:
    mixed = study / "mixed"
    mixed.mkdir()
    good = next((study / "new" / "raw").glob("*.tif"))
    shutil.copy(good, mixed / "good.tif")
    (mixed / "bad.tif").write_bytes(b"not a TIFF")

    done = segloop("predict", study / "run", mixed, "--out", study / "mixed-out", status=1)

    assert "bad.tif" in done.stderr
    assert (study / "mixed-out" / "good.tif").is_file()
    assert not (study / "mixed-out" / "bad.tif").exists()
