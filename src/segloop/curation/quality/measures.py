"""What is measured of a sample: objects, intensities, and a small picture to find copies by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.manifest import Sample
from segloop.artifacts.dataset.references import short
from segloop.images.label_quality import label_defect

SIDE = 32
"""Pixels along each side of the small picture."""

_PERCENTILES = 1.0, 50.0, 99.8
_RING = 5  # pixels; width of the square that a ring around an object comes from
_POLARITY = 0.8  # share of the objects that must be brighter than what is around them
_NO_SIGNAL = 0.02  # of the range of intensities


@dataclass(frozen=True)
class ChannelMeasures:
    """Intensities of a channel.

    Attributes
    ----------
    name : str
    low, median, high : float
        1st, 50th and 99.8th percentile.
    at_highest : float
        Share of the pixels that have the highest value, 0 to 1.
    n_hot : int
        Single pixels that are far brighter than those around them.
    """

    name: str
    low: float
    median: float
    high: float
    at_highest: float
    n_hot: int


@dataclass(frozen=True, eq=False)
class SampleMeasures:
    """What was measured of a sample.

    Attributes
    ----------
    id, split, verdict, group : str
        As in the dataset.
    sizes : (N,) int64
        Pixels of each object of the ground truth; empty for masks and classes.
    n_valid : int
        Pixels that are not excluded.
    class_pixels : mapping of int to int
        Of masks and classes, pixels of each value above 0.
    channels : tuple of ChannelMeasures
    in_pieces : tuple of int
        Objects that consist of several pieces.
    without_signal : tuple of int
        Objects that are no brighter than what is around them, where most objects are.
    defects : tuple of str
        A sentence for each segmentation that was damaged by lossy compression or interpolation.
    picture : (32, 32) float32
        The middle slice of the first channel, with mean 0 and norm 1; zeros if it is constant.
    """

    id: str
    split: str
    verdict: str
    group: str
    sizes: NDArray[np.int64]
    n_valid: int
    class_pixels: Mapping[int, int]
    channels: tuple[ChannelMeasures, ...]
    in_pieces: tuple[int, ...]
    without_signal: tuple[int, ...]
    defects: tuple[str, ...]
    picture: NDArray[np.float32]

    @property
    def n_objects(self) -> int:
        """How many objects there are; of masks and classes, how many values."""
        return len(self.sizes) or len(self.class_pixels)


def measure_sample(dataset: CuratedDataset, sample: Sample) -> SampleMeasures:
    """Read and measure a sample.

    Raises
    ------
    SegloopError
        If a file can't be read, or the sizes differ.
    """
    image, truth, whole = dataset.raw(sample), dataset.ground_truth(sample), slice(None)
    chosen = [image.channel_index(each) for each in dataset.channels] or list(range(image.n_channels))
    raw = image.block(0, chosen, whole, whole, whole).astype(np.float32)
    instances = dataset.label_kind == "instances"
    labels = np.where(truth.valid, truth.labels, 0)
    numbers, sizes = np.unique(labels[labels > 0], return_counts=True)
    defects = []
    for name in sample.segmentation_names:
        defect = label_defect(dataset.labels(sample, name))
        defects += [defect.sentence(short(dataset.label_file(sample, name).path))] if defect else []
    return SampleMeasures(
        id=sample.id,
        split=sample.split,
        verdict=sample.verdict.value,
        group=sample.group,
        sizes=sizes.astype(np.int64) if instances else np.zeros(0, np.int64),
        n_valid=int(np.count_nonzero(truth.valid)),
        class_pixels={} if instances else dict(zip(numbers.tolist(), sizes.tolist(), strict=True)),
        channels=tuple(
            measure_channel(image.channel_names[number], pixels)
            for number, pixels in zip(chosen, raw, strict=True)
        ),
        in_pieces=objects_in_pieces(labels) if instances else (),
        without_signal=objects_without_signal(labels, raw) if instances else (),
        defects=tuple(defects),
        picture=small_picture(raw[0]),
    )


def measure_channel(name: str, pixels: NDArray[np.float32]) -> ChannelMeasures:
    """Measure the intensities (Z, Y, X) of a channel; pixels that are not finite don't count."""
    from scipy.ndimage import maximum_filter

    finite = pixels[np.isfinite(pixels)]
    if not finite.size:
        return ChannelMeasures(name, 0.0, 0.0, 0.0, 0.0, 0)
    low, median, high = (float(each) for each in np.percentile(finite, _PERCENTILES))
    highest = finite.max()
    # A hot pixel is brighter than all around it by more than the whole range of intensities.
    n_hot = 0
    if highest > high + (high - low):
        around = np.ones((1, 3, 3), bool)
        around[0, 1, 1] = False
        bright = np.nan_to_num(pixels)
        n_hot = int(
            np.count_nonzero(bright > maximum_filter(bright, footprint=around) + max(high - low, 1e-9))
        )
    share = float(np.count_nonzero(finite == highest) / finite.size) if high > low else 0.0
    return ChannelMeasures(name, low, median, high, share, n_hot)


