"""Packages of the BioImage Model Zoo: valid, equal to the model, and complete or not there."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tifffile

from segloop.app.sample import sample_folder
from segloop.artifacts.model.model import Model, RecipeCard
from segloop.core.context import Context
from segloop.core.errors import Cancelled, ModelError
from segloop.exchange.zoo_export import export_to_zoo
from segloop.images.recipe import Recipe
from tiny_models import random_model

pytest.importorskip("bioimageio.core", reason='needs the packages of the extra "zoo"')

# bioimageio.core leaves files open, and warns about its own use of its libraries.
pytestmark = pytest.mark.filterwarnings("ignore")

AUTHORS = ["Someone Who Labels"]


@pytest.mark.parametrize(
    ("kind", "dims", "channels", "card"),
    [
        ("instance", 2, 1, {}),
        ("semantic", 2, 2, {"pixel_size_um": (None, 0.5, 0.5), "license": "CC-BY-4.0"}),
        ("instance", 3, 1, {"pixel_size_um": (2.0, 0.5, 0.5)}),
    ],
)
def test_another_program_computes_the_same_maps(
    tmp_path: Path, kind: str, dims: int, channels: int, card: dict[str, object]
) -> None:
    from bioimageio.core import create_prediction_pipeline
    from bioimageio.core.digest_spec import create_sample_for_model
    from bioimageio.spec import load_model_description

    model = Model.load(random_model(tmp_path, dims, channels, kind, classes=3, **card))
    package = export_to_zoo(model, tmp_path / "package", AUTHORS)

    described = load_model_description(package, format_version="latest", perform_io_checks=True)
    assert described.name == model.card.name
    assert [author.name for author in described.authors] == AUTHORS
    assert (described.license or "") == model.card.license
    sizes = [{"y": 184, "x": 216}, {"z": 104, "y": 96, "x": 112}][dims - 2]
    raw = np.random.default_rng(4).integers(100, 4000, (1, channels, *sizes.values())).astype(np.float32)
    sample = create_sample_for_model(model=described, inputs={"raw": raw}, sample_id="test")
    own = own_maps(model, raw[0])
    with create_prediction_pipeline(described) as pipeline:
        as_it_is = {"skip_input_padding": True, "skip_output_cropping": True}
        maps = pipeline.predict_sample_without_blocking(sample, **as_it_is).members["maps"].data.values[0]
        padded = pipeline.predict_sample_without_blocking(sample).members["maps"].data.values[0]
    assert np.abs(maps - own).max() < 1e-3
    # Other programs pad an image by the halo, each in its own way.
    inner = (slice(None), *(slice(reach, -reach) for reach in model.card.halo or ()))
    assert np.abs(padded - own)[inner].max() < 1e-3


def own_maps(model: Model, raw: np.ndarray) -> np.ndarray:
    """Return the maps (K, [Z,] Y, X) that Segloop computes of a whole image (C, [Z,] Y, X)."""
    from segloop.artifacts.model.self_test import network_inputs
    from segloop.inference.engine import Engine

    inputs = network_inputs(model.card, raw)
    block = inputs.reshape(len(inputs), *(1,) * (4 - inputs.ndim), *inputs.shape[1:])
    maps = Engine(model.network(), model.target()).run_whole(block)
    return maps.reshape(len(maps), *inputs.shape[1:])


def test_the_model_in_a_package_is_the_model(tmp_path: Path) -> None:
    model = Model.load(random_model(tmp_path))
    with zipfile.ZipFile(export_to_zoo(model, tmp_path / "package.zip", AUTHORS)) as archive:
        archive.extract("segloop-model.zip", tmp_path)
        readme = archive.read("README.md").decode()
    assert "min_size 20" in readme
    again = Model.import_zip(tmp_path / "segloop-model.zip", tmp_path / "models")
    assert again.sha256 == model.sha256
    assert again.card == model.card


@pytest.mark.slow
def test_the_bundled_model_passes_the_test_of_the_zoo(tmp_path: Path) -> None:
    package = tmp_path / "nuclei.zip"
    command = [sys.executable, "-m", "segloop", "model", "export", "nuclei-2d", str(package)]
    zoo = ["--to", "bioimageio", "--author", AUTHORS[0]]
    exported = subprocess.run([*command, *zoo], capture_output=True, text=True, check=False)
    assert exported.returncode == 0, exported.stderr
    assert exported.stdout == f"Written and tested: {package}\n"
    assert "Warning" not in exported.stderr

    test = [str(Path(sys.executable).with_name("bioimageio")), "test", str(package)]
    tested = subprocess.run(test, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert tested.returncode == 0, tested.stdout + tested.stderr

    image = tifffile.imread(sample_folder() / "raw" / "000.tif")
    assert own_maps(Model.load("nuclei-2d"), image[None]).max() > 0.9


def test_what_can_not_be_exported_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    model = Model.load(random_model(tmp_path))
    package = tmp_path / "package.zip"

    with pytest.raises(ModelError, match="names its authors"):
        export_to_zoo(model, package, [])
    with pytest.raises(ModelError, match="license"):
        export_to_zoo(model, package, AUTHORS, license="free for friends")
    (tmp_path / "merged").mkdir()
    merged = RecipeCard.of(Recipe.parse(["merge(nuclei, actin)"]))
    other = Model.load(random_model(tmp_path / "merged", recipe=merged))
    with pytest.raises(ModelError, match="computes its inputs from several channels"):
        export_to_zoo(other, package, AUTHORS)
    steps: list[str] = []

    def note(progress: object) -> None:
        steps.append(progress.message)  # type: ignore[attr-defined]

    with pytest.raises(Cancelled):
        export_to_zoo(model, package, AUTHORS, context=Context(note, lambda: len(steps) == 3))
    assert steps == ["Writing the network as ONNX", "Writing the package", "Testing the package"]
    assert not package.exists()

    package.write_text("mine")
    with pytest.raises(ModelError, match="already exists"):
        export_to_zoo(model, package, AUTHORS)
    assert package.read_text() == "mine"


def test_a_damaged_package_does_not_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison with the model's own maps can fail."""
    from segloop.exchange import onnx_weights

    run = onnx_weights.run_onnx
    monkeypatch.setattr(onnx_weights, "run_onnx", lambda path, inputs: run(path, inputs) + 2e-4)
    with pytest.raises(ModelError, match=r"differ by up to 0\.0002"):
        export_to_zoo(Model.load(random_model(tmp_path)), tmp_path / "package.zip", AUTHORS)
    assert not (tmp_path / "package.zip").exists()
