import json
import stat
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from segloop.artifacts.model import (
    Model,
    ModelCard,
    NormalisationCard,
    RecipeCard,
    TargetCard,
    ThresholdCard,
    find_model,
    installed_models,
    models_folder,
)
from segloop.core.errors import ModelError
from segloop.networks import NetworkSpec, build_network
from segloop.targets import Thresholds

SPEC = NetworkSpec(
    "unet",
    2,
    1,
    2,
    {
        "filters": [4, 4, 8],
        "strides": [[1, 1], [2, 2], [2, 2]],
        "kernels": [[3, 3], [3, 3], [3, 3]],
    },
)


def card(**changes: Any) -> ModelCard:
    values: dict[str, Any] = {
        "name": "my nuclei",
        "axes": "YX",
        "recipe": RecipeCard(channels=["DAPI"]),
        "network": SPEC.to_dict(),
        "target": TargetCard(kind="instance"),
        "normalisation": NormalisationCard(low=1, high=99.8, clip_low=-1, clip_high=4),
        "pixel_size_um": (None, 0.5, 0.5),
        "stride": [4, 4],
        "halo": [24, 24],
        "thresholds": ThresholdCard(foreground=0.4, min_size=7, splitting=0.2),
        "provenance": {"dataset": "cells", "scores": {"ap50": 0.9}},
    }
    return ModelCard(**(values | changes))


def network() -> nn.Module:
    torch.manual_seed(1)
    return build_network(SPEC).eval()


def save(folder: Path, **changes: Any) -> Model:
    built = network()
    test_input = np.random.default_rng(0).random((1, 16, 24)).astype(np.float32)
    with torch.inference_mode():
        test_output = built(torch.from_numpy(test_input)[None])[0].numpy()
    return Model.save(folder, card(**changes), built.state_dict(), test_input, test_output)


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return save(tmp_path / "saved")


def edit_card(folder: Path, **changes: Any) -> None:
    file = folder / "model.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_a_saved_model_comes_back_whole(model: Model) -> None:
    loaded = Model.load(model.path)
    assert loaded.card == model.card
    assert loaded.network_spec == SPEC
    assert loaded.thresholds == Thresholds(0.4, 7, 0.2)
    assert (loaded.target().kind, loaded.target().dims) == ("instance", 2)
    image = torch.rand(1, 1, 16, 16)
    with torch.inference_mode():
        torch.testing.assert_close(loaded.network()(image), network()(image))


def test_loading_a_card_does_not_import_torch(model: Model) -> None:
    code = (
        "import sys; from segloop.artifacts.model import Model; "
        f"Model.load({str(model.path)!r}).target(); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_saving_again_replaces_the_model(model: Model) -> None:
    save(model.path, name="second")
    assert Model.load(model.path).card.name == "second"
    assert [path.name for path in model.path.parent.iterdir()] == ["saved"]


def test_a_sound_model_verifies(model: Model) -> None:
    Model.load(model.path).verify()


def test_verifying_notices_another_output(model: Model) -> None:
    expected = np.load(model.path / "test_output.npy")
    np.save(model.path / "test_output.npy", expected + 0.5)
    with pytest.raises(ModelError, match="does not give its expected output"):
        Model.load(model.path).verify()


def test_changed_weights_are_noticed(model: Model) -> None:
    file = model.path / "weights.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(ModelError, match=r"weights of the model .* are damaged"):
        Model.load(model.path).network()


def test_weights_of_another_network_are_refused(model: Model) -> None:
    edit_card(model.path, network=SPEC.to_dict() | {"filters": [4, 4, 16]})
    with pytest.raises(ModelError, match="do not fit its network"):
        Model.load(model.path).network()


def test_a_newer_version_says_to_update(model: Model) -> None:
    edit_card(model.path, version=2)
    with pytest.raises(ModelError, match=r"newer Segloop .* update napari-segloop"):
        Model.load(model.path)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"secret": 1}, "secret"),
        ({"name": "../escape"}, "name"),
        ({"axes": "ZYX"}, "axes ZYX but a network of 2 dimensions"),
        ({"recipe": {"channels": ["a", "b"]}}, "2 channels named but the network takes 1"),
        ({"target": {"kind": "semantic", "classes": 2}}, "needs 1 maps"),
        ({"stride": [4]}, "stride"),
        ({"network": {"name": "unet"}}, "incomplete"),
        ({"format": "recipe for cake"}, "is not a Segloop model"),
    ],
)
def test_a_card_that_is_wrong_is_refused(model: Model, changes: dict[str, Any], sentence: str) -> None:
    edit_card(model.path, **changes)
    with pytest.raises(ModelError, match=sentence):
        Model.load(model.path)


def test_a_dotted_path_is_never_looked_up(model: Model) -> None:
    edit_card(model.path, network=SPEC.to_dict() | {"name": "torch.nn.Conv2d"})
    with pytest.raises(ModelError, match="There is no network"):
        Model.load(model.path).network()


def test_a_test_that_does_not_fit_the_stride_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="does not fit its network"):
        Model.save(
            tmp_path / "m",
            card(),
            network().state_dict(),
            np.zeros((1, 15, 16), np.float32),
            np.zeros((2, 15, 16), np.float32),
        )
    assert not (tmp_path / "m").exists()


def test_a_folder_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"can't be written to .*nowhere"):
        save(tmp_path / "nowhere" / "m")


def test_a_zip_is_a_model_too(model: Model, tmp_path: Path) -> None:
    file = model.export(tmp_path / "m.zip")
    loaded = Model.load(file)
    assert loaded.card == model.card
    loaded.verify()


