"""A sample's pixels, never changed: read whole, or of large stacks where they are looked at."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.manifest import Sample
from segloop.core.context import Context
from segloop.core.errors import DatasetError
from segloop.images.image import Image, PixelSize
from segloop.images.lazy_stack import LazyStack

Stack = NDArray[Any] | LazyStack

LAZY_FROM = 1 << 30
"""Stacks whose image and segmentations take more bytes than this are read slice by slice."""

RAW = ""
"""Stands for the raw image beside the names of segmentations."""


class Intensities(NamedTuple):
    """Which intensities of a channel to show as black and white, and the lowest and highest there are."""

    black: float
    white: float
    lowest: float
    highest: float


@dataclass(frozen=True)
class Pixels:
    """The pixels of a sample; all arrays are read-only.

    Attributes
    ----------
    raw : tuple of (Z, Y, X), native dtype
        First time point, one stack per channel.
    channel_names : tuple of str
        One per channel.
    intensities : tuple of Intensities
        One per channel.
    segmentations : mapping of str to (Z, Y, X) integer stack
        Newest version of each segmentation by its name, in the sample's order.
    pixel_size_um : (z, y, x)
        In micrometres; None where unknown.
    """

    raw: tuple[Stack, ...]
    channel_names: tuple[str, ...]
    intensities: tuple[Intensities, ...]
    segmentations: Mapping[str, Stack]
    pixel_size_um: PixelSize

    @property
    def shape(self) -> tuple[int, int, int]:
        """Sizes along Z, Y, X."""
        z, y, x = self.raw[0].shape
        return z, y, x

    @property
    def n_slices(self) -> int:
        """Slices of the stack; 1 for a plane."""
        return self.shape[0]

    @property
    def is_lazy(self) -> bool:
        """Whether the pixels are not in memory."""
        return isinstance(self.raw[0], LazyStack)

    @property
    def n_bytes(self) -> int:
        """Memory taken, in bytes."""
        arrays = (*self.raw, *self.segmentations.values())
        return sum(each.nbytes for each in arrays if isinstance(each, np.ndarray))


def read_pixels(
    dataset: CuratedDataset,
    sample: Sample,
    context: Context | None = None,
    known: Pixels | None = None,
    unchanged: Collection[str] = (),
) -> Pixels:
    """Read a sample's raw image and segmentations, whole or, if they are large, where they are looked at.

    Parameters
    ----------
    dataset, sample, context
        What to read, and for cancel.
    known : Pixels, optional
        Pixels of the same sample, of which some need not be read again:
    unchanged : collection of str
        Names of segmentations, and an empty name for the raw image.

    Raises
    ------
    SegloopError
        If a file is missing or unreadable, or the shapes differ; the sentence names the file.
    Cancelled
        If asked to stop in between.
    """
    context = context or Context()
    image = dataset.raw(sample)
    shape = image.shape[2:]
    stored = {name: dataset.open_labels(sample, name) for name in sample.segmentation_names}
    for name, labels in stored.items():
        if labels.shape != shape:
            raise DatasetError(
                f"Sample {sample.id}: the segmentation {name} is {_size(labels.shape)} pixels and the raw "
                f"image {_size(shape)}: reject the sample, or replace "
                f"{dataset.label_file(sample, name).path}."
            )
    n_bytes = int(np.prod(shape)) * image.n_channels * image.dtype.itemsize
    n_bytes += sum(labels.nbytes for labels in stored.values())
    lazy = shape[0] > 1 and n_bytes > LAZY_FROM
    if known is not None and known.is_lazy is lazy and RAW in unchanged:
        raw, intensities = known.raw, known.intensities
    elif lazy:
        raw = tuple(_lazy_channel(image, number) for number in range(image.n_channels))
        intensities = tuple(_intensities_of_slices(channel, context) for channel in raw)
    else:
        channels = list(image.block(0, range(image.n_channels), *(slice(None),) * 3))
        raw, intensities = tuple(channels), tuple(map(intensities_of, channels))
    segmentations: dict[str, Stack] = {}
    for name, labels in stored.items():
        context.check()
        if known is not None and known.is_lazy is lazy and name in unchanged:
            segmentations[name] = known.segmentations[name]
        else:
            segmentations[name] = labels if lazy else dataset.labels(sample, name)
    for array in (*raw, *segmentations.values()):
        if isinstance(array, np.ndarray):
            array.setflags(write=False)
    names = tuple(image.channel_names)
    return Pixels(raw, names, intensities, MappingProxyType(segmentations), image.pixel_size_um)


def _lazy_channel(image: Image, number: int) -> LazyStack:
    return LazyStack(image.shape[2:], image.dtype, lambda block: image.block(0, [number], *block)[0])


def _intensities_of_slices(channel: Stack, context: Context) -> Intensities:
    """Return the intensities in five slices, from the first to the last."""
    slices = []
    for z in np.unique(np.linspace(0, len(channel) - 1, 5).astype(int)):
        context.check()
        plane = channel[z]
        step = max(1, int(np.ceil((plane.size / 2e5) ** 0.5)))
        slices.append(plane[::step, ::step].ravel())
    return intensities_of(np.concatenate(slices))


def intensities_of(channel: NDArray[Any]) -> Intensities:
    """Return the intensities of a channel; black and white are the 0.1 and 99.9 percentiles.

    These are computed from about a million evenly spaced pixels.
    """
    step = max(1, int(np.ceil((channel.size / 1e6) ** (1 / max(1, channel.ndim)))))
    sparse = channel[tuple(slice(None, None, step) for _ in range(channel.ndim))]
    finite = sparse[np.isfinite(sparse)]
    if finite.size == 0:
        return Intensities(0.0, 1.0, 0.0, 1.0)
    low, high = (float(value) for value in np.percentile(finite, (0.1, 99.9)))
    whole = channel if channel.dtype.kind in "ui" else channel[np.isfinite(channel)]
    lowest, highest = float(whole.min()), float(whole.max())
    if high <= low:
        high = low + 1.0
    return Intensities(low, high, lowest, max(highest, high))


def _size(shape: tuple[int, ...]) -> str:
    z, y, x = shape
    return f"{y} x {x}" if z == 1 else f"{z} x {y} x {x}"
