"""A target of an installed package goes through training, model card, prediction and re-thresholding."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tifffile

from documented_packages import install

pytestmark = pytest.mark.slow


def test_a_target_from_outside_goes_the_whole_way(sample_nuclei: Path, tmp_path: Path) -> None:
    package = install(tmp_path / "package")
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(package), os.environ.get("PYTHONPATH", "")]),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }

    def segloop(*words: str) -> str:
        command = [sys.executable, "-m", "segloop", *words]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    for part in ("raw", "seg"):
        (tmp_path / part).mkdir()
        for path in sorted((sample_nuclei / part).glob("*.tif"))[4:9]:
            shutil.copy(path, tmp_path / part)
    segloop("dataset", "create", "nuclei", "--raw", "raw", "--seg", "seg", "--val", "0.2")
    quick = ["device.kind=cpu", "patch.size=[64,64]", "patch.batch_size=4", "patch.per_epoch=40"]
    training = segloop(
        "train", "nuclei", "--out", "run", "target=boundary", "target.width=2", "stop.max_epochs=2", *quick
    )

    assert "Overlap" in training
    header = (tmp_path / "run" / "metrics.csv").read_text().splitlines()[0]
    assert header.endswith("val_loss,val_overlap")
    card = json.loads((tmp_path / "run" / "model" / "model.json").read_text())
    assert card["target"] == {"name": "boundary", "options": {"width": 2}}
    assert set(card["parameters"]) == {"level", "thin"}
    assert card["parameters"]["level"] in (0.2, 0.35, 0.5)
    assert set(card["provenance"]["scores"]) == {"val_loss", "val_overlap"}

    image = str(sorted((tmp_path / "raw").glob("*.tif"))[0])
    given = ["--output", "boundary,probability", "threshold.level=0.3", "device.kind=cpu"]
    segloop("predict", "run", image, "--out", "predictions", *given)
    (record_file,) = (tmp_path / "predictions").glob("*.json")
    record = json.loads(record_file.read_text())
    outputs = {output["kind"]: output for output in record["outputs"]}
    assert outputs["boundary"]["dtype"] == "float32"
    assert record["model"]["options"] == {"width": 2}
    assert record["parameters"] == {"level": 0.3, "thin": False}
    maps = tifffile.imread(tmp_path / "predictions" / outputs["probability"]["path"])
    found = tifffile.imread(tmp_path / "predictions" / outputs["boundary"]["path"])
    assert found.dtype == "float32"
    assert ((found > 0) == (maps >= 0.3 * 255)).all()

    level = float(maps.mean()) / 255
    segloop("threshold", "predictions", f"level={level}")
    record = json.loads(record_file.read_text())
    assert record["parameters"] == {"level": level, "thin": False}
    assert record["rethresholded"]
    found = tifffile.imread(tmp_path / "predictions" / outputs["boundary"]["path"])
    assert ((found > 0) == (maps >= level * 255)).all()
    assert 0 < found.mean() < 1
