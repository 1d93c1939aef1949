"""A model whose target is from outside: its outputs, sliders and layers in the Prediction dock."""

from __future__ import annotations

import os
import shutil
import sys

import numpy as np
import pytest
from napari.layers import Image

from documented_packages import install
from prediction_fixtures import click, idle, tick, train_by_command, type_into

pytestmark = pytest.mark.slow


@pytest.fixture
def guest(sample_nuclei, workspace, tmp_path, monkeypatch):
    """A run of the boundary target in the workspace, with the package that brings it."""
    package = install(tmp_path / "package")
    monkeypatch.syspath_prepend(str(package))
    paths = [str(package), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    for part in ("raw", "seg"):
        (tmp_path / part).mkdir()
        for path in sorted((sample_nuclei / part).glob("*.tif"))[4:8]:
            shutil.copy(path, tmp_path / part)
    knobs = ["patch.size=[64,64]", "patch.batch_size=4", "patch.per_epoch=40", "stop.max_epochs=2"]
    run = train_by_command(tmp_path, "target=boundary", "target.width=2", *knobs, val=0.25)
    yield shutil.copytree(run, workspace.runs_dir / "edges")
    sys.modules.pop("boundary_target", None)
    sys.modules.pop("boundary_loss", None)


def test_its_output_is_predicted_shown_and_follows_its_slider(
    guest, viewer, nuclei, open_dock, wait, tmp_path
):
    viewer.add_image(nuclei, name="nuclei")
    dock = open_dock("Prediction")
    wait(dock.predict_button.isEnabled)
    assert [box.text() for box in dock.outputs.boxes.values() if box.isVisible()] == [
        "boundaries",
        "probability",
    ]

    click(dock.predict_button)
    wait(lambda: idle(dock) and len(viewer.layers) == 2)

    layer = viewer.layers["nuclei, boundary by run edges"]
    assert isinstance(layer, Image)
    assert layer.data.dtype == "float32"
    tick(dock.outputs.boxes[dock.presenter.offered[1]])
    wait(lambda: "nuclei, probability by run edges" in viewer.layers)
    maps = viewer.layers["nuclei, probability by run edges"].data
    level = round(float(np.median(maps)) / 255, 2)
    type_into(dock.thresholds.boxes["level"], f"{level:.2f}")
    wait(lambda: idle(dock))
    found = viewer.layers["nuclei, boundary by run edges"].data > 0
    assert np.array_equal(found, maps >= level * 255)
    assert 0 < found.mean() < 1

    dock.result_panel.save_requested.emit(tmp_path / "saved")
    wait(lambda: idle(dock) and dock.message.text.startswith("Saved 2 files"))
    assert sorted(path.suffix for path in (tmp_path / "saved").iterdir()) == [".json", ".tif", ".tif"]
    dock.viewer_app.close()
