"""Small datasets cut from real images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from segloop.artifacts.dataset import CuratedDataset
from segloop.images.pairing import pair_by_stem

Pictures = dict[str, tuple[NDArray[Any], NDArray[Any]]]
MakeDataset = Callable[..., CuratedDataset]


@pytest.fixture(scope="session")
def nuclei(sample_nuclei: Path) -> Pictures:
    """Six real fluorescence images of nuclei, 96 x 96, with their instance labels (both YX)."""
    names = [path.name for path in sorted((sample_nuclei / "raw").glob("*.tif"))[:6]]
    window = (slice(32, 128), slice(32, 128))
    return {
        Path(name).stem: (
            tifffile.imread(sample_nuclei / "raw" / name)[window],
            tifffile.imread(sample_nuclei / "seg" / name)[window],
        )
        for name in names
    }


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


@pytest.fixture
def make_dataset(tmp_path: Path) -> MakeDataset:
    """Return a function that writes pictures to disk and makes a dataset of them, the last one for validation."""

    def make(
        pictures: Pictures, *, val: Sequence[str] | None = None, label_kind: str | None = None, name: str = "data"
    ) -> CuratedDataset:
        for part in ("raw", "seg"):
            (tmp_path / name / part).mkdir(parents=True)
        for stem, (raw, seg) in pictures.items():
            tifffile.imwrite(tmp_path / name / "raw" / f"{stem}.tif", raw, metadata={"axes": _axes(raw)})
            tifffile.imwrite(tmp_path / name / "seg" / f"{stem}.tif", seg, metadata={"axes": _axes(seg)})
        pairing = pair_by_stem(tmp_path / name / "raw", tmp_path / name / "seg")
        dataset = CuratedDataset.create(
            tmp_path / name / "dataset", pairing.pairs, val=0, accept_all=True, label_kind=label_kind
        )
        held_aside = [list(pictures)[-1]] if val is None else val
        for sample in list(dataset.samples()):
            if sample.id in held_aside:
                dataset.save(sample.edit(split="val"), "split")
        return CuratedDataset.open(dataset.path)

    return make


def _axes(array: NDArray[np.generic]) -> str:
    return {2: "YX", 3: "ZYX"}[array.ndim]
