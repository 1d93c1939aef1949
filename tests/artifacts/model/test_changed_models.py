"""Models that were changed after they were saved, by accident or by a stranger."""

import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from model_fixtures import SPEC, card, edit_card, forge, network, save
from segloop.artifacts.model.card import VERSION
from segloop.artifacts.model.model import (
    Model,
    ModelCard,
)
from segloop.core.errors import ModelError
from segloop.core.user_folders import models_folder
from segloop.networks import NetworkSpec, build_network


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return save(tmp_path / "saved")


CHANGED: dict[str, Any] = {
    "object_diameter": 30.0,
    "median_range": [[0.1, 0.3]],
    "recipe": {"inputs": [{"operation": "pick", "channels": ["GFP"]}]},
    "network": SPEC.to_dict() | {"filters": [4, 4, 9]},
    "normalisation": {"low": 99.8, "high": 1, "clip_low": -1, "clip_high": 4},
    "pixel_size_um": [None, 0.25, 0.25],
    "stride": [8, 8],
    "halo": None,
    "parameters": {"foreground": 0.6, "min_size": 7, "splitting": 0.2},
    "test_input": "inputs",
}
"""Another value for each field of a card that changes a prediction, as far as one fits the others."""

FIXED_BY_OTHERS = {"axes", "target"}
HARMLESS = {"format", "version", "name", "provenance", "weights_sha256", "description", "license", "cite"}


def test_every_field_of_a_card_is_known_to_change_a_prediction_or_not() -> None:
    assert set(ModelCard.model_fields) == set(CHANGED) | FIXED_BY_OTHERS | HARMLESS


@pytest.mark.parametrize("field", CHANGED)
def test_a_model_whose_card_was_changed_neither_verifies_nor_predicts(model: Model, field: str) -> None:
    edit_card(model.path, **{field: CHANGED[field]})

    for use in (Model.verify, Model.network):
        with pytest.raises(ModelError, match=r"model\.json of the model .* get a new copy"):
            use(Model.load(model.path))


@pytest.mark.parametrize("part", ["low", "high", "clip_low", "clip_high"])
def test_each_number_of_the_normalisation_counts(model: Model, part: str) -> None:
    normalisation = json.loads((model.path / "model.json").read_text())["normalisation"]
    edit_card(model.path, normalisation=normalisation | {part: normalisation[part] + 0.1})

    with pytest.raises(ModelError, match="was changed after the model was saved"):
        Model.load(model.path).verify()


def test_axes_and_target_count_together_with_what_has_to_fit_them(model: Model) -> None:
    options = {"target": {"name": "semantic", "options": {"classes": 3}}, "parameters": {}}
    network = SPEC.to_dict() | {"dims": 3, "strides": [[1] * 3, [2] * 3, [2] * 3], "kernels": [[3] * 3] * 3}
    volume = {"axes": "ZYX", "network": network, "stride": [4, 4, 4], "halo": None}
    volume["parameters"] = {"foreground": 0.4}
    content = (model.path / "model.json").read_bytes()
    for changes in (options | {"network": SPEC.to_dict() | {"out_channels": 3}}, volume):
        (model.path / "model.json").write_bytes(content)
        edit_card(model.path, **changes)
        with pytest.raises(ModelError, match="was changed after the model was saved"):
            Model.load(model.path).verify()


IMMENSE = {
    "filters": {"filters": [4096] * 9, "strides": [[1, 1], *[[2, 2]] * 8], "kernels": [[3, 3]] * 9},
    "blocks": {
        "name": "monai.UNet",
        "channels": [4, 8, 16],
        "strides": [2, 2],
        "num_res_units": 1_000_000,
    },
    "width": {"name": "monai.UNet", "channels": [10**9, 10**9], "strides": [2]},
    "levels": {"name": "monai.UNet", "channels": [8] * 100_000, "strides": [1] * 99_999},
}

LIMITED = """
import resource, sys, time
import monai.networks.nets
import torch
from segloop.artifacts.model import building
from segloop.artifacts.model.model import Model
from segloop.core.errors import ModelError

before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
started = time.process_time()
try:
    Model.load(sys.argv[1]).network()
except ModelError as error:
    print(error)
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
assert time.process_time() - started < 5, time.process_time() - started
assert grown < 500_000, grown
"""


