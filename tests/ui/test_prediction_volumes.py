"""The Prediction dock on a volume whose tiles take the processor long."""

from __future__ import annotations

import shutil
import statistics

import numpy as np
import pytest
import tifffile

from prediction_fixtures import click, seconds_to_cancel, tick, train_by_command
from segloop.targets.output import PROBABILITY

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
    knobs = ["network.size=small", "patch.size=[16,48,48]", "patch.batch_size=2", "patch.per_epoch=4"]
    run = train_by_command(tmp_path, *knobs, "stop.max_epochs=1", val=0.5)
    return shutil.move(run, workspace.runs_dir / "embryos")


@pytest.mark.timeout(600)
@pytest.mark.alone
def test_cancel_acts_within_a_second_while_a_tile_is_computed(volume, volume_model, open_dock, wait, qtbot):
    dock = open_dock("Prediction")
    wait(dock.predict_button.isEnabled)
    tick(dock.outputs.boxes[PROBABILITY])
    seconds = []
    for pause in (0, 700, 3000):
        wait(dock.predict_button.isEnabled)
        click(dock.predict_button)
        wait(lambda: dock.progress.label.text().startswith("Predicting"))
        qtbot.wait(pause)
        seconds.append(seconds_to_cancel(dock, wait))
    assert statistics.median(seconds) < 1
    dock.viewer_app.close()
