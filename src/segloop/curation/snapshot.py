"""A sample's pixels, read once for display and never changed."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.ground_truth import GroundTruth, compose
from segloop.artifacts.dataset.manifest import Sample
from segloop.core.context import Context
from segloop.core.errors import DatasetError

_RAW = ""
"""Stands for the raw image beside the names of segmentations."""


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


@dataclass(frozen=True)
class _Kept:
    pixels: Pixels
    stamps: Mapping[str, object]


class PixelCache:
    """Keeps the pixels read last, up to a number of bytes; safe to use from several threads.

    Parameters
    ----------
    max_bytes : int
        Once more than this is kept, the oldest go first (one sample always stays).
    """

    def __init__(self, max_bytes: int = 1 << 30) -> None:
        self._max_bytes = max_bytes
        self._kept: OrderedDict[tuple[object, ...], _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, dataset: CuratedDataset, sample: Sample, context: Context) -> Pixels:
        """Return the sample's pixels; those are read that are not kept, or of which a file was changed."""
        key = (dataset.path, sample.id, sample.raw)
        stamps = _stamps(dataset, sample)
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None:
                self._kept.move_to_end(key)
                # Of files that are out of reach, such as on a lost drive, the pixels kept are still good.
                if stamps is None and tuple(kept.pixels.segmentations) == sample.segmentation_names:
                    return kept.pixels
        reused: dict[str, NDArray[Any]] = {}
        if kept is not None and stamps is not None:
            if stamps == kept.stamps and list(stamps) == list(kept.stamps):
                return kept.pixels
            parts = {_RAW: kept.pixels.raw, **kept.pixels.segmentations}
            reused = {name: parts[name] for name in parts if stamps.get(name) == kept.stamps[name]}
        pixels = read_pixels(dataset, sample, context, reused, kept.pixels.contrast if kept else ())
        if stamps is not None:
            self._keep(key, _Kept(pixels, stamps))
        return pixels

    def _keep(self, key: tuple[object, ...], kept: _Kept) -> None:
        with self._lock:
            self._kept[key] = kept
            self._kept.move_to_end(key)
            kept_bytes = sum(each.pixels.n_bytes for each in self._kept.values())
            while len(self._kept) > 1 and kept_bytes > self._max_bytes:
                kept_bytes -= self._kept.popitem(last=False)[1].pixels.n_bytes


def _stamps(dataset: CuratedDataset, sample: Sample) -> dict[str, object] | None:
    """Return what changes with the pixels of the raw image and of each segmentation; None if out of reach."""
    try:
        stamps: dict[str, object] = {_RAW: _stamp(dataset.resolve(sample.raw))}
        for name in sample.segmentation_names:
            file = dataset.label_file(sample, name)
            stamps[name] = (file, _stamp(file.path))
    except OSError:
        return None
    return stamps


def _stamp(path: Path) -> tuple[int, int]:
    """Return time of change and size of a file."""
    status = path.stat()
    return status.st_mtime_ns, status.st_size


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


def read_pixels(
    dataset: CuratedDataset,
    sample: Sample,
    context: Context | None = None,
    known: Mapping[str, NDArray[Any]] = MappingProxyType({}),
    contrast: tuple[tuple[float, float], ...] = (),
) -> Pixels:
    """Read a sample's raw image and segmentations whole; see `load_snapshot`.

    Parameters
    ----------
    dataset, sample, context
        As there.
    known : mapping of str to array
        What need not be read: segmentations by their names, and the raw image under an empty name.
    contrast : tuple of (low, high)
        That of the raw image, if it is known.
    """
    context = context or Context()
    image = dataset.raw(sample)
    everything = slice(None)
    raw = known.get(_RAW)
    if raw is None:
        raw = image.block(0, range(image.n_channels), everything, everything, everything)
        contrast = tuple(contrast_limits(channel) for channel in raw)
    context.check()
    segmentations: dict[str, NDArray[Any]] = {}
    for name in sample.segmentation_names:
        labels = known[name] if name in known else dataset.labels(sample, name)
        if labels.shape != raw.shape[1:]:
            raise DatasetError(
                f"Sample {sample.id}: the segmentation {name} is {_size(labels.shape)} pixels and the raw "
                f"image {_size(raw.shape[1:])}: reject the sample, or replace "
                f"{dataset.label_file(sample, name).path}."
            )
        segmentations[name] = labels
        context.check()
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
