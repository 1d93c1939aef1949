"""Small datasets cut from real images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.images.pairing import pair_by_stem

Pictures = dict[str, tuple[NDArray[Any], NDArray[Any]]]
MakeDataset = Callable[..., CuratedDataset]


@pytest.fixture(scope="session")
def nuclei(sample_nuclei: Path) -> Pictures:
    """Six parts of real fluorescence images, 96 x 96, three nuclei or more, and their labels (both YX)."""
    window = (slice(32, 128), slice(32, 128))
    pictures = {}
    for path in sorted((sample_nuclei / "raw").glob("*.tif")):
        labels = tifffile.imread(sample_nuclei / "seg" / path.name)[window]
        if len(np.unique(labels)) > 3:
            pictures[path.stem] = (tifffile.imread(path)[window], labels)
        if len(pictures) == 6:
            break
    return pictures


@pytest.fixture(scope="session")
def embryo(test_data: Path) -> Pictures:
    """Two halves of a real 3D stack of nuclei with their instance labels (both ZYX)."""
    folder = test_data / "nuclei3d_embryo" / "train"
    name = next(iter(sorted((folder / "raw").glob("*.tif")))).name
    raw, seg = (tifffile.imread(folder / part / name) for part in ("raw", "seg"))
    half = raw.shape[2] // 2
    return {
        "left": (raw[10:42, 20:100, :half], seg[10:42, 20:100, :half]),
        "right": (raw[10:42, 20:100, half:], seg[10:42, 20:100, half:]),
    }


@pytest.fixture(scope="session")
def make_dataset_in() -> MakeDataset:
    """Return a function that makes a dataset of pictures in a folder, the last one for validation."""

    def make(
        folder: Path,
        pictures: Pictures,
        *,
        val: Sequence[str] | None = None,
        label_kind: str | None = None,
        name: str = "data",
        raw_axes: str = "",
    ) -> CuratedDataset:
        place = folder / name
        for part in ("raw", "seg"):
            (place / part).mkdir(parents=True)
        for stem, (raw, seg) in pictures.items():
            _write(place / "raw" / f"{stem}.tif", raw, raw_axes or _AXES[raw.ndim])
            _write(place / "seg" / f"{stem}.tif", seg, _AXES[seg.ndim])
        pairing = pair_by_stem(place / "raw", place / "seg")
        dataset = CuratedDataset.create(
            place / "dataset", pairing.pairs, val=0, accept_all=True, label_kind=label_kind
        )
        held_aside = [list(pictures)[-1]] if val is None else val
        for sample in list(dataset.samples()):
            if sample.id in held_aside:
                dataset.save(sample.edit(split="val"), "split")
        return CuratedDataset.open(dataset.path)

    return make


@pytest.fixture
def make_dataset(make_dataset_in: MakeDataset, tmp_path: Path) -> MakeDataset:
    """Return a function that makes a dataset of pictures on disk, the last one for validation."""
    return partial(make_dataset_in, tmp_path)


_AXES = {2: "YX", 3: "ZYX"}


def _write(path: Path, pixels: NDArray[np.generic], axes: str) -> None:
    tifffile.imwrite(path, pixels, ome=False, imagej=True, metadata={"axes": axes})
