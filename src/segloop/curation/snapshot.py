"""A sample's pixels, read once for display and never changed."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.ground_truth import GroundTruth, compose
from segloop.artifacts.dataset.manifest import Sample
from segloop.core.context import Context
from segloop.core.errors import DatasetError

_Stamp = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Pixels:
    """The pixels of a sample; all arrays are read-only.

    Attributes
    ----------
    raw : (C, Z, Y, X), native dtype
        First time point.
    channel_names : tuple of str
        One per channel.
    contrast : tuple of (low, high)
        Intensities per channel to show as black and white.
    segmentations : mapping of str to (Z, Y, X) integer array
        Newest version of each segmentation by its name, in the sample's order.
    pixel_size_um : (z, y, x)
        In micrometres; None where unknown.
    """

    raw: NDArray[Any]
    channel_names: tuple[str, ...]
    contrast: tuple[tuple[float, float], ...]
    segmentations: Mapping[str, NDArray[Any]]
    pixel_size_um: tuple[float | None, float | None, float | None]

    @property
    def n_slices(self) -> int:
        """Slices of the stack; 1 for a plane."""
        return int(self.raw.shape[1])

    @property
    def n_bytes(self) -> int:
        """Memory taken, in bytes."""
        return int(self.raw.nbytes + sum(labels.nbytes for labels in self.segmentations.values()))


@dataclass(frozen=True)
class Snapshot:
    """A sample as it is to be shown: pixels, and the ground truth composed from them.

    Attributes
    ----------
    truth : (Z, Y, X) int32
        Labels of the ground truth, 0 where they are not valid.
    excluded : (Z, Y, X) uint8
        Pixels that are not valid, striped; see `stripes`.
    """

    sample: Sample
    pixels: Pixels
    ground_truth: GroundTruth
    truth: NDArray[np.int32]
    excluded: NDArray[np.uint8]


class PixelCache:
    """Keeps the pixels read last, up to a number of bytes; safe to use from several threads.

    Parameters
    ----------
    max_bytes : int
        Once more than this is kept, the oldest go first (one sample always stays).
    """

    def __init__(self, max_bytes: int = 1 << 30) -> None:
        self._max_bytes = max_bytes
        self._kept: OrderedDict[tuple[object, ...], tuple[_Stamp | None, Pixels]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, dataset: CuratedDataset, sample: Sample, context: Context) -> Pixels:
        """Return the sample's pixels, read if they are not kept or a file was changed since."""
        key = (dataset.path, sample.id, sample.raw, sample.segmentations)
        stamp = _stamp(dataset, sample)
        with self._lock:
            if key in self._kept:
                kept_stamp, kept = self._kept[key]
                # Of files that are out of reach, such as on a lost drive, the pixels kept are still good.
                if stamp in (kept_stamp, None):
                    self._kept.move_to_end(key)
                    return kept
        pixels = read_pixels(dataset, sample, context)
        with self._lock:
            self._kept[key] = (stamp, pixels)
            self._kept.move_to_end(key)
            kept_bytes = sum(each.n_bytes for _, each in self._kept.values())
            while len(self._kept) > 1 and kept_bytes > self._max_bytes:
                kept_bytes -= self._kept.popitem(last=False)[1][1].n_bytes
        return pixels


def _stamp(dataset: CuratedDataset, sample: Sample) -> _Stamp | None:
    """Return time of change and size of the sample's files; None if one can't be accessed."""
    labels = [dataset.label_file(sample, name).path for name in sample.segmentation_names]
    try:
        stats = [path.stat() for path in (dataset.resolve(sample.raw), *labels)]
    except OSError:
        return None
    return tuple((stat.st_mtime_ns, stat.st_size) for stat in stats)


