"""A package of the BioImage Model Zoo, chosen in the Prediction dock: it is imported, then used."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("bioimageio.core", reason='needs the packages of the extra "zoo"')

from prediction_fixtures import LONG, click
from segloop.core.user_folders import models_folder
from zoo_packages import core_prediction, description, onnx_file, write_package

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def brightness(path, **change):
    """Write a package whose foreground is what is bright; its weights are those of a smoothing."""
    weights = np.full((1, 1, 5, 5), 0.2, np.float32)
    given = np.random.default_rng(2).gamma(3, 300, (1, 1, 32, 32)).astype(np.uint16)
    rdf = description(
        [{"id": "zero_mean_unit_variance", "kwargs": {"axes": ["y", "x"]}}], [{"id": "sigmoid"}]
    )
    scaled = (given - given.mean()) / (given.std() + 1e-6)
    padded = np.lib.stride_tricks.sliding_window_view(np.pad(scaled[0, 0], 2), (5, 5)).sum((2, 3)) * 0.2
    expected = (1 / (1 + np.exp(-padded)))[None, None].astype(np.float32)
    return write_package(path, rdf | change, onnx_file(weights), given, expected)


def test_a_package_is_imported_and_predicts(open_dock, viewer, qtbot, tmp_path):
    package = brightness(tmp_path / "bright.zip")
    y, x = np.mgrid[:96, :128]
    pixels = (100 + 900 * np.exp(-((y - 40) ** 2 + (x - 60) ** 2) / 200)).astype(np.uint16)
    dock = open_dock("Prediction")
    viewer.add_image(pixels, name="spot")

    dock.model_row.browsed.emit(str(package))
    qtbot.waitUntil(lambda: dock.model_row.combo.currentText() == "bright", timeout=LONG)

    assert dock.message.text == (
        "Imported as bright. Its output nuclei is taken as the probability of foreground."
    )
    assert (models_folder() / "bright").is_dir()
    assert dock.model_row.card.text().startswith("Finds nuclei.\n2D foreground, 0.25 µm pixels, onnx")
    qtbot.waitUntil(dock.predict_button.isEnabled, timeout=LONG)
    click(dock.predict_button)
    qtbot.waitUntil(lambda: bool(dock.results.finished()) and not dock.job.busy, timeout=LONG)
    mask = viewer.layers[-1].data > 0
    expected = core_prediction(package, pixels[None, None])[0, 0]
    assert mask[40, 60]
    assert np.mean(mask != (expected >= 0.5)) < 0.005
    dock.viewer_app.close()


def test_a_package_that_can_not_be_used_is_refused_in_one_sentence(open_dock, qtbot, tmp_path):
    torch = {"torchscript": {"source": "weights.pt", "pytorch_version": "2.0"}}
    package = brightness(tmp_path / "torch.zip", weights=torch)
    dock = open_dock("Prediction")
    dock.model_row.browsed.emit(str(package))
    qtbot.waitUntil(lambda: dock.message.level == "error", timeout=LONG)
    assert dock.message.text.startswith(f"{package} can't be imported: its weights are torchscript")
    assert not models_folder().exists()
    dock.viewer_app.close()
