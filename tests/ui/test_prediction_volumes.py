"""The Prediction dock on a volume whose tiles take the processor long."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys

import numpy as np
import pytest
import tifffile

from prediction_fixtures import click, seconds_to_cancel, tick
from segloop.config.predict import OutputKind

pytestmark = pytest.mark.slow


@pytest.fixture
def volume(test_data, viewer):
    """A stack that takes minutes: a real embryo beside itself, over and over."""
    embryo = tifffile.imread(test_data / "nuclei3d_embryo" / "train" / "raw" / "08_cell_stage.tif")
    viewer.add_image(np.tile(embryo, (1, 8, 8)), name="volume")


@pytest.fixture
def volume_model(test_data, workspace, tmp_path):
    """A run of the workspace, hardly trained, of the size that docks offer for volumes."""
    train = test_data / "nuclei3d_embryo" / "train"
    for kind in ("raw", "seg"):
        (tmp_path / kind).mkdir()
        whole = tifffile.imread(train / kind / "08_cell_stage.tif")
        for number, half in enumerate(np.array_split(whole, 2, axis=1)):
            tifffile.imwrite(tmp_path / kind / f"{number}.tif", half)
    segloop = [sys.executable, "-m", "segloop"]
    folders = ["--raw", str(tmp_path / "raw"), "--seg", str(tmp_path / "seg")]
    knobs = ["network.size=small", "patch.size=[16,48,48]", "patch.batch_size=2", "patch.per_epoch=4"]
    knobs += ["stop.max_epochs=1", "device.kind=cpu"]
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    for verb in (
        ["dataset", "create", str(tmp_path / "embryos"), *folders, "--val", "0.5"],
        ["train", str(tmp_path / "embryos"), "--out", str(tmp_path / "run"), *knobs],
    ):
        subprocess.run([*segloop, *verb], check=True, capture_output=True, env=environment)
    return shutil.move(tmp_path / "run", workspace.runs_dir / "embryos")


@pytest.mark.timeout(600)
def test_cancel_acts_within_a_second_while_a_tile_is_computed(volume, volume_model, open_dock, wait, qtbot):
    dock = open_dock("Prediction")
    wait(dock.predict_button.isEnabled)
    tick(dock.outputs.boxes[OutputKind.probability])
    seconds = []
    for pause in (0, 700, 3000):
        wait(dock.predict_button.isEnabled)
        click(dock.predict_button)
        wait(lambda: dock.progress.label.text().startswith("Predicting"))
        qtbot.wait(pause)
        seconds.append(seconds_to_cancel(dock, wait))
    assert statistics.median(seconds) < 1
    dock.session.close()
