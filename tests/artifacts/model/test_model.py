import hashlib
import io
import json
import stat
import subprocess
import sys
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from segloop.artifacts.model.card import VERSION, card_digest
from segloop.artifacts.model.model import (
    Model,
    ModelCard,
    NormalisationCard,
    RecipeCard,
    TargetCard,
    find_model,
    installed_models,
)
from segloop.core.errors import ModelError
from segloop.core.user_folders import models_folder
from segloop.images.recipe import Recipe
from segloop.networks import NetworkSpec, build_network
from segloop.targets.instance import SliceParameters

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
        "recipe": RecipeCard.of(Recipe.of_channels(["DAPI"])),
        "network": SPEC.to_dict(),
        "target": TargetCard(name="instance"),
        "normalisation": NormalisationCard(low=1, high=99.8, clip_low=-1, clip_high=4),
        "pixel_size_um": (None, 0.5, 0.5),
        "stride": [4, 4],
        "halo": [24, 24],
        "parameters": {"foreground": 0.4, "min_size": 7, "splitting": 0.2},
        "provenance": {"dataset": "cells", "scores": {"ap50": 0.9}},
    }
    return ModelCard(**(values | changes))


def network(seed: int = 1) -> nn.Module:
    torch.manual_seed(seed)
    return build_network(SPEC).eval()


def save(folder: Path, *, seed: int = 1, **changes: Any) -> Model:
    built = network(seed)
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


def forge(folder: Path, **changes: Any) -> None:
    """Change the card and all hashes of it, as a stranger can."""
    edit_card(folder, **changes)
    file = folder / "model.json"
    weights = safetensors.torch.load((folder / "weights.safetensors").read_bytes())
    metadata = {"format": "pt", "segloop_card": card_digest(json.loads(file.read_text()))}
    content = safetensors.torch.save(weights, metadata)
    (folder / "weights.safetensors").write_bytes(content)
    edit_card(folder, weights_sha256=hashlib.sha256(content).hexdigest())


def test_a_saved_model_comes_back_whole(model: Model) -> None:
    loaded = Model.load(model.path)
    assert loaded.card == model.card
    assert loaded.network_spec == SPEC
    assert loaded.parameters == SliceParameters(foreground=0.4, min_size=7, splitting=0.2)
    assert (loaded.target().name, loaded.target().dims) == ("instance", 2)
    image = torch.rand(1, 1, 16, 16)
    with torch.inference_mode():
        torch.testing.assert_close(loaded.network()(image), network()(image))


def test_loading_a_card_does_not_import_torch(model: Model) -> None:
    code = (
        "import sys; from segloop.artifacts.model.model import Model; "
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


def test_a_better_model_saved_meanwhile_is_taken_whole(model: Model, tmp_path: Path) -> None:
    by_network, by_verifying, by_export = (Model.load(model.path) for _ in range(3))
    better = save(model.path, seed=2, name="better")
    state = by_network.network().state_dict()
    by_verifying.verify()
    exported = Model.load(by_export.export(tmp_path / "m.zip"))
    exported.verify()
    expected = network(2).state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in state.items())
    assert by_network.card == by_verifying.card == by_export.card == exported.card == better.card


def test_weights_of_another_network_are_refused(model: Model) -> None:
    forge(model.path, network=SPEC.to_dict() | {"filters": [4, 4, 16]})
    with pytest.raises(ModelError, match="do not fit its network"):
        Model.load(model.path).network()


def test_a_newer_version_says_to_update(model: Model) -> None:
    edit_card(model.path, version=VERSION + 1)
    with pytest.raises(ModelError, match=r"newer Segloop .* update napari-segloop"):
        Model.load(model.path)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"secret": 1}, "secret"),
        ({"name": "../escape"}, "name"),
        ({"axes": "ZYX"}, "axes ZYX but a network of 2 dimensions"),
        (
            {"recipe": {"inputs": [{"channels": ["a"]}, {"channels": ["b"]}]}},
            "2 channels named but the network",
        ),
        ({"recipe": {"inputs": []}}, "The recipe uses no channel"),
        ({"recipe": {"inputs": [{"operation": "pick", "channels": []}]}}, "'pick' takes 1 channel, not 0"),
        (
            {"target": {"name": "semantic", "options": {"classes": 2}}, "parameters": {"foreground": 0.5}},
            "needs 1 maps",
        ),
        ({"stride": [4]}, "stride"),
        ({"network": {"name": "unet"}}, "incomplete"),
        ({"network": SPEC.to_dict() | {"in_channels": float("inf")}}, "damaged"),
        ({"network": SPEC.to_dict() | {"dims": float("nan")}}, "damaged"),
        ({"format": "recipe for cake"}, "is not a Segloop model"),
    ],
)
def test_a_card_that_is_wrong_is_refused(model: Model, changes: dict[str, Any], sentence: str) -> None:
    edit_card(model.path, **changes)
    with pytest.raises(ModelError, match=sentence):
        Model.load(model.path)


def test_a_dotted_path_is_never_looked_up(model: Model) -> None:
    forge(model.path, network=SPEC.to_dict() | {"name": "torch.nn.Conv2d"})
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
    with pytest.raises(ModelError, match=r"nowhere.* can't be written .*choose a folder"):
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


