"""Datasets of any size."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.images.pairing import Pair


def sample_dataset(folder: Path, n_samples: int) -> CuratedDataset:
    """Make a dataset whose samples share the bundled images."""
    images = Path(str(files("segloop") / "app" / "sample_nuclei"))
    raws = sorted((images / "raw").glob("*.tif"))
    pairs = []
    for number in range(n_samples):
        raw = raws[number % len(raws)]
        pairs.append(Pair(f"image_{number:05}", raw, images / "seg" / raw.name))
    return CuratedDataset.create(folder, pairs)
