"""Pixels of the samples that were looked at last, kept in memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.manifest import Sample
from segloop.core.context import Context
from segloop.curation.pixels import RAW, Pixels, read_pixels


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
        unchanged: set[str] = set()
        if kept is not None and stamps is not None:
            if stamps == kept.stamps and list(stamps) == list(kept.stamps):
                return kept.pixels
            unchanged = {name for name, stamp in stamps.items() if stamp == kept.stamps.get(name)}
        pixels = read_pixels(dataset, sample, context, kept.pixels if kept else None, unchanged)
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
        stamps: dict[str, object] = {RAW: _stamp(dataset.resolve(sample.raw))}
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
