"""Packages that others made are imported and predict what bioimageio.core predicts, or are refused."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from segloop.app.importing import assumptions, import_model
from segloop.app.model import Model
from segloop.app.sample import make_sample_dataset
from segloop.app.training import plan_training
from segloop.config.compose import compose
from segloop.config.train import TrainConfig
from segloop.core.errors import ModelError
from segloop.exchange.zoo_export import export_to_zoo
from tiny_models import random_model

pytest.importorskip("bioimageio.core", reason='needs the packages of the extra "zoo"')

from zoo_packages import (
    complete_package,
    core_prediction,
    description,
    npy,
    onnx_file,
    random_weights,
    write_package,
)

# bioimageio.core leaves files open, and warns about its own use of its libraries.
pytestmark = pytest.mark.filterwarnings("ignore")

SIGMOID = [{"id": "sigmoid"}]
MEAN = [{"id": "zero_mean_unit_variance", "kwargs": {"axes": ["y", "x"]}}]


def image(*shape: int, seed: int = 5) -> np.ndarray:
    """Return an image as a camera takes it."""
    return np.random.default_rng(seed).gamma(3, 300, shape).astype(np.uint16)


def maps_of(model: Model, raw: np.ndarray) -> np.ndarray:
    """Return the maps (K, [Z,] Y, X) that a prediction keeps of an image (C, [Z,] Y, X), 0 to 1."""
    axes = "CYX" if raw.ndim == 3 else "CZYX"
    found = model.predict(raw, axes=axes, outputs="probability", overrides={"float_probability": True})
    maps = np.asarray(found["probability"], np.float32)
    return maps.reshape(-1, *raw.shape[1:])


@pytest.mark.parametrize(
    ("preprocessing", "channels", "dims"),
    [
        (MEAN, ("dna",), 2),
        ([{"id": "zero_mean_unit_variance", "kwargs": {"axes": ["channel", "y", "x"]}}], ("dna", "actin"), 2),
        (
            [
                {
                    "id": "scale_range",
                    "kwargs": {"axes": ["y", "x"], "min_percentile": 2, "max_percentile": 98},
                }
            ],
            ("a", "b"),
            2,
        ),
        ([{"id": "scale_range", "kwargs": {"min_percentile": 1, "max_percentile": 99.8}}], ("a", "b"), 2),
        (
            [
                {"id": "scale_range", "kwargs": {"axes": ["z", "y", "x"]}},
                {"id": "clip", "kwargs": {"min": 0.1, "max": 0.7}},
                {"id": "scale_linear", "kwargs": {"gain": 2.0, "offset": -1.0}},
            ],
            ("dna",),
            3,
        ),
        (
            [
                {
                    "id": "fixed_zero_mean_unit_variance",
                    "kwargs": {"axis": "channel", "mean": [900.0, 800.0], "std": [500.0, 450.0]},
                }
            ],
            ("a", "b"),
            2,
        ),
        (
            [{"id": "scale_linear", "kwargs": {"gain": 0.001}}, {"id": "clip", "kwargs": {"max": 1.5}}],
            ("dna",),
            2,
        ),
    ],
)
def test_a_package_by_others_predicts_what_it_does_elsewhere(
    tmp_path: Path, preprocessing: list[dict[str, Any]], channels: tuple[str, ...], dims: int
) -> None:
    sizes = (8, 24, 32)[-dims:]
    rdf = description(preprocessing, SIGMOID, inputs=channels, dims=dims)
    weights = onnx_file(random_weights(1, len(channels), dims))
    package = complete_package(tmp_path / "nuclei.zip", rdf, weights, image(1, len(channels), *sizes))

    model = Model.import_zip(package, tmp_path / "models")

    assert (model.card.name, model.card.description, model.card.license) == (
        "nuclei",
        "Finds nuclei.",
        "CC-BY-4.0",
    )
    assert model.card.recipe.channels == list(channels)
    assert model.card.pixel_size_um == (*([None] * (3 - dims)), *([0.25] * dims))
    assert model.card.provenance["package"]["authors"] == ["Someone Else"]
    assert assumptions(model) == ["Its output nuclei is taken as the probability of foreground."]
    other = image(1, len(channels), *(2 * size for size in sizes), seed=8)
    np.testing.assert_allclose(maps_of(model, other[0]), core_prediction(package, other)[0], atol=2e-3)


def test_it_is_found_by_its_name_and_predicts_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from segloop.cli.command import run

    monkeypatch.setenv("SEGLOOP_HOME", str(tmp_path / "home"))
    rdf = description(MEAN, [*SIGMOID, {"id": "binarize", "kwargs": {"threshold": 0.4}}])
    package = complete_package(tmp_path / "others", rdf, onnx_file(random_weights()), image(1, 1, 24, 32))
    (tmp_path / "images").mkdir()
    raw = image(1, 1, 60, 44, seed=9)
    tifffile.imwrite(tmp_path / "images" / "a.tif", raw[0, 0])

    assert run(["model", "import", str(package)]) == 0
    predict = ["predict", "others", str(tmp_path / "images"), "--out", str(tmp_path / "out")]
    assert run([*predict, "outputs=[mask]"]) == 0

    mask = tifffile.imread(next((tmp_path / "out").rglob("*.tif")))
    differ = mask != core_prediction(package, raw)[0, 0]
    assert mask.any()
    assert differ.mean() < 0.005  # probabilities are rounded to 8 bits


@pytest.mark.parametrize(
    ("outputs", "activation", "postprocessing", "says", "names"),
    [
        (("bg", "fg"), "", [{"id": "softmax"}], "the second as foreground", ["foreground"]),
        (("bg", "fg"), "Softmax", [], "the second as foreground", ["foreground"]),
        (("bg", "a", "b"), "Softmax", [], "as classes", ["background", "class 1", "class 2"]),
        (("nuclei",), "Sigmoid", [], "taken as the probability of foreground", ["foreground"]),
    ],
)
def test_outputs_become_foreground_or_classes(
    tmp_path: Path,
    outputs: tuple[str, ...],
    activation: str,
    postprocessing: list[dict[str, Any]],
    says: str,
    names: list[str],
) -> None:
    rdf = description(MEAN, postprocessing, outputs=outputs)
    weights = onnx_file(random_weights(len(outputs)), activation)
    package = complete_package(tmp_path / "classes.zip", rdf, weights, image(1, 1, 24, 32))

    model = import_model(package, tmp_path / "models")

    assert says in assumptions(model)[0]
    assert [each.name for each in model.target().maps] == names
    other = image(1, 1, 40, 40, seed=8)
    expected = core_prediction(package, other)[0]
    found = maps_of(Model.load(model.path), other[0])
    np.testing.assert_allclose(found, expected[-1:] if len(names) == 1 else expected, atol=2e-3)


def test_what_is_left_open_can_be_chosen(tmp_path: Path) -> None:
    rdf = description(MEAN, [], outputs=("foreground", "boundaries"))
    package = complete_package(
        tmp_path / "two.zip", rdf, onnx_file(random_weights(2), "Sigmoid"), image(1, 1, 24, 32)
    )
    with pytest.raises(
        ModelError, match=r"not clear what its 2 outputs \(foreground, boundaries\) mean.*--foreground"
    ):
        import_model(package, tmp_path / "models")
    with pytest.raises(ModelError, match=r"no output nuclei: choose among foreground, boundaries\."):
        import_model(package, tmp_path / "models", foreground="nuclei")
    model = Model.import_zip(package, tmp_path / "models", foreground="foreground")
    other = image(1, 1, 40, 40, seed=8)
    np.testing.assert_allclose(maps_of(model, other[0]), core_prediction(package, other)[0, :1], atol=2e-3)

    (tmp_path / "again").mkdir()
    with pytest.raises(ModelError, match="which output is the foreground, or leave out the boundary"):
        import_model(package, tmp_path / "again", boundary="boundaries")
    objects = Model.import_zip(package, tmp_path / "again", foreground="0", boundary="boundaries")
    first, second = core_prediction(package, other)[0]
    found = maps_of(objects, other[0])
    np.testing.assert_allclose(found, [first, np.clip(first - second, 0, 1)], atol=2e-3)
    assert objects.target().name == "instance"

    package = complete_package(
        tmp_path / "logits.zip", description(MEAN, []), onnx_file(random_weights()), image(1, 1, 24, 32)
    )
    with pytest.raises(ModelError, match=r"go from -.* to .*no probabilities; .* --activation"):
        import_model(package, tmp_path / "models")
    with pytest.raises(ModelError, match="no activation 'tanh'"):
        import_model(package, tmp_path / "models", activation="tanh")
    model = Model.import_zip(package, tmp_path / "models", activation="sigmoid")
    expected = 1 / (1 + np.exp(-core_prediction(package, other)[0]))
    np.testing.assert_allclose(maps_of(model, other[0]), expected, atol=2e-3)


def test_a_network_of_one_size_predicts_any_image(tmp_path: Path) -> None:
    rdf = description([{"id": "scale_linear", "kwargs": {"gain": 0.001}}], SIGMOID, size=32)
    weights = random_weights()
    package = complete_package(
        tmp_path / "fixed.zip", rdf, onnx_file(weights, sizes=(32, 32)), image(1, 1, 32, 32)
    )
    model = Model.import_zip(package, tmp_path / "models")

    free = complete_package(
        tmp_path / "free",
        description([{"id": "scale_linear", "kwargs": {"gain": 0.001}}], SIGMOID),
        onnx_file(weights),
        image(1, 1, 32, 32),
    )
    large = image(1, 1, 100, 76, seed=8)
    np.testing.assert_allclose(maps_of(model, large[0]), core_prediction(free, large)[0], atol=2e-3)
    assert maps_of(model, large[0, :, :20, :50]).shape == (1, 20, 50)


def test_a_description_of_version_0_4_is_read(tmp_path: Path) -> None:
    rdf = {
        "format_version": "0.4.10",
        "type": "model",
        "name": "Older nuclei",
        "description": "Finds nuclei.",
        "authors": [{"name": "Someone Else"}],
        "cite": [{"text": "A paper", "doi": "10.1000/182"}],
        "license": "MIT",
        "documentation": "README.md",
        "timestamp": "2022-05-02T10:00:00",
        "tags": [],
        "inputs": [
            {
                "name": "raw",
                "axes": "bcyx",
                "data_type": "float32",
                "shape": {"min": [1, 1, 16, 16], "step": [0, 0, 4, 4]},
                "preprocessing": [
                    {"name": "zero_mean_unit_variance", "kwargs": {"mode": "per_sample", "axes": "yx"}}
                ],
            }
        ],
        "outputs": [
            {
                "name": "prediction",
                "axes": "bcyx",
                "data_type": "float32",
                "shape": {"reference_tensor": "raw", "scale": [1, 1, 1, 1], "offset": [0, 0, 0, 0]},
                "halo": [0, 0, 4, 4],
                "postprocessing": [{"name": "sigmoid"}],
            }
        ],
        "test_inputs": ["test_input.npy"],
        "test_outputs": ["test_output.npy"],
        "weights": {"onnx": {"source": "weights.onnx", "opset_version": 17}},
    }
    newer = complete_package(
        tmp_path / "newer", description(MEAN, SIGMOID), onnx_file(random_weights()), image(1, 1, 24, 32)
    )
    expected = np.load(newer / "test_output.npy")
    package = write_package(
        tmp_path / "older.zip", rdf, onnx_file(random_weights()), image(1, 1, 24, 32), expected
    )

    model = Model.import_zip(package, tmp_path / "models")

    assert (model.card.halo, model.card.stride, model.card.license) == ([4, 4], [4, 4], "MIT")
    other = image(1, 1, 40, 40, seed=8)
    np.testing.assert_allclose(maps_of(model, other[0]), core_prediction(newer, other)[0], atol=2e-3)


def test_a_package_of_segloop_brings_its_own_model(tmp_path: Path) -> None:
    model = Model.load(random_model(tmp_path))
    package = export_to_zoo(model, tmp_path / "again.zip", ["Someone Who Labels"])

    again = import_model(package, tmp_path / "models")

    assert again.path == tmp_path / "models" / "again"
    assert (again.sha256, again.card) == (model.sha256, model.card)


def test_an_imported_model_is_verified_exported_and_not_trained(tmp_path: Path) -> None:
    from segloop.networks import NETWORKS

    rdf = description(MEAN, SIGMOID)
    package = complete_package(tmp_path / "nuclei.zip", rdf, onnx_file(random_weights()), image(1, 1, 24, 32))
    model = Model.import_zip(package, tmp_path / "models")
    model.verify()

    again = Model.import_zip(model.export(tmp_path / "again.zip"), tmp_path / "models")
    assert again.card == model.card
    with pytest.raises(ModelError, match="was imported from a package of the zoo: share that"):
        export_to_zoo(model, tmp_path / "zoo.zip", ["Someone"])
    assert "onnx" not in NETWORKS
    dataset = make_sample_dataset(tmp_path / "dataset", accept_all=True).path
    config = compose(TrainConfig, [f"dataset={dataset}", f"init={model.path}", "target=semantic"])
    with pytest.raises(ModelError, match="is an ONNX network, which can't be trained"):
        plan_training(config)


# Refusals.


def good(path: Path, change: Callable[[dict[str, Any]], object] = lambda rdf: None, **parts: Any) -> Path:
    """Write a package that could be imported but for what is changed."""
    rdf = description(MEAN, SIGMOID)
    change(rdf)
    given = image(1, 1, 16, 16)
    scaled = (given - given.mean()) / given.std()
    import torch

    logits = torch.nn.functional.conv2d(
        torch.from_numpy(scaled.astype(np.float32)), torch.from_numpy(random_weights()), padding=2
    )
    parts = {
        "weights": onnx_file(random_weights()),
        "given": given,
        "expected": logits.sigmoid().numpy(),
    } | parts
    return write_package(path, rdf, **parts)


def only(name: str, **values: Any) -> Callable[[dict[str, Any]], object]:
    """Return a change of the description after which it has other weights only."""
    return lambda rdf: rdf.update(weights={name: {"source": "weights.pt", **values}})


def processing(side: str, *steps: dict[str, Any]) -> Callable[[dict[str, Any]], object]:
    key = {"inputs": "preprocessing", "outputs": "postprocessing"}[side]
    return lambda rdf: rdf[side][0].update({key: list(steps)})


def source(where: str, name: str) -> Callable[[dict[str, Any]], object]:
    if where == "weights":
        return lambda rdf: rdf["weights"]["onnx"].update(source=name)
    return lambda rdf: rdf[where][0]["test_tensor"].update(source=name)


REFUSED = {
    "torchscript": (only("torchscript", pytorch_version="2.0"), {}, "torchscript, but only onnx can be used"),
    "pickle": (
        only(
            "pytorch_state_dict",
            pytorch_version="2.0",
            architecture={"callable": "UNet", "source": "unet.py"},
        ),
        {},
        "pytorch_state_dict, but only onnx can be used",
    ),
    "wrong test": (
        lambda rdf: None,
        {"expected": np.full((1, 1, 16, 16), 0.5, np.float32)},
        "output of its own test",
    ),
    "pickled test": (
        lambda rdf: None,
        {"test_input.npy": npy(np.array([{}], object), allow_pickle=True)},
        "test_input.npy is no plain .npy file",
    ),
    "traversal": (source("weights", "../weights.onnx"), {}, "a file outside of it"),
    "absolute": (source("inputs", "/etc/passwd"), {}, "outside of it|not valid"),
    "missing": (source("outputs", "other.npy"), {}, "its file other.npy is missing"),
    "internet": (source("weights", "https://example.org/weights.onnx"), {}, "is on the internet"),
    "hash": (
        lambda rdf: rdf["weights"]["onnx"].update(sha256="0" * 64),
        {},
        "is not the one that it describes",
    ),
    "no ONNX": (lambda rdf: None, {"weights": b"\x80\x04N."}, "the ONNX network can't be read"),
    "bomb": (lambda rdf: None, {"weights": bytes(100 * 2**20)}, "weights.onnx is too large to be genuine"),
    "not YAML": (lambda rdf: None, {"rdf.yaml": b"{a: ["}, "description can't be read"),
    "tagged": (
        lambda rdf: None,
        {"rdf.yaml": b"!!python/object/apply:os.getcwd []"},
        "description is not valid",
    ),
    "laughs": (
        lambda rdf: None,
        {
            "rdf.yaml": b"a: &a [1, 2]\n"
            + b"".join(b"%c: &%c [*%c, *%c]\n" % (x + 1, x + 1, x, x) for x in range(97, 120))
        },
        "holds too many values",
    ),
    "endless": (lambda rdf: None, {"rdf.yaml": b"a: &a [*a]"}, "refers to what it does not hold"),
    "no model": (lambda rdf: rdf.update(type="dataset"), {}, "not a model|not valid"),
    "incomplete": (lambda rdf: rdf.pop("inputs"), {}, "description is not valid .*inputs"),
    "two images": (
        lambda rdf: rdf["inputs"].append(rdf["inputs"][0] | {"id": "other"}),
        {},
        "takes 2 arrays",
    ),
    "code": (
        processing("outputs", {"id": "custom", "callable": "run", "source": "run.py", "kwargs": {}}),
        {"run.py": b"raise SystemExit"},
        "code of its own, which is never run|not valid",
    ),
    "objects": (
        processing("outputs", {"id": "scale_range", "kwargs": {"axes": ["y", "x"]}}),
        {},
        "its postprocessing has the step scale_range",
    ),
    "planes": (
        processing("inputs", {"id": "scale_range", "kwargs": {"axes": ["x"]}}),
        {},
        "measures parts of an image",
    ),
    "twice": (processing("inputs", *MEAN, *MEAN), {}, "measures intensities twice"),
    "clipped": (
        processing("inputs", {"id": "clip", "kwargs": {"max": 9.0}}, *MEAN),
        {},
        "changes intensities before it measures them",
    ),
    "boundary": (
        lambda rdf: rdf["outputs"][0]["axes"][1].update(channel_names=["boundary"]),
        {},
        r"not clear what its 1 output \(boundary\) mean",
    ),
}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *((name, "package.zip") for name in REFUSED),
        *((name, "package") for name in ("traversal", "missing", "bomb", "wrong test", "pickled test")),
    ],
)
def test_what_can_not_be_used_is_refused_in_one_sentence_and_nothing_is_left(
    tmp_path: Path, name: str, kind: str
) -> None:
    change, parts, problem = REFUSED[name]
    if name == "bomb" and kind == "package":
        problem = "the ONNX network"
    package = good(tmp_path / kind, change, **parts)

    with pytest.raises(ModelError, match=problem) as refused:
        import_model(package, tmp_path / "models")

    sentence = str(refused.value)
    assert sentence.startswith(f"{package} can't be imported: ")
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert not (tmp_path / "models").exists()


def test_the_package_that_the_others_are_made_from_is_good(tmp_path: Path) -> None:
    assert import_model(good(tmp_path / "package.zip"), tmp_path / "models").card.name == "package"


def test_a_zip_with_files_outside_of_it_is_refused(tmp_path: Path) -> None:
    package = good(tmp_path / "package.zip")
    with zipfile.ZipFile(package, "a") as archive:
        archive.writestr("../../evil", b"")
    with pytest.raises(ModelError, match=r"names '\.\./\.\./evil', a file outside of it"):
        import_model(package, tmp_path / "models")


def test_a_folder_with_links_is_refused(tmp_path: Path) -> None:
    package = good(tmp_path / "package")
    (package / "weights.onnx").rename(tmp_path / "secret")
    (package / "weights.onnx").symlink_to(tmp_path / "secret")
    with pytest.raises(ModelError, match="it is a link to another file"):
        import_model(package, tmp_path / "models")


def test_what_is_there_already_stays(tmp_path: Path) -> None:
    package = good(tmp_path / "package.zip")
    import_model(package, tmp_path / "models")
    with pytest.raises(ModelError, match="package already exists: delete it first"):
        import_model(package, tmp_path / "models")


def test_a_package_that_was_not_imported_says_so(tmp_path: Path) -> None:
    for kind in ("package.zip", "package"):
        with pytest.raises(ModelError, match="import it first by `segloop model import`"):
            Model.load(good(tmp_path / kind))


def test_without_the_extra_a_sentence_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    package = good(tmp_path / "package.zip")
    monkeypatch.setitem(sys.modules, "bioimageio.spec", None)
    with pytest.raises(ModelError, match=r'need bioimageio.spec: pip install "napari-segloop\[zoo\]"'):
        import_model(package, tmp_path / "models")