def test_exporting_never_overwrites(model: Model, tmp_path: Path) -> None:
    file = model.export(tmp_path / "m")
    assert file.name == "m.zip"
    with pytest.raises(ModelError, match="exists already"):
        model.export(file)


def test_an_imported_model_goes_by_the_name_of_its_zip(model: Model, tmp_path: Path) -> None:
    imported = Model.import_zip(model.export(tmp_path / "large nuclei.zip"))
    assert imported.path == models_folder() / "large nuclei"
    assert find_model("large nuclei") == imported.path
    assert [found.card.name for found in installed_models()] == ["my nuclei"]
    Model.load("large nuclei").verify()


def test_importing_a_name_twice_is_refused(model: Model, tmp_path: Path) -> None:
    file = model.export(tmp_path / "m.zip")
    Model.import_zip(file, tmp_path / "mine")
    with pytest.raises(ModelError, match="exists already"):
        Model.import_zip(file, tmp_path / "mine")


def rezip(source: Path, destination: Path, **extra: bytes) -> Path:
    """Write the model zip again, with further entries or other contents."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(destination, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, extra.pop(name) if name in extra else old.read(name))
        for name, content in extra.items():
            new.writestr(name, content)
    return destination


@pytest.mark.parametrize("name", ["../evil.txt", "/etc/evil", "run.py", "sub/model.json", "C:\\evil", "sub/"])
def test_a_zip_with_any_other_file_is_refused(model: Model, tmp_path: Path, name: str) -> None:
    bad = rezip(model.export(tmp_path / "m.zip"), tmp_path / "bad.zip", **{name: b"x"})
    with pytest.raises(ModelError, match="not a genuine model"):
        Model.import_zip(bad, tmp_path / "into")
    assert not (tmp_path / "into").exists()


def test_a_link_in_a_zip_is_refused(model: Model, tmp_path: Path) -> None:
    bad = tmp_path / "bad.zip"
    with zipfile.ZipFile(model.export(tmp_path / "m.zip")) as old, zipfile.ZipFile(bad, "w") as new:
        for entry in old.infolist():
            if entry.filename == "weights.safetensors":
                entry.external_attr = (stat.S_IFLNK | 0o777) << 16
            new.writestr(entry, old.read(entry.filename))
    with pytest.raises(ModelError, match="link"):
        Model.load(bad)


def test_a_zip_bomb_is_refused_before_it_is_unpacked(model: Model, tmp_path: Path) -> None:
    bomb = b"\0" * (80 * 2**20)
    bad = rezip(model.export(tmp_path / "m.zip"), tmp_path / "bad.zip", **{"weights.safetensors": bomb})
    with pytest.raises(ModelError, match="too large to be genuine"):
        Model.import_zip(bad, tmp_path / "into")


def test_a_zip_with_changed_weights_is_refused(model: Model, tmp_path: Path) -> None:
    bad = rezip(model.export(tmp_path / "m.zip"), tmp_path / "bad.zip", **{"weights.safetensors": b"other"})
    with pytest.raises(ModelError, match="damaged"):
        Model.import_zip(bad, tmp_path / "into")
    assert not (tmp_path / "into" / "bad").exists()


def test_a_pickle_in_place_of_a_test_is_refused(model: Model) -> None:
    np.save(model.path / "test_input.npy", np.array([{"a": 1}], object), allow_pickle=True)
    with pytest.raises(ModelError, match=r"test_input\.npy .* is damaged"):
        Model.load(model.path).verify()


def test_what_is_no_zip_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "m.zip"
    file.write_bytes(b"not a zip at all")
    with pytest.raises(ModelError, match="can't be read as a zip"):
        Model.load(file)


def test_a_run_is_accepted_wherever_a_model_is(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    save(tmp_path / "run" / "model")
    assert Model.load(tmp_path / "run").card.name == "my nuclei"


def test_a_run_without_a_model_says_when_it_will_have_one(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="as soon as its first validation is done"):
        Model.load(tmp_path)


def test_an_unknown_name_lists_the_installed_models(model: Model, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="none yet"):
        Model.load("nuclei-2d")
    Model.import_zip(model.export(tmp_path / "mine.zip"))
    with pytest.raises(ModelError, match=r"There is no model nuclei-2d.*mine"):
        Model.load("nuclei-2d")


TIED = """
from torch import nn

class Tied(nn.Module):
    stride, halo, translation_equivariant = (1, 1), (2, 2), True

    def __init__(self, spec):
        super().__init__()
        self.first = nn.Conv2d(1, 2, 3, padding=1)
        self.again = self.first

    def forward(self, x):
        return self.again(self.first(x)[:, :1])
"""


def test_weights_that_share_memory_are_stored_once_and_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "segloop_tied_example.py").write_text(TIED)
    info = tmp_path / "segloop_tied_example-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: segloop-tied-example\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[segloop.networks]\ntied = segloop_tied_example:Tied\n")
    monkeypatch.syspath_prepend(tmp_path)
    spec = NetworkSpec("tied", 2, 1, 2)
    tied = build_network(spec).eval()
    image = np.ones((1, 4, 4), np.float32)
    with torch.inference_mode():
        output = tied(torch.from_numpy(image)[None])[0].numpy()
    changes = card(network=spec.to_dict(), stride=[1, 1], halo=[2, 2])
    saved = Model.save(tmp_path / "m", changes, tied.state_dict(), image, output)
    Model.load(saved.path).verify()


def test_every_saved_tensor_keeps_its_value_and_type(model: Model) -> None:
    expected, found = network().state_dict(), Model.load(model.path).network().state_dict()
    for name, tensor in expected.items():
        assert torch.equal(tensor, found[name])
        assert tensor.dtype == found[name].dtype
