"""Images whose contrast is the opposite of what a model knows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from model_fixtures import card
from segloop.app.model import Model
from segloop.app.predicting import predict_files
from segloop.app.sample import sample_folder
from segloop.artifacts.model.model import RecipeCard
from segloop.artifacts.prediction.provenance import Provenance
from segloop.config.predict import Contrast, PredictConfig
from segloop.core.jsonl import read_lines
from segloop.images.image import Image
from segloop.images.normalisation import Intensities, measure_intensities, normalise
from segloop.images.recipe import Recipe
from segloop.prediction.contrast import find_inverted
from tiny_models import random_model

DARK = {"median_range": [(0.02, 0.3)]}
"""Of a model whose training images have a dark background."""


@pytest.fixture
def nuclei() -> np.ndarray:
    """An image (Y, X) uint8 with a dark background."""
    return tifffile.imread(sample_folder() / "raw" / "000.tif")


def intensities(median: float) -> Intensities:
    """Return those of a channel between 0 and 1 with this median."""
    ranges = np.array([[0, 1]], np.float32)
    return Intensities(ranges, ranges[:, ::-1], np.array([median], np.float32))


@pytest.mark.parametrize(
    ("median", "known", "contrast", "inverted"),
    [
        (0.1, [(0.02, 0.3)], Contrast.auto, False),
        (0.9, [(0.02, 0.3)], Contrast.auto, True),
        (0.9, [(0.02, 0.3)], Contrast.keep, False),
        (0.1, [(0.02, 0.3)], Contrast.invert, True),
        (0.38, [(0.02, 0.3)], Contrast.auto, False),  # within the margin
        (0.5, [(0.02, 0.3)], Contrast.auto, False),  # unusual either way
        (0.1, [(0.7, 0.95)], Contrast.auto, True),
        (0.9, [(0.1, 0.9)], Contrast.auto, False),
        (0.9, [], Contrast.auto, False),  # of a model that does not know
        (np.nan, [(0.02, 0.3)], Contrast.auto, False),  # a constant channel
    ],
)
def test_an_image_is_inverted_if_its_median_is_usual_only_then(
    median: float, known: list[tuple[float, float]], contrast: Contrast, inverted: bool
) -> None:
    found = find_inverted(card(median_range=known), intensities(median), contrast)
    assert found.tolist() == [inverted]


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
def test_an_inverted_image_is_normalised_to_the_same_values(nuclei: np.ndarray, dtype: str) -> None:
    image = (nuclei.astype(np.float64) * (1 if dtype == "uint8" else 100)).astype(dtype)
    turned = (np.float64(image.max()) + 3 - image).astype(dtype)
    found = []
    for pixels, name in ((image, "ranges"), (turned, "inverted_ranges")):
        measured = measure_intensities(Image.from_array(pixels, "YX"), 0, [0], 1.0, 99.8)
        found.append(normalise(pixels[None, None], getattr(measured, name), -1, 4))
    assert np.abs(found[0] - found[1]).max() < 1e-3


def test_medians_lie_where_numpy_says(nuclei: np.ndarray) -> None:
    measured = measure_intensities(Image.from_array(nuclei, "YX"), 0, [0], 1.0, 99.8)
    low, high = np.percentile(nuclei, [1, 99.8])
    dark, bright = np.percentile(nuclei, [0.2, 99])
    assert measured.relative_medians[0] == pytest.approx((np.median(nuclei) - low) / (high - low), abs=1e-6)
    assert measured.inverted_relative_medians[0] == pytest.approx(
        (bright - np.median(nuclei)) / (bright - dark), abs=1e-6
    )


def test_dark_nuclei_on_white_are_found_as_bright_ones(tmp_path: Path, nuclei: np.ndarray) -> None:
    model = Model.load(random_model(tmp_path, **DARK))
    bright = model.predict(nuclei, outputs="probability")["probability"].astype(int)
    turned = model.predict(255 - nuclei, outputs="probability")["probability"].astype(int)
    kept = model.predict(255 - nuclei, PredictConfig(contrast=Contrast.keep), outputs="probability")
    assert np.abs(turned - bright).max() <= 1
    assert np.abs(kept["probability"].astype(int) - bright).max() > 20


def test_the_user_is_told_and_the_record_says_it(tmp_path: Path, nuclei: np.ndarray) -> None:
    tifffile.imwrite(tmp_path / "white.tif", 255 - nuclei)
    model = random_model(tmp_path, **DARK)
    predict_files(model, [tmp_path / "white.tif"], out=tmp_path / "out")
    said, _ = read_lines(tmp_path / "out" / ".segloop" / "events.jsonl")
    record = Provenance.read(tmp_path / "out" / "white.json")
    assert record.inverted == ["Channel 0"]
    sentences = [event["text"] for event in said if event.get("level") == "warning"]
    assert len(sentences) == 1
    assert "`white.tif` is inverted for the model: its median lies at" in sentences[0]
    assert "in training images at 2 to 30 %" in sentences[0]
    assert "contrast=keep" in sentences[0]

    predict_files(model, [tmp_path / "white.tif"], out=tmp_path / "kept", overrides=["contrast=keep"])
    assert Provenance.read(tmp_path / "kept" / "white.json").inverted == []


def test_one_channel_of_two_is_inverted(tmp_path: Path, nuclei: np.ndarray) -> None:
    both = RecipeCard.of(Recipe.of_channels(["nuclei", "membranes"]))
    path = random_model(tmp_path, channels=2, recipe=both, median_range=[(0.0, 0.3), (0.0, 0.3)])
    model = Model.load(path)
    as_known = np.stack([nuclei, nuclei[::-1]])
    turned = np.stack([nuclei, 255 - nuclei[::-1]])
    maps = [
        model.predict(pixels, axes="CYX", outputs="probability")["probability"]
        for pixels in (as_known, turned)
    ]
    assert np.abs(maps[0].astype(int) - maps[1]).max() <= 1


def test_a_training_notes_the_medians_of_its_images() -> None:
    from segloop.training.model_export import median_range

    medians = [(position, 0.8) for position in np.linspace(0.1, 0.3, 21)]
    assert median_range(medians) == [(0.11, 0.29), (0.8, 0.8)]
    assert median_range([(np.nan, 0.2), (0.3, 0.2)]) == [(0.3, 0.3), (0.2, 0.2)]
    assert median_range([(np.nan, 0.2)]) == []
    assert median_range([]) == []
