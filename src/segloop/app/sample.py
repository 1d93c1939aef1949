"""The bundled sample: real fluorescence nuclei with their labels (CC0; see ``sample_nuclei/LICENSE.txt``)."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from segloop.artifacts.dataset.curated_dataset import CuratedDataset


def sample_folder() -> Path:
    """Return the folder with ``raw`` (YX uint8) and ``seg`` (YX uint16 instances) of the same stems."""
    return Path(str(files("segloop") / "app" / "sample_nuclei"))


def make_sample_dataset(
    path: Path, *, val: float = 0.2, test: float = 0.0, accept_all: bool = False
) -> CuratedDataset:
    """Make a curated dataset of the bundled sample.

    Parameters
    ----------
    path : Path
        Folder of the new dataset; must be new or empty.
    val, test : float
        Shares for validation and held aside.
    accept_all : bool
        Accept every sample instead of leaving the verdicts to the curator.

    Raises
    ------
    DatasetError
        If the folder is taken or can't be written.
    """
    from segloop.artifacts.dataset.curated_dataset import CuratedDataset
    from segloop.images.pairing import pair_by_stem

    pairing = pair_by_stem(sample_folder() / "raw", sample_folder() / "seg")
    return CuratedDataset.create(
        path, pairing.pairs, val=val, test=test, accept_all=accept_all, name="sample nuclei"
    )
