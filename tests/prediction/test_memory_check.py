"""An image that is too large to be decoded as a whole is refused before the work begins."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from segloop.config.predict import PredictConfig
from segloop.core.errors import ImageError
from segloop.images.image import Image
from segloop.images.read import open_image
from segloop.prediction.in_memory import predict_in_memory
from segloop.prediction.kept import KeptPrediction
from segloop.prediction.predict import predict_image
from segloop.prediction.rethreshold import rethreshold_folder
from segloop.targets import make_target, quantise
from segloop.targets.output import LABELS, PROBABILITY

TOO_LARGE = r"`000\.tif` is too large for the free memory: .* GB, and 0\.0 GB are free\. .*probability only\."

Load = Callable[..., Any]


@pytest.fixture
def image(sample_nuclei: Path) -> Image:
    return open_image(sample_nuclei / "raw" / "000.tif")


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From its call on, the memory is full."""
    return lambda: monkeypatch.setattr("segloop.prediction.memory_check.free_memory", lambda: 1000)


def test_labels_are_refused_and_the_earlier_ones_stay(
    nuclei_model: Path, load: Load, image: Image, full: Callable[[], None], tmp_path: Path
) -> None:
    model, engine = load(nuclei_model)
    result = predict_image(model, engine, image, PredictConfig(), tmp_path, "a")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    full()
    with pytest.raises(ImageError, match=TOO_LARGE):
        predict_image(model, engine, image, PredictConfig(again=True), tmp_path, "a")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert LABELS in result.outputs
    with pytest.raises(ImageError, match=TOO_LARGE):
        predict_in_memory(model, engine, image, PredictConfig())


@pytest.mark.parametrize("outputs", [["probability"], ["mask", "probability"]])
def test_what_is_written_block_by_block_needs_no_memory(
    nuclei_model: Path,
    load: Load,
    image: Image,
    full: Callable[[], None],
    tmp_path: Path,
    outputs: list[str],
) -> None:
    full()
    config = PredictConfig(outputs=outputs, threshold={"min_size": 0})
    result = predict_image(*load(nuclei_model), image, config, tmp_path, "a")
    assert len(result.outputs) == len(outputs)


def test_kept_probabilities_are_refused_too(
    nuclei_model: Path, load: Load, image: Image, full: Callable[[], None], tmp_path: Path
) -> None:
    config = PredictConfig(outputs=["probability"])
    record = predict_image(*load(nuclei_model), image, config, tmp_path, "a").record
    full()
    summary = rethreshold_folder(tmp_path, {"foreground": 0.3})
    assert summary.n_done == 0
    assert "is too large for the free memory" in summary.problems[0]
    kept = KeptPrediction(record)
    with pytest.raises(ImageError, match=TOO_LARGE):
        kept.decode(kept.target.parameters)
    with pytest.raises(ImageError, match=TOO_LARGE):
        kept.save(tmp_path / "saved", "a", [LABELS], kept.target.parameters)
    assert kept.save(tmp_path / "saved", "a", [PROBABILITY], kept.target.parameters)


@pytest.mark.parametrize(
    ("target", "options", "shape"),
    [
        ("instance", {}, (1, 1500, 1500)),
        ("instance", {}, (9, 500, 500)),
        ("semantic", {"classes": 3}, (1, 1500, 1500)),
    ],
)
def test_the_estimate_is_about_what_decoding_takes(
    sample_nuclei: Path, target: str, options: dict[str, Any], shape: tuple[int, int, int]
) -> None:
    plane = tifffile.imread(sample_nuclei / "seg" / "000.tif")
    repeats = [-(-size // length) for size, length in zip(shape[1:], plane.shape, strict=True)]
    tiled = np.tile(plane, repeats)[: shape[1], : shape[2]].astype(np.int32)
    labels = np.stack([tiled] * shape[0])
    made = make_target(target, options)
    maps = quantise(made.encode(labels if made.needs_objects else (labels > 0).astype(np.int32)).maps)
    made.decode(maps[:, :, :64, :64])  # imports libraries

    tracemalloc.start()
    try:
        made.decode(maps)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert 0.5 < peak / made.decoding_memory(shape) < 1