def array_file(value: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, value)
    return buffer.getvalue()


def archive_of(value: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, value)
    return buffer.getvalue()


def header_of(shape: tuple[int, ...]) -> bytes:
    buffer = io.BytesIO()
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, header)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        array_file(np.array(["a", "b"])),
        array_file(np.zeros((1, 16, 24), np.complex64)),
        archive_of(np.zeros((1, 16, 24), np.float32)),
        header_of((1, 2**70, 16)),
        header_of((1, 2**40, 16)),
        header_of((-1, 16, 16)),
        b"",
    ],
    ids=["words", "complex", "archive", "overflow", "terabytes", "negative", "empty"],
)
def test_a_test_that_is_no_array_is_refused(model: Model, content: bytes) -> None:
    (model.path / "test_input.npy").write_bytes(content)
    with pytest.raises(ModelError, match=r"test_input\.npy .* is damaged"):
        Model.load(model.path).verify()


def test_a_network_that_can_not_be_built_is_refused(model: Model) -> None:
    forge(model.path, network=SPEC.to_dict() | {"name": "monai.UNet", "channels": "many", "strides": 7})
    with pytest.raises(ModelError, match=r"network of the model .* can't be built|MONAI|monai"):
        Model.load(model.path).network()


def test_a_zip_compressed_otherwise_than_ours_is_refused(model: Model, tmp_path: Path) -> None:
    bad = tmp_path / "bad.zip"
    with zipfile.ZipFile(model.export(tmp_path / "m.zip")) as old, zipfile.ZipFile(bad, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name), zipfile.ZIP_LZMA)
    with pytest.raises(ModelError, match="compressed"):
        Model.load(bad)


def test_a_name_in_a_zip_that_is_no_text_is_refused(model: Model, tmp_path: Path) -> None:
    bad = rezip(model.export(tmp_path / "m.zip"), tmp_path / "bad.zip", **{"µµ": b"x"})
    bad.write_bytes(bad.read_bytes().replace("µµ".encode(), b"\xff\xfe\xff\xfe"))
    with pytest.raises(ModelError, match="can't be read as a zip"):
        Model.load(bad)


def test_a_damaged_zip_is_refused_whatever_byte_it_is(model: Model, tmp_path: Path) -> None:
    whole = model.export(tmp_path / "m.zip").read_bytes()
    bad = tmp_path / "bad.zip"
    for position in np.random.default_rng(0).integers(0, len(whole), 100):
        content = bytearray(whole)
        content[position] ^= 0xFF
        bad.write_bytes(content)
        with suppress(ModelError):
            Model.load(bad).network()


def test_a_small_zip_bomb_is_refused(model: Model, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).bytes(2**20)
    bad = rezip(
        model.export(tmp_path / "m.zip"),
        tmp_path / "bad.zip",
        **{"weights.safetensors": noise + bytes(2**25)},
    )
    with pytest.raises(ModelError, match="too large to be genuine"):
        Model.load(bad)


def test_a_zip_that_lies_about_its_size_is_refused(model: Model, tmp_path: Path) -> None:
    bad = rezip(
        model.export(tmp_path / "m.zip"), tmp_path / "bad.zip", **{"weights.safetensors": bytes(2**25)}
    )
    content = bytearray(bad.read_bytes())
    entry = content.rindex(b"weights.safetensors") - 46  # in the directory at the end
    assert content[entry : entry + 4] == b"PK\x01\x02"
    content[entry + 20 : entry + 24] = (2**25).to_bytes(4, "little")
    bad.write_bytes(content)
    with pytest.raises(ModelError, match="too large to be genuine"):
        Model.load(bad)


def test_a_model_that_does_not_verify_is_not_installed(model: Model, tmp_path: Path) -> None:
    folder = tmp_path / "bad"
    folder.mkdir()
    wrong = array_file(np.load(model.path / "test_output.npy") + np.float32(0.5))
    bad = rezip(model.export(tmp_path / "m.zip"), folder / "n.zip", **{"test_output.npy": wrong})
    with pytest.raises(ModelError, match="does not give its expected output"):
        Model.import_zip(bad, tmp_path / "into")
    folder.joinpath("n.zip").unlink()
    good = model.export(folder / "n.zip")
    assert Model.import_zip(good, tmp_path / "into").path == tmp_path / "into" / "n"


def test_one_bad_folder_does_not_hide_the_installed_models(model: Model, tmp_path: Path) -> None:
    Model.import_zip(model.export(tmp_path / "mine.zip"))
    for name, spec in (("endless", {"in_channels": float("inf")}), ("deep", {"filters": deep_list(500)})):
        save(models_folder() / name)
        edit_card(models_folder() / name, network=SPEC.to_dict() | spec)
    try:
        (models_folder() / "gone").symlink_to(tmp_path / "nowhere")
    except OSError:  # links need a privilege on Windows
        (models_folder() / "gone").touch()
    assert [found.path.name for found in installed_models()] == ["mine"]
    with pytest.raises(ModelError, match=r"There is no model other"):
        Model.load("other")


def deep_list(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


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
