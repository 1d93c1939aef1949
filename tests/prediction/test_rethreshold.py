"""Kept probabilities decoded again: the same as a new prediction with those thresholds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from skimage.filters import threshold_otsu

from segloop.artifacts.prediction.provenance import Provenance
from segloop.config.predict import OutputFormat, PredictConfig
from segloop.core.context import Context
from segloop.core.errors import Cancelled, ImageError
from segloop.images.image import Image
from segloop.images.read import open_image
from segloop.images.write import write_image
from segloop.prediction.predict import predict_image
from segloop.prediction.rethreshold import rethreshold_folder
from segloop.targets.output import LABELS, MASK

NEW = {"foreground": 0.3, "min_size": 60, "splitting": 0.02}

Predict = Callable[..., Path]


@pytest.fixture
def image(sample_nuclei: Path) -> Image:
    return open_image(sample_nuclei / "raw" / "000.tif")


def _read(path: Path) -> np.ndarray:
    return np.squeeze(open_image(path).data.compute())


@pytest.mark.parametrize("file_format", ["tiff", "zarr"])
@pytest.mark.parametrize("as_float", [False, True])
def test_labels_equal_those_of_a_new_prediction(
    nuclei_model: Path,
    load: Callable[..., Any],
    image: Image,
    tmp_path: Path,
    file_format: str,
    as_float: bool,
) -> None:
    settings: dict[str, Any] = {
        "outputs": ["labels", "mask", "probability"],
        "format": OutputFormat(file_format),
        "float_probability": as_float,
    }
    predict_image(*load(nuclei_model), image, PredictConfig(**settings), tmp_path / "kept", "a")
    redone = predict_image(
        *load(nuclei_model), image, PredictConfig(**settings, threshold=NEW), tmp_path / "new", "a"
    )
    before = _read(next((tmp_path / "kept").glob("a.labels.*")))
    summary = rethreshold_folder(tmp_path / "kept", NEW)
    assert (summary.n_done, summary.problems) == (1, ())
    for kind in (LABELS, MASK):
        assert np.array_equal(
            _read(tmp_path / "kept" / redone.outputs[kind].name), _read(redone.outputs[kind])
        )
    assert not np.array_equal(_read(tmp_path / "kept" / redone.outputs[LABELS].name), before)


def test_a_lone_probability_gets_labels_beside_it(
    nuclei_model: Path, load: Callable[..., Any], image: Image, tmp_path: Path
) -> None:
    predict_image(*load(nuclei_model), image, PredictConfig(outputs=["probability"]), tmp_path, "day1/a")
    kept = (tmp_path / "day1" / "a.tif").read_bytes()
    summary = rethreshold_folder(tmp_path, NEW)
    assert summary.outputs == (tmp_path / "day1" / "a.labels.tif",)
    assert (tmp_path / "day1" / "a.tif").read_bytes() == kept
    assert sorted(path.name for path in (tmp_path / "day1").iterdir()) == ["a.json", "a.labels.tif", "a.tif"]


def test_the_record_tells_the_new_thresholds(
    nuclei_model: Path, load: Callable[..., Any], image: Image, tmp_path: Path
) -> None:
    predict_image(*load(nuclei_model), image, PredictConfig(outputs=["probability"]), tmp_path, "a")
    rethreshold_folder(tmp_path, {"foreground": 0.7})
    record = Provenance.read(tmp_path / "a.json")
    assert (record.parameters["foreground"], record.parameters["min_size"]) == (
        0.7,
        record.model.parameters["min_size"],
    )
    assert record.rethresholded
    assert {output.kind: output.path for output in record.outputs} == {
        "labels": "a.labels.tif",
        "probability": "a.tif",
    }
    assert record.n_objects == tifffile.imread(tmp_path / "a.labels.tif").max()


def test_decoding_twice_is_decoding_once(
    nuclei_model: Path, load: Callable[..., Any], image: Image, tmp_path: Path
) -> None:
    predict_image(*load(nuclei_model), image, PredictConfig(outputs=["labels", "probability"]), tmp_path, "a")
    original = tifffile.imread(tmp_path / "a.labels.tif")
    rethreshold_folder(tmp_path, NEW)
    rethreshold_folder(tmp_path, {})
    assert np.array_equal(tifffile.imread(tmp_path / "a.labels.tif"), original)


def test_otsu_splits_the_foreground_map_as_skimage_does(
    make_model: Callable[..., Path], load: Callable[..., Any], image: Image, tmp_path: Path
) -> None:
    folder = make_model(kind="semantic", parameters={"min_size": 0})
    predict_image(*load(folder), image, PredictConfig(outputs=["probability"]), tmp_path / "out", "a")
    probability = tifffile.imread(tmp_path / "out" / "a.tif")
    rethreshold_folder(tmp_path / "out", {}, otsu=True)
    mask = tifffile.imread(tmp_path / "out" / "a.mask.tif")
    assert np.array_equal(mask == 1, probability > threshold_otsu(probability))


@pytest.mark.parametrize("classes", [2, 3])
def test_otsu_of_an_empty_map_finds_nothing(
    make_model: Callable[..., Path], load: Callable[..., Any], tmp_path: Path, classes: int
) -> None:
    model, engine = load(make_model(kind="semantic", classes=classes))
    black = Image.from_array(np.zeros((40, 40), np.uint8), "YX")
    predict_image(model, engine, black, PredictConfig(outputs=["probability"]), tmp_path / "out", "a")
    maps = np.zeros_like(tifffile.imread(tmp_path / "out" / "a.tif"))
    if classes > 2:
        maps[0] = 255
    write_image(tmp_path / "out" / "a.tif", maps, axes="CYX" if classes > 2 else "YX")
    summary = rethreshold_folder(tmp_path / "out", {}, otsu=True)
    assert not tifffile.imread(summary.outputs[0]).any()


def test_a_stack_of_slices_and_time_points_keeps_its_way_of_decoding(
    nuclei_model: Path, load: Callable[..., Any], test_data: Path, tmp_path: Path
) -> None:
    image = open_image(test_data / "formats" / "tczyx_uint16_5d.ome.tif")
    settings: dict[str, Any] = {
        "outputs": ["labels", "probability"],
        "channels": ["1"],
        "slice_by_slice": True,
    }
    predict_image(*load(nuclei_model), image, PredictConfig(**settings), tmp_path / "kept", "a")
    predict_image(*load(nuclei_model), image, PredictConfig(**settings, threshold=NEW), tmp_path / "new", "a")
    rethreshold_folder(tmp_path / "kept", NEW)
    again, redone = (tifffile.imread(tmp_path / name / "a.labels.tif") for name in ("kept", "new"))
    assert redone.shape == (2, 3, 169, 169)
    assert np.array_equal(again, redone)


def test_a_lost_probability_is_reported_and_the_others_are_done(
    nuclei_model: Path, load: Callable[..., Any], image: Image, tmp_path: Path
) -> None:
    for stem in ("a", "b", "c"):
        predict_image(*load(nuclei_model), image, PredictConfig(outputs=["probability"]), tmp_path, stem)
    (tmp_path / "b.tif").unlink()
    record = (tmp_path / "b.json").read_text()
    summary = rethreshold_folder(tmp_path, NEW)
    assert summary.n_done == 2
    assert "b.tif" in summary.problems[0]
    assert (tmp_path / "b.json").read_text() == record


def test_a_file_of_the_users_is_not_replaced(
    nuclei_model: Path, load: Callable[..., Any], image: Image, tmp_path: Path
) -> None:
    predict_image(*load(nuclei_model), image, PredictConfig(outputs=["probability"]), tmp_path, "a")
    (tmp_path / "a.labels.tif").write_bytes(b"mine")
    summary = rethreshold_folder(tmp_path, NEW)
    assert "a.labels.tif is already there and does not belong to a prediction" in summary.problems[0]
    assert (tmp_path / "a.labels.tif").read_bytes() == b"mine"


def test_a_folder_without_probabilities_is_named(
    nuclei_model: Path, load: Callable[..., Any], image: Image, tmp_path: Path
) -> None:
    predict_image(*load(nuclei_model), image, PredictConfig(), tmp_path, "a")
    with pytest.raises(ImageError, match="keeps no probabilities"):
        rethreshold_folder(tmp_path, NEW)


def test_cancel_keeps_what_was_there(
    nuclei_model: Path, load: Callable[..., Any], image: Image, tmp_path: Path
) -> None:
    predict_image(*load(nuclei_model), image, PredictConfig(outputs=["labels", "probability"]), tmp_path, "a")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(Cancelled):
        rethreshold_folder(tmp_path, NEW, Context(cancelled=lambda: True))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
