"""Labels spoilt by JPEG or interpolation are recognised, sound ones are not, and the remedy works."""

from __future__ import annotations

import os
from pathlib import Path

import imagecodecs
import imageio.v3 as iio
import numpy as np
import pytest
import tifffile
from scipy.ndimage import label, zoom

from segloop.images.label_quality import label_defect

DATA = Path(os.environ.get("SEGLOOP_TEST_DATA", ""))
LABELS = sorted(DATA.glob("*/*/seg*/*.tif"))[::5]


def kind(labels: np.ndarray) -> str | None:
    found = label_defect(labels[None] if labels.ndim == 2 else labels)
    return found.kind if found else None


@pytest.fixture(params=["000", "105", "240"])
def truth(sample_nuclei: Path, request: pytest.FixtureRequest) -> np.ndarray:
    return tifffile.imread(sample_nuclei / "seg" / f"{request.param}.tif")


def mask_of(labels: np.ndarray) -> np.ndarray:
    return np.where(labels > 0, 255, 0).astype(np.uint8)


@pytest.mark.parametrize("level", [60, 75, 90, 95])
def test_a_jpeg_mask_is_recognised_and_the_remedy_gives_its_objects_back(
    truth: np.ndarray, level: int
) -> None:
    mask = mask_of(truth)
    lossy = imagecodecs.jpeg8_decode(imagecodecs.jpeg8_encode(mask, level=level))
    found = label_defect(lossy[None])
    assert found is not None
    assert found.kind == "grey mask"
    assert "threshold it at 128" in found.remedy
    assert "connected components" in found.remedy
    n_true = label(mask, np.ones((3, 3)))[1]
    assert len(np.unique(lossy)) > 5
    assert abs(label(lossy >= 128, np.ones((3, 3)))[1] - n_true) <= 1


@pytest.mark.parametrize("factor", [0.5, 1.5, 2])
def test_interpolation_is_recognised_but_nearest_neighbour_is_sound(truth: np.ndarray, factor: float) -> None:
    smooth = np.clip(np.rint(zoom(mask_of(truth).astype(float), factor, order=1)), 0, 255).astype(np.uint8)
    assert kind(smooth) == "grey mask"
    assert kind(np.rint(zoom(truth.astype(float), factor, order=1)).astype(np.uint16)) == "specks"
    assert kind(zoom(truth, factor, order=0)) is None


def test_jpeg_labels_are_recognised(truth: np.ndarray) -> None:
    lossy = imagecodecs.jpeg8_decode(imagecodecs.jpeg8_encode((truth % 256).astype(np.uint8), level=90))
    assert kind(lossy) == "specks"


@pytest.mark.parametrize(
    "labels",
    [
        np.zeros((9, 9), np.uint8),
        np.full((9, 9), 255, np.uint8),
        np.arange(81, dtype=np.uint16).reshape(9, 9),
        np.kron(np.arange(1, 257).reshape(16, 16), np.ones((5, 5), int)).astype(np.uint16),
        np.random.default_rng(0).integers(0, 3, (60, 60)).astype(np.uint8),
        np.random.default_rng(0).choice([0, 127, 255], (60, 60)).astype(np.uint8),
    ],
    ids=["empty", "full", "pixels", "grid", "noisy classes", "spread classes"],
)
def test_unusual_but_possible_labels_are_sound(labels: np.ndarray) -> None:
    assert kind(labels) is None


@pytest.mark.skipif(not LABELS, reason="needs SEGLOOP_TEST_DATA")
def test_no_real_labels_are_suspected() -> None:
    assert len(LABELS) > 50
    assert {str(file): kind(tifffile.imread(file)) for file in LABELS if kind(tifffile.imread(file))} == {}


@pytest.mark.skipif(not LABELS, reason="needs SEGLOOP_TEST_DATA")
@pytest.mark.parametrize(
    ("file", "expected"), [("axon_mask_antialiased.png", "rare values"), ("axon_mask_0_127_255.png", None)]
)
def test_class_values_that_are_not_exact_are_recognised(file: str, expected: str | None) -> None:
    array = iio.imread(DATA / "formats" / file)
    assert kind(array[..., 0] if array.ndim == 3 else array) == expected