def objects_in_pieces(labels: NDArray[np.integer]) -> tuple[int, ...]:
    """Return the numbers of objects (Z, Y, X) whose pixels are not all connected, diagonals included."""
    from skimage.measure import label

    pieces = label(labels, connectivity=labels.ndim)
    first = np.unique(pieces[labels > 0], return_index=True)[1]
    owners, counts = np.unique(labels[labels > 0][first], return_counts=True)
    return tuple(owners[counts > 1].tolist())


def objects_without_signal(labels: NDArray[np.integer], raw: NDArray[np.float32]) -> tuple[int, ...]:
    """Return the objects that are no brighter in any channel than the pixels around them.

    Empty where fewer than four fifths of the objects are brighter in some channel: then brightness does not
    tell objects.
    """
    from scipy.ndimage import grey_dilation, sum_labels

    numbers = np.unique(labels[labels > 0])
    if not numbers.size:
        return ()
    grown = grey_dilation(labels, size=(1, _RING, _RING))
    ring = np.where(labels == 0, grown, 0)
    n_inside = sum_labels(np.ones(labels.shape), labels, numbers)
    n_outside = sum_labels(np.ones(labels.shape), ring, numbers)
    dark = n_outside > 0  # of an object without background around it, nothing can be said
    for pixels in np.nan_to_num(raw):
        low, high = np.percentile(pixels, (_PERCENTILES[0], _PERCENTILES[2]))
        pixels = np.clip(pixels, low, high)  # a hot pixel beside an object says nothing about it
        inside = sum_labels(pixels, labels, numbers) / n_inside
        outside = sum_labels(pixels, ring, numbers) / np.maximum(n_outside, 1)
        dark &= inside - outside <= _NO_SIGNAL * (high - low)
    return tuple(numbers[dark].tolist()) if dark.mean() <= 1 - _POLARITY else ()


def small_picture(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the middle slice of (Z, Y, X), averaged down to 32 x 32, with mean 0 and norm 1."""
    plane = np.nan_to_num(pixels[len(pixels) // 2])
    for axis in (0, 1):
        places = np.linspace(0, plane.shape[axis], SIDE + 1).astype(int)
        if plane.shape[axis] < SIDE:
            plane = np.take(plane, places[:-1], axis)
        else:
            parts = np.add.reduceat(plane, places[:-1], axis)
            lengths = np.diff(places).reshape((-1, 1) if axis == 0 else (1, -1))
            plane = parts / lengths
    plane = plane - plane.mean()
    norm = float(np.linalg.norm(plane))
    picture: NDArray[np.float32] = np.zeros((SIDE, SIDE), np.float32)
    if norm > 0:
        picture = (plane / norm).astype(np.float32)
    return picture


def all_sizes(measures: Sequence[SampleMeasures]) -> NDArray[np.int64]:
    """Return the sizes of the objects of all samples."""
    return np.concatenate([each.sizes for each in measures]) if measures else np.zeros(0, np.int64)
