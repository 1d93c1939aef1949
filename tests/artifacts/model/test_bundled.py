"""The models that come with Segloop."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from scipy.ndimage import gaussian_filter

from model_fixtures import save
from segloop import Model as PredictingModel
from segloop import evaluate
from segloop.app.predicting import predict_files
from segloop.artifacts.model.bundled import bundled_folder
from segloop.artifacts.model.model import Model, find_model, installed_models
from segloop.core.user_folders import models_folder

NAMES = ["nuclei-2d"]


def test_the_bundled_models_are_found_by_name() -> None:
    assert [model.path for model in installed_models()] == [bundled_folder() / name for name in NAMES]
    assert [find_model(name) for name in NAMES] == [bundled_folder() / name for name in NAMES]


@pytest.mark.parametrize("name", NAMES)
def test_a_bundled_model_verifies_and_says_what_it_is(name: str) -> None:
    model = Model.load(name)
    model.verify()
    card = model.card
    assert card.name == name
    assert card.description.endswith(".")
    assert card.license == "BSD-3-Clause"
    assert len(card.cite) == 2
    assert set(card.provenance["held_aside_ap"]) == {"dsb2018_fluo", "mnfinder_nuclei"}


@pytest.mark.parametrize("name", NAMES)
def test_a_bundled_model_is_small_and_names_no_folder_of_its_makers(name: str) -> None:
    folder = bundled_folder() / name
    assert sum(file.stat().st_size for file in folder.iterdir()) < 10e6
    values = json.loads((folder / "model.json").read_text("utf-8"))
    assert [text for text in _texts(values) if text.startswith(("/", "\\", "~")) or ":\\" in text] == []


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for part in parts for text in _texts(part)]


def test_a_model_of_the_user_goes_before_a_bundled_one_of_the_same_name(tmp_path: Path) -> None:
    models_folder().mkdir(parents=True)
    own = save(models_folder() / "nuclei-2d")
    assert find_model("nuclei-2d") == own.path
    assert [model.path for model in installed_models()] == [own.path]


@pytest.mark.slow
def test_nuclei_that_it_has_not_seen_are_found(sample_nuclei: Path, tmp_path: Path) -> None:
    predict_files("nuclei-2d", [sample_nuclei / "raw"], out=tmp_path / "out")
    truth, raw = sample_nuclei / "seg", sample_nuclei / "raw"
    metrics = evaluate(tmp_path / "out", truth, out=tmp_path / "scores", raw=raw).metrics
    assert metrics["n_images"] == 29
    assert metrics["instance"]["ap"]["0.50"] > metrics["baseline"]["instance"]["ap"]["0.50"] + 0.1
    assert metrics["semantic"]["dice"] > 0.93


def _empty_image(number: int) -> np.ndarray:
    """Return an image (Y, X) without any object: a constant one, or noise of one of several kinds."""
    y, x = np.mgrid[:256, :256].astype(float)
    rng = np.random.default_rng(1000 + number)
    makers: list[Callable[[], np.ndarray]] = [
        lambda: np.zeros(y.shape),
        lambda: np.full(y.shape, 17),
        lambda: rng.normal(500, 30, y.shape),
        lambda: rng.poisson(3, y.shape),
        lambda: rng.poisson(200, y.shape),
        lambda: rng.integers(0, 256, y.shape),
        lambda: 1000 + 200 * gaussian_filter(rng.normal(size=y.shape), 1.0),
        lambda: 1000 + 2 * x + y + rng.normal(0, 20, y.shape),
        lambda: rng.poisson(100 * np.exp(-((y - 128) ** 2 + (x - 128) ** 2) / 30_000)),
        lambda: np.where(rng.random(y.shape) < 3e-4, 4000, rng.normal(100, 5, y.shape)),
    ]
    return makers[number % len(makers)]().clip(0, 65535).astype(np.uint16)


UNEVEN = 7, 8
"""Kinds of `_empty_image` with uneven light: its bright half or middle may be taken for an object."""


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_found_where_nothing_is(name: str) -> None:
    model = PredictingModel.load(name)
    found = [int(model.predict(_empty_image(k), axes="YX")["labels"].max()) for k in range(50)]
    assert [n for k, n in enumerate(found) if k % 10 not in UNEVEN] == [0] * 40
    assert max(found) <= 1


@pytest.mark.parametrize("name", NAMES)
def test_opposite_contrast_changes_nothing(name: str, sample_nuclei: Path) -> None:
    model = PredictingModel.load(name)
    image = tifffile.imread(sample_nuclei / "raw" / "000.tif")
    labels = model.predict(image, axes="YX")["labels"]
    turned = model.predict(255 - image, axes="YX")["labels"]
    assert turned.max() == labels.max() > 10
    assert np.mean((turned > 0) != (labels > 0)) < 0.01
