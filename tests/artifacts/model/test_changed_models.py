"""Models that were changed after they were saved, by accident or by a stranger."""

import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch

from model_fixtures import SPEC, edit_card, forge, save
from segloop.artifacts.model.model import (
    Model,
    ModelCard,
    installed_models,
)
from segloop.core.errors import ModelError


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return save(tmp_path / "saved")


CHANGED: dict[str, Any] = {
    "recipe": {"inputs": [{"operation": "pick", "channels": ["GFP"]}]},
    "network": SPEC.to_dict() | {"filters": [4, 4, 9]},
    "normalisation": {"low": 99.8, "high": 1, "clip_low": -1, "clip_high": 4},
    "pixel_size_um": [None, 0.25, 0.25],
    "stride": [8, 8],
    "halo": None,
    "parameters": {"foreground": 0.6, "min_size": 7, "splitting": 0.2},
}
"""Another value for each field of a card that changes a prediction, as far as one fits the others."""

FIXED_BY_OTHERS = {"axes", "target"}
HARMLESS = {"format", "version", "name", "provenance", "weights_sha256"}


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
started = time.monotonic()
try:
    Model.load(sys.argv[1]).network()
except ModelError as error:
    print(error)
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
assert time.monotonic() - started < 5, time.monotonic() - started
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
    assert installed_models() == ()


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
    with pytest.raises(ModelError, match="exists already"):
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
    with pytest.raises(ModelError, match="exists already"):
        model.export(tmp_path / "m.zip")
    assert (tmp_path / "m.zip").read_text() == "precious"
    assert {path.name for path in tmp_path.iterdir()} == {"saved", "m.zip"}
