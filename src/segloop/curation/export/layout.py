"""What formats for other tools have in common: samples as they are exported, and the way to write one."""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from segloop.core.errors import DatasetError
from segloop.images.write import write_image

if TYPE_CHECKING:
    from segloop.artifacts.dataset.manifest import LabelKind, Split
    from segloop.images.image import Image


@dataclass(frozen=True, eq=False)
class ExportedSample:
    """One accepted sample.

    Attributes
    ----------
    id, split, group, note
        As in `Sample`.
    image : Image
        The raw image, lazy, with all its channels.
    channels : tuple of int
        The channels that the dataset uses.
    labels : (Z, Y, X) int32
        The ground truth; 0 where it is not valid.
    valid : (Z, Y, X) bool
        False where pixels are excluded.
    """

    id: str
    split: Split
    group: str
    note: str
    image: Image = field(repr=False)
    channels: tuple[int, ...]
    labels: NDArray[np.int32] = field(repr=False)
    valid: NDArray[np.bool_] = field(repr=False)

    @property
    def is_plane(self) -> bool:
        """Whether it has a single slice."""
        return bool(self.labels.shape[0] == 1)

    def pixels(self) -> NDArray[Any]:
        """Read the channels that are used: (C, Z, Y, X)."""
        everything = slice(None)
        return self.image.block(0, self.channels, everything, everything, everything)

    def flat(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return (..., Z, Y, X) without the axis Z of a plane."""
        return array[..., 0, :, :] if self.is_plane else array

    def numbered(self) -> NDArray[Any]:
        """Return the labels in 16 bits, or in 32 if their numbers need them, without Z of a plane."""
        highest = int(self.labels.max(initial=0))
        return self.flat(self.labels.astype(np.uint16 if highest < 1 << 16 else np.uint32))


class Layout(ABC):
    """A format: how samples are written into a folder.

    Parameters
    ----------
    folder : Path
        Where to; it is renamed when all is written.
    name : str
        Of the dataset.
    label_kind : {"instances", "semantic"}
        What labels mean.
    channel_names : sequence of str
        Names of the channels that are used.
    """

    def __init__(self, folder: Path, name: str, label_kind: LabelKind, channel_names: Sequence[str]) -> None:
        self.folder, self.name = folder, name
        self.label_kind, self.channel_names = label_kind, tuple(channel_names)
        self.notes: list[str] = []
        self.prepare()

    def prepare(self) -> None:  # noqa: B027 - not every format collects something
        """Set up what is collected over all samples."""

    @abstractmethod
    def write(self, sample: ExportedSample) -> None:
        """Write one sample.

        Raises
        ------
        DatasetError
            If the format can't hold it; nothing is left of it.
        """

    def finish(self) -> None:  # noqa: B027 - not every format has a file for all
        """Write what describes all samples together."""

    def note(self, sentence: str) -> None:
        """Keep a sentence about what the format lacks, once."""
        if sentence not in self.notes:
            self.notes.append(sentence)


def write_raw(sample: ExportedSample, folder: Path, stem: str) -> Path:
    """Copy the file of a raw image, or write the image where it is no file of its own.

    Returns
    -------
    Path
        The file, named ``stem`` with the suffix of the original or ``.tif``.
    """
    image = sample.image
    folder.mkdir(parents=True, exist_ok=True)
    alone = len(image.scenes) <= 1 and len(sample.channels) == image.n_channels and image.n_timepoints == 1
    if image.path is not None and image.path.is_file() and alone:
        target = folder / (stem + image.path.name[len(_stem(image.path)) :])
        shutil.copyfile(image.path, target)
        return target
    return write_pixels(sample, folder / f"{stem}.tif")


def write_pixels(sample: ExportedSample, path: Path) -> Path:
    """Write the channels of a sample that are used as an image of their own."""
    pixels = sample.pixels()
    names = [sample.image.channel_names[number] for number in sample.channels]
    axes = "ZYX"
    if len(names) > 1:
        return write_image(
            path, pixels, axes=f"C{axes}", channel_names=names, pixel_size_um=sample.image.pixel_size_um
        )
    return write_image(path, pixels[0], axes=axes, pixel_size_um=sample.image.pixel_size_um)


def write_labels(sample: ExportedSample, path: Path) -> Path:
    """Write the labels of a sample as a TIFF of 16 or 32 bits."""
    labels = sample.numbered()
    axes = "YX" if labels.ndim == 2 else "ZYX"
    return write_image(path, labels, axes=axes, pixel_size_um=sample.image.pixel_size_um)


def require_objects(layout: Layout, tool: str) -> None:
    """Raise `DatasetError` if labels name classes, which a tool that separates objects can't use."""
    if layout.label_kind != "instances":
        raise DatasetError(
            f"{tool} learns to separate objects, but the labels of {layout.name} name classes: export them "
            "with --to pairs or nnunet."
        )


def _stem(path: Path) -> str:
    from segloop.images.names import stem_of

    return stem_of(path)