@pytest.mark.parametrize("kind", IMMENSE)
def test_an_immense_network_is_refused_before_it_is_built(model: Model, kind: str) -> None:
    spec = {"name": "unet", "dims": 2, "in_channels": 1, "out_channels": 2} | IMMENSE[kind]
    forge(model.path, network=spec)

    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(model.path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert str(model.path) in done.stdout
    assert len(done.stdout.splitlines()) == 1


def test_a_model_may_be_renamed_and_described(model: Model) -> None:
    edit_card(model.path, name="other", provenance={"note": "of the paper"})

    Model.load(model.path).verify()
    assert Model.load(model.path).card.name == "other"


def test_a_model_saved_before_cards_were_hashed_still_verifies(model: Model) -> None:
    weights = safetensors.torch.load((model.path / "weights.safetensors").read_bytes())
    content = safetensors.torch.save(weights, {"format": "pt"})
    (model.path / "weights.safetensors").write_bytes(content)
    edit_card(model.path, weights_sha256=hashlib.sha256(content).hexdigest())

    Model.load(model.path).verify()


def test_a_zip_with_another_card_is_not_imported(model: Model, tmp_path: Path) -> None:
    edit_card(model.path, normalisation={"low": 5, "high": 95, "clip_low": -1, "clip_high": 4})
    file = tmp_path / "changed.zip"
    with zipfile.ZipFile(file, "w") as archive:
        for part in model.path.iterdir():
            archive.write(part, part.name)

    with pytest.raises(ModelError, match="was changed after the model was saved"):
        Model.import_zip(file)
    assert not (models_folder() / "changed").exists()


@pytest.mark.parametrize("name", ["..zip", "...zip", ".hidden.zip", "a:b.zip"])
def test_a_zip_whose_name_no_model_can_have_changes_nothing(model: Model, tmp_path: Path, name: str) -> None:
    file = model.export(tmp_path / "m.zip").rename(tmp_path / name)
    into = tmp_path / "models"

    with pytest.raises(ModelError, match=r"No model can have the name .*: rename .* first"):
        Model.import_zip(file, into)
    assert not into.exists()


def test_a_folder_that_appears_while_a_model_is_imported_is_left_alone(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, into = model.export(tmp_path / "m.zip"), tmp_path / "models"
    verify = Model.verify

    def slow_verify(self: Model) -> None:
        verify(self)
        (into / "m").mkdir(parents=True)
        (into / "m" / "precious").touch()

    monkeypatch.setattr(Model, "verify", slow_verify)
    with pytest.raises(ModelError, match="already exists"):
        Model.import_zip(file, into)
    assert [path.name for path in into.rglob("*")] == ["m", "precious"]


def test_a_file_that_appears_while_a_model_is_exported_is_left_alone(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Model._read

    def slow_read(self: Model, *names: str) -> dict[str, bytes]:
        (tmp_path / "m.zip").write_text("precious")
        return read(self, *names)

    monkeypatch.setattr(Model, "_read", slow_read)
    with pytest.raises(ModelError, match="already exists"):
        model.export(tmp_path / "m.zip")
    assert (tmp_path / "m.zip").read_text() == "precious"
    assert {path.name for path in tmp_path.iterdir()} == {"saved", "m.zip"}


def test_the_test_of_a_model_begins_with_raw_pixels(model: Model) -> None:
    stored = np.load(model.path / "test_input.npy")

    assert stored.dtype == np.uint16
    assert stored.max() > 1000
    assert model.card.test_input == "pixels"


@pytest.mark.parametrize(
    "changes",
    [
        {"normalisation": {"low": 99.8, "high": 1, "clip_low": -1, "clip_high": 4}},
        {"normalisation": {"low": 20, "high": 99.8, "clip_low": -1, "clip_high": 4}},
        {"normalisation": {"low": 1, "high": 80, "clip_low": -1, "clip_high": 4}},
        {"normalisation": {"low": 1, "high": 99.8, "clip_low": 0.5, "clip_high": 4}},
        {"normalisation": {"low": 1, "high": 99.8, "clip_low": -1, "clip_high": 0.5}},
        {"recipe": {"inputs": [{"operation": "blank", "channels": []}, {"channels": ["DAPI"]}]}},
    ],
    ids=["upside down", "low", "high", "clip_low", "clip_high", "recipe"],
)
def test_a_card_that_was_changed_with_all_its_hashes_gives_another_output(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    spec = NetworkSpec("unet", 2, 2, 2, SPEC.kwargs)
    torch.manual_seed(1)
    built = build_network(spec).eval()
    recipe = {"inputs": [{"channels": ["DAPI"]}, {"operation": "blank", "channels": []}]}
    pixels = np.random.default_rng(0).integers(100, 4000, (1, 16, 24)).astype(np.uint16)
    model = Model.save(tmp_path / "m", card(network=spec.to_dict(), recipe=recipe), built, pixels)
    Model.load(model.path).verify()

    forge(model.path, **changes)

    with pytest.raises(ModelError, match="does not give its expected output"):
        Model.load(model.path).verify()


@pytest.mark.parametrize("dtype", ["u1", ">u2", "i4", "u8", "f2", ">f4", "f8"])
def test_a_test_may_have_pixels_of_any_real_type(tmp_path: Path, dtype: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 200, (1, 16, 24)).astype(dtype)
    Model.save(tmp_path / "m", card(), network(), pixels)

    Model.load(tmp_path / "m").verify()


def test_a_model_of_version_3_still_verifies_and_is_imported(tmp_path: Path) -> None:
    old = Model.load(Path(__file__).parent / "model_v3")
    assert (old.card.version, old.card.test_input) == (VERSION, "inputs")

    imported = Model.import_zip(old.export(tmp_path / "old.zip"))

    imported.verify()
    assert (imported.path / "test_input.npy").read_bytes() == (old.path / "test_input.npy").read_bytes()


def test_a_card_that_names_100000_channels_is_refused(model: Model) -> None:
    channels = [str(number) for number in range(100_000)]
    edit_card(model.path, recipe={"inputs": [{"operation": "merge", "channels": channels}]})

    with pytest.raises(ModelError, match="uses more than 1000 channels"):
        Model.load(model.path)


def test_an_immense_test_is_refused_before_it_is_run(model: Model) -> None:
    np.save(model.path / "test_input.npy", np.zeros((1, 5000, 4000), np.uint8))

    with pytest.raises(ModelError, match=r"test_input\.npy .* is too large to be genuine"):
        Model.load(model.path).verify()


def test_equal_models_have_equal_hashes(tmp_path: Path) -> None:
    assert len({save(tmp_path / f"m{number}").sha256 for number in range(8)}) == 1
