import io
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from model_fixtures import SPEC, card, edit_card, forge, network, save
from segloop.artifacts.model.card import VERSION
from segloop.artifacts.model.model import (
    Model,
    find_model,
    installed_models,
)
from segloop.core.errors import ModelError
from segloop.core.user_folders import models_folder
from segloop.networks import NetworkSpec, build_network
from segloop.targets.instance import SliceParameters


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return save(tmp_path / "saved")


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
        Model.save(tmp_path / "m", card(), network(), np.zeros((1, 15, 16), np.uint8))
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
    with pytest.raises(ModelError, match="already exists"):
        model.export(file)


def test_an_imported_model_goes_by_the_name_of_its_zip(model: Model, tmp_path: Path) -> None:
    imported = Model.import_zip(model.export(tmp_path / "large nuclei.zip"))
    assert imported.path == models_folder() / "large nuclei"
    assert find_model("large nuclei") == imported.path
    assert [found.card.name for found in installed_models()] == ["my nuclei", "nuclei-2d"]
    Model.load("large nuclei").verify()


def test_importing_a_name_twice_is_refused(model: Model, tmp_path: Path) -> None:
    file = model.export(tmp_path / "m.zip")
    Model.import_zip(file, tmp_path / "mine")
    with pytest.raises(ModelError, match="already exists"):
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
    assert [found.path.name for found in installed_models()] == ["mine", "nuclei-2d"]
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
    Model.import_zip(model.export(tmp_path / "mine.zip"))
    with pytest.raises(ModelError, match=r"There is no model plants.*\(mine, nuclei-2d\)"):
        Model.load("plants")


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
    changes = card(network=spec.to_dict(), stride=[1, 1], halo=[2, 2])
    saved = Model.save(tmp_path / "m", changes, tied, image)
    Model.load(saved.path).verify()


def test_every_saved_tensor_keeps_its_value_and_type(model: Model) -> None:
    expected, found = network().state_dict(), Model.load(model.path).network().state_dict()
    for name, tensor in expected.items():
        assert torch.equal(tensor, found[name])
        assert tensor.dtype == found[name].dtype


def aged(path: Path) -> None:
    for each in (*path.rglob("*"), path):
        os.utime(each, (1, 1))


def test_importing_and_exporting_clear_what_killed_ones_have_left(model: Model, tmp_path: Path) -> None:
    into, others = tmp_path / "models", ".01234567.partial-image.ome.zarr"
    shutil.copytree(model.path, into / ".89abcdef.partial-other")
    (into / others / "0").mkdir(parents=True)
    aged(into)
    torn = tmp_path / ".89abcdef.partial-m.zip"
    torn.write_text("torn")
    aged(torn)

    Model.import_zip(model.export(tmp_path / "m.zip"), into)

    assert {path.name for path in into.iterdir()} == {"m", others}
    assert not torn.exists()


def test_importing_leaves_what_another_import_is_writing(model: Model, tmp_path: Path) -> None:
    other = tmp_path / "models" / ".89abcdef.partial-other"
    shutil.copytree(model.path, other)
    os.utime(other / "model.json")

    Model.import_zip(model.export(tmp_path / "m.zip"), tmp_path / "models")

    assert other.is_dir()
