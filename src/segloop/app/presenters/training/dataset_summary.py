"""What the Training dock says about a dataset."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.core.context import Context
from segloop.core.errors import SegloopError
from segloop.core.wording import counted
from segloop.images.image import PixelSize

_MAX_NAMES = 3
_NAMELESS = re.compile(r"(channel)?[\s:_]*[\d:_]*", re.IGNORECASE)


@dataclass(frozen=True)
class DatasetSummary:
    """A dataset as the user should know it before training on it.

    Attributes
    ----------
    path : Path
        Its folder.
    train, val : int
        Accepted samples of these splits.
    validating : int
        Samples that a training would validate on; they may be taken from the training samples.
    total, undecided : int
        Samples in all, and those without a verdict.
    n_slices : int
        Slices of the first accepted image; 0 where it can't be read.
    channels : tuple of str
        Names of the channels to be used.
    pixel_size_um : (z, y, x)
        In micrometres, None where unknown.
    problem : str
        Why the first accepted image can't be read; empty where it can.
    """

    path: Path
    train: int
    val: int
    validating: int
    total: int
    undecided: int
    n_slices: int
    channels: tuple[str, ...]
    pixel_size_um: PixelSize
    problem: str

    @property
    def usable(self) -> bool:
        """Whether there is anything to learn from."""
        return self.train + self.val > 0

    @property
    def line(self) -> str:
        """The summary in one line, such as ``"120 train, 30 val, 2D, DAPI, 0.32 µm/px"``."""
        if not self.usable:
            return (
                f"None of the {counted(self.total, 'sample')} is accepted yet ({self.undecided} undecided): "
                "accept some in the Curation dock."
            )
        parts = [f"{self.train} train", f"{self.val} val"]
        if self.n_slices:
            parts.append("3D" if self.n_slices > 1 else "2D")
        parts += [_channels(self.channels), _pixel_size(self.pixel_size_um)]
        return ", ".join(part for part in parts if part)

    @property
    def validation_note(self) -> str:
        """What to know if the dataset sets no sample aside for validation; empty if it does."""
        if not self.usable or self.val:
            return ""
        if self.validating:
            return (
                f"No accepted sample is set aside for validation: {self.validating} of the {self.train} "
                "training samples will be used for validation instead."
            )
        return (
            "There are too few accepted samples for validation: the model will have no score, and the "
            "latest one is kept instead of the best."
        )


class DatasetReader:
    """Summarises datasets; one that was read before costs only what has changed since."""

    def __init__(self) -> None:
        self._known: dict[Path, CuratedDataset] = {}
        self._lock = threading.Lock()

    def read(self, path: Path, context: Context) -> DatasetSummary:
        """Summarise a dataset; any thread may read.

        Raises
        ------
        DatasetError
            If there is no dataset, or it is damaged.
        """
        from segloop.training.planning.split import validation_samples

        with self._lock:
            context.check()
            opened = CuratedDataset.open(path)
            known = self._known.get(opened.path)
            dataset = known if known is not None and known.index == opened.index else opened
            self._known[opened.path] = dataset
            counts = dataset.counts()
            train, val = dataset.split("train"), dataset.split("val")
            groups = {each: dataset.sample(each).group for each in (*train, *val)}
            n_slices, channels, size, problem = _first(dataset, [*train, *val])
            return DatasetSummary(
                path=path,
                train=len(train),
                val=len(val),
                validating=len(validation_samples(groups, val)),
                total=counts.total,
                undecided=counts.undecided,
                n_slices=n_slices,
                channels=tuple(dataset.channels) or channels,
                pixel_size_um=dataset.pixel_size_um if any(dataset.pixel_size_um) else size,
                problem=problem,
            )


def _first(dataset: CuratedDataset, ids: Sequence[str]) -> tuple[int, tuple[str, ...], PixelSize, str]:
    unknown: PixelSize = (None, None, None)
    if not ids:
        return 0, (), unknown, ""
    try:
        image = dataset.raw(dataset.sample(ids[0]))
    except SegloopError as error:
        return 0, (), unknown, str(error)
    return image.n_slices, image.channel_names, image.pixel_size_um, ""


def _channels(names: Sequence[str]) -> str:
    if len(names) <= _MAX_NAMES and not any(_NAMELESS.fullmatch(name) for name in names):
        return ", ".join(names)
    return counted(len(names), "channel")


def _pixel_size(size: PixelSize) -> str:
    z, y, x = size
    if y is None and x is None:
        return "pixel size unknown"
    flat = f"{y:.3g}" if y == x or x is None else f"{y:.3g} × {x:.3g}" if y is not None else f"{x:.3g}"
    return f"{flat} µm/px" if z is None else f"{z:.3g} × {flat} µm/px"
