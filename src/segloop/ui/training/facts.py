"""What can be said of a dataset before a training has looked at all of it; free of Qt."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.core.context import Context
from segloop.core.errors import SegloopError
from segloop.images.image import PixelSize

_MOST_NAMES = 3
_NAMELESS = re.compile(r"(channel)?[\s:_]*[\d:_]*", re.IGNORECASE)


@dataclass(frozen=True)
class DatasetFacts:
    """A dataset as the user should know it before training on it.

    Attributes
    ----------
    path : Path
        Its folder.
    train, val : int
        Accepted samples to learn from, and to validate on.
    total, undecided : int
        Samples in all, and those without a verdict.
    n_slices : int
        Slices of the first accepted image; 0 where it can't be read.
    channels : tuple of str
        Names of the channels to be used.
    pixel_size_um : (z, y, x)
        In micrometres, None where unknown.
    instances : bool
        Whether the labels number objects.
    problem : str
        Why the first accepted image can't be read; empty where it can.
    """

    path: Path
    train: int
    val: int
    total: int
    undecided: int
    n_slices: int
    channels: tuple[str, ...]
    pixel_size_um: PixelSize
    instances: bool
    problem: str

    @property
    def usable(self) -> bool:
        """Whether there is anything to learn from."""
        return self.train + self.val > 0

    def line(self) -> str:
        """Return the facts in one line, such as ``"120 train, 30 val, 2D, DAPI, 0.32 µm/px"``."""
        if not self.usable:
            return (
                f"None of the {self.total} samples is accepted yet ({self.undecided} undecided): "
                "accept some in the Curation dock."
            )
        parts = [f"{self.train} train", f"{self.val} val"]
        if self.n_slices:
            parts.append("3D" if self.n_slices > 1 else "2D")
        parts += [_channels(self.channels), _pixel_size(self.pixel_size_um)]
        return ", ".join(part for part in parts if part)

    def notes(self) -> list[str]:
        """Return what is known of the plan before the training starts, one sentence each."""
        if not self.usable:
            return []
        notes = [self.problem] if self.problem else []
        if self.n_slices > 1:
            notes.append(f"3D network because the first image has {self.n_slices} slices.")
        elif self.n_slices:
            notes.append("2D network because the first image has one slice.")
        if self.train and self.val:
            notes.append(f"Learns from {self.train} images and checks itself on {self.val} others.")
        elif self.train:
            notes.append("No validation sample is accepted: some of the training samples validate instead.")
        else:
            notes.append("No training sample is accepted: the validation samples are learnt from instead.")
        kind = "number objects" if self.instances else "name classes"
        notes.append(f"The labels {kind}.")
        notes.append("Patch size, batch size and device are chosen when the training starts, and told here.")
        return notes


class DatasetScout:
    """Looks at datasets; one that was seen before costs only what has changed since."""

    def __init__(self) -> None:
        self._known: dict[Path, CuratedDataset] = {}
        self._lock = threading.Lock()

    def look(self, path: Path, context: Context) -> DatasetFacts:
        """Gather the facts of a dataset.

        Raises
        ------
        DatasetError
            If there is no dataset, or it is damaged.
        """
        with self._lock:
            context.check()
            opened = CuratedDataset.open(path)
            known = self._known.get(opened.path)
            dataset = known if known is not None and known.index == opened.index else opened
            self._known[opened.path] = dataset
            counts = dataset.counts()
            train, val = dataset.split("train"), dataset.split("val")
            n_slices, channels, size, problem = _first(dataset, [*train, *val])
            return DatasetFacts(
                path=path,
                train=len(train),
                val=len(val),
                total=counts.total,
                undecided=counts.undecided,
                n_slices=n_slices,
                channels=tuple(dataset.channels) or channels,
                pixel_size_um=dataset.pixel_size_um if any(dataset.pixel_size_um) else size,
                instances=dataset.label_kind == "instances",
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
    if len(names) <= _MOST_NAMES and not any(_NAMELESS.fullmatch(name) for name in names):
        return ", ".join(names)
    return f"{len(names)} channel{'s' if len(names) != 1 else ''}"


def _pixel_size(size: PixelSize) -> str:
    z, y, x = size
    if y is None and x is None:
        return "pixel size unknown"
    flat = f"{y:.3g}" if y == x or x is None else f"{y:.3g} × {x:.3g}" if y is not None else f"{x:.3g}"
    return f"{flat} µm/px" if z is None else f"{z:.3g} × {flat} µm/px"
