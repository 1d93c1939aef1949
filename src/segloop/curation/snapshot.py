"""A sample as it is shown: its pixels, and the ground truth composed from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.ground_truth import Composition
from segloop.artifacts.dataset.manifest import Sample
from segloop.core.context import Context
from segloop.curation.pixel_cache import PixelCache
from segloop.curation.pixels import Pixels, Stack
from segloop.images.lazy_stack import Block, LazyStack


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
    truth: Stack
    excluded: Stack


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
    if pixels.is_lazy and shown is not None and shown.pixels is pixels:
        before = shown.sample
        if (before.base, before.regions) == (sample.base, sample.regions):
            return Snapshot(sample, pixels, shown.truth, shown.excluded)
    composition = Composition(
        pixels.segmentations,
        sample,
        instances=dataset.label_kind == "instances",
        slices_at_once=_slices_at_once(pixels.shape) if pixels.is_lazy else None,
        context=context,
    )
    if pixels.is_lazy:
        return Snapshot(sample, pixels, *_lazy_truth(composition))
    truth = composition.block()
    context.check()
    labels: Stack = np.where(truth.valid, truth.labels, np.int32(0))
    excluded: Stack = stripes(truth.valid)
    if shown is not None and shown.sample.id == sample.id:
        labels, excluded = _old_if_equal(shown.truth, labels), _old_if_equal(shown.excluded, excluded)
    return Snapshot(sample, pixels, labels, excluded)


def _lazy_truth(composition: Composition) -> tuple[LazyStack, LazyStack]:
    def labels(block: Block) -> NDArray[np.int32]:
        truth = composition.block(block)
        return np.where(truth.valid, truth.labels, np.int32(0))

    def excluded(block: Block) -> NDArray[np.uint8]:
        return stripes(composition.valid(block), start=(block[1].start, block[2].start))

    shape = composition.shape
    return LazyStack(shape, np.int32, labels), LazyStack(shape, np.uint8, excluded)


def _slices_at_once(shape: tuple[int, int, int]) -> int:
    """Return how many slices have about 32 million pixels."""
    return max(1, (1 << 25) // (shape[1] * shape[2]))


def stripes(valid: NDArray[np.bool_], period: int = 8, start: tuple[int, int] = (0, 0)) -> NDArray[np.uint8]:
    """Return diagonal stripes over what is not valid, for showing it hatched.

    Parameters
    ----------
    valid : (Z, Y, X) bool
        See `GroundTruth`.
    period : int, optional
        Distance from stripe to stripe along Y or X, in pixels.
    start : (y, x), optional
        Where in the image the array begins, so that the stripes of its parts fit together.

    Returns
    -------
    (Z, Y, X) uint8
        2 on a stripe, 1 between stripes, 0 where valid.
    """
    height, width = valid.shape[1:]
    along = np.arange(sum(start), sum(start) + height + width) % period
    hatch = np.where(along < period // 3 + 1, 2, 1).astype(np.uint8)
    # A view, in which the pixel (y, x) is number y + x.
    diagonal = np.lib.stride_tricks.sliding_window_view(hatch, width)[:height]
    return np.where(valid, np.uint8(0), diagonal)


def _old_if_equal(old: Stack, new: Stack) -> Stack:
    same = not isinstance(old, LazyStack) and not isinstance(new, LazyStack) and np.array_equal(old, new)
    return old if same else new
