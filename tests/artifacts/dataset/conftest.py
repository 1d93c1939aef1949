"""Real images, curated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from scipy.ndimage import gaussian_filter
from skimage.filters import threshold_otsu
from skimage.measure import label

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.images.pairing import Pair

NUCLEI = ("000", "015", "030", "045", "060", "075")


@pytest.fixture(scope="session")
def nuclei_pairs(sample_nuclei: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Pair]:
    """Six real images with their annotation, and Otsu's labels as the segmentation `otsu`."""
    folder = tmp_path_factory.mktemp("otsu")
    pairs = []
    for stem in NUCLEI:
        raw = sample_nuclei / "raw" / f"{stem}.tif"
        smooth = gaussian_filter(tifffile.imread(raw).astype(float), 1)
        labels = label(smooth > threshold_otsu(smooth)).astype(np.uint16)
        tifffile.imwrite(folder / f"{stem}.tif", labels)
        others = {"otsu": folder / f"{stem}.tif"}
        pairs.append(Pair(stem, raw, sample_nuclei / "seg" / f"{stem}.tif", others))
    return pairs


@pytest.fixture
def dataset(nuclei_pairs: list[Pair], tmp_path: Path) -> CuratedDataset:
    """A new dataset of those images, all undecided."""
    return CuratedDataset.create(tmp_path / "study" / "nuclei", nuclei_pairs)