def load_snapshot(
    dataset: CuratedDataset,
    sample: Sample,
    cache: PixelCache,
    shown: Snapshot | None = None,
    context: Context | None = None,
) -> Snapshot:
    """Read a sample and compose its ground truth.

    Parameters
    ----------
    dataset : CuratedDataset
    sample : Sample
    cache : PixelCache
    shown : Snapshot, optional
        The snapshot on screen: if it is of the same sample, its ``truth`` and ``excluded`` are reused where
        they are equal, so that ``is`` shows whether they changed.
    context : Context, optional
        For cancel.

    Raises
    ------
    SegloopError
        If a file is missing or unreadable, or the shapes differ; the sentence names the file.
    Cancelled
        If asked to stop in between.
    """
    context = context or Context()
    pixels = cache.get(dataset, sample, context)
    context.check()
    truth = compose(pixels.segmentations, sample, instances=dataset.label_kind == "instances")
    context.check()
    labels, excluded = np.where(truth.valid, truth.labels, np.int32(0)), stripes(truth.valid)
    if shown is not None and shown.sample.id == sample.id:
        labels, excluded = _old_if_equal(shown.truth, labels), _old_if_equal(shown.excluded, excluded)
    return Snapshot(sample, pixels, truth, labels, excluded)


def read_pixels(dataset: CuratedDataset, sample: Sample, context: Context | None = None) -> Pixels:
    """Read a sample's raw image and segmentations whole; see `load_snapshot`."""
    context = context or Context()
    image = dataset.raw(sample)
    everything = slice(None)
    raw = image.block(0, range(image.n_channels), everything, everything, everything)
    context.check()
    segmentations: dict[str, NDArray[Any]] = {}
    for name in sample.segmentation_names:
        labels = dataset.labels(sample, name)
        if labels.shape != raw.shape[1:]:
            raise DatasetError(
                f"Sample {sample.id}: the segmentation {name} is {_size(labels.shape)} pixels and the raw "
                f"image {_size(raw.shape[1:])}: reject the sample, or replace "
                f"{dataset.label_file(sample, name).path}."
            )
        segmentations[name] = labels
        context.check()
    contrast = tuple(contrast_limits(channel) for channel in raw)
    for array in (raw, *segmentations.values()):
        array.setflags(write=False)
    return Pixels(
        raw, tuple(image.channel_names), contrast, MappingProxyType(segmentations), image.pixel_size_um
    )


def contrast_limits(channel: NDArray[Any]) -> tuple[float, float]:
    """Return the 0.1 and 99.9 percentiles of a channel, to show as black and white.

    Computed from about a million evenly spaced pixels.
    """
    step = max(1, int(np.ceil((channel.size / 1e6) ** (1 / max(1, channel.ndim)))))
    sparse = channel[tuple(slice(None, None, step) for _ in range(channel.ndim))]
    finite = sparse[np.isfinite(sparse)]
    if finite.size == 0:
        return 0.0, 1.0
    low, high = (float(value) for value in np.percentile(finite, (0.1, 99.9)))
    return (low, high) if high > low else (low, low + 1.0)


def stripes(valid: NDArray[np.bool_], period: int = 8) -> NDArray[np.uint8]:
    """Return diagonal stripes over what is not valid, for showing it hatched.

    Parameters
    ----------
    valid : (Z, Y, X) bool
        See `GroundTruth`.
    period : int, optional
        Distance from stripe to stripe along Y or X, in pixels.

    Returns
    -------
    (Z, Y, X) uint8
        2 on a stripe, 1 between stripes, 0 where valid.
    """
    y, x = np.ogrid[: valid.shape[1], : valid.shape[2]]
    hatch = np.where((y + x) % period < period // 3 + 1, 2, 1).astype(np.uint8)
    return np.where(valid, np.uint8(0), hatch).astype(np.uint8)


def _old_if_equal(old: NDArray[Any], new: NDArray[Any]) -> NDArray[Any]:
    return old if np.array_equal(old, new) else new


def _size(shape: tuple[int, ...]) -> str:
    z, y, x = shape
    return f"{y} x {x}" if z == 1 else f"{z} x {y} x {x}"
