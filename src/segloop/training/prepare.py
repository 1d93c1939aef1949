"""From accepted samples to entries of the cache, each made once; what can't be used is said and left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.config.train import NormalisationConfig
from segloop.core.context import Context
from segloop.core.errors import DatasetError, ImageError
from segloop.core.file_errors import reading
from segloop.core.fingerprint import quick_identity
from segloop.core.memory import free_memory
from segloop.images.normalisation import measure_intensities
from segloop.targets import Target, quantise
from segloop.targets.objects import label_objects
from segloop.training.cache import CachedSample, CacheError, DamagedEntryError, SampleArrays, entry_key, store
from segloop.training.planning.samples import Header

MAX_PLACES = 20_000
"""How many foreground voxels of a sample are remembered as places for patches."""

_SPARSE = 0.5
"""Of an image of which less counts, such as a stack with a few labelled slices, patches lie where it does."""

_READ_AT_ONCE = 1 << 26  # voxels
_MEMORY_SHARE = 0.25  # of what is free, for keeping samples in memory


def prepare(
    dataset: CuratedDataset,
    headers: Sequence[Header],
    target: Target,
    normalisation: NormalisationConfig,
    root: Path,
    context: Context,
    warn: Callable[[str], None],
) -> list[CachedSample]:
    """Return the cache's entries of all samples that can be learnt from, making those that are missing.

    Parameters
    ----------
    dataset : CuratedDataset
        Composes the ground truth.
    headers : sequence of Header
        The samples.
    target : Target
        Encodes the ground truth.
    normalisation : NormalisationConfig
        Percentiles of the intensities.
    root : Path
        The cache's folder.
    context : Context
        Receives progress; cancels between samples and within large ones.
    warn : callable
        Receives one sentence for each sample that is left out, and for each damaged entry that is replaced.

    Raises
    ------
    CacheError
        If the cache can't be written.
    Cancelled
        If the user asks to stop.
    """
    samples = []
    for header in context.track(headers, len(headers), "Reading images"):
        try:
            sample = _entry(dataset, header, target, normalisation, root, context, warn)
        except CacheError:
            raise
        except (ImageError, DatasetError) as error:
            warn(f"Left out: {error}")
            continue
        if sample.problem:
            warn(f"Left out: {sample.problem}")
        else:
            samples.append(sample)
    return samples


def keep_in_memory(samples: Sequence[CachedSample]) -> list[CachedSample]:
    """Decide which samples stay in memory: as many as a quarter of what is free holds, small ones first."""
    free = free_memory() * _MEMORY_SHARE
    chosen = {}
    for sample in sorted(samples, key=lambda sample: sample.n_bytes):
        free -= sample.n_bytes
        chosen[sample.folder] = free >= 0
    return [replace(sample, in_memory=chosen[sample.folder]) for sample in samples]


def _entry(
    dataset: CuratedDataset,
    header: Header,
    target: Target,
    normalisation: NormalisationConfig,
    root: Path,
    context: Context,
    warn: Callable[[str], None],
) -> CachedSample:
    folder = root / entry_key(_made_from(dataset, header, target, normalisation))
    try:
        found = CachedSample.open(folder, header.sample.id)
    except DamagedEntryError:
        warn(f"The prepared copy of {header.image.name} in the cache is damaged; it is prepared again.")
        found = None
    if found is None:
        _make(dataset, header, target, normalisation, folder, context)
        found = CachedSample.open(folder, header.sample.id)
    if found is None:
        raise DatasetError(f"The cache entry {folder} was changed while it was written: start again.")
    return found


def _made_from(
    dataset: CuratedDataset, header: Header, target: Target, normalisation: NormalisationConfig
) -> dict[str, Any]:
    """Return, as plain values, everything that the pixels of an entry depend on."""
    sample = header.sample
    labels = [dataset.label_file(sample, name) for name in sample.used_segmentations]
    return {
        "raw": [_file_identity(dataset.resolve(sample.raw)), sample.raw.scene],
        "labels": [
            [name, _file_identity(file.path), file.scene, file.channel, *file.digests()]
            for name, file in zip(sample.used_segmentations, labels, strict=True)
        ],
        "name": header.image.name,
        "channels": header.channels,
        "base": sample.base,
        "regions": [region.model_dump(mode="json") for region in sample.regions],
        "label_kind": dataset.label_kind,
        "percentiles": [normalisation.low, normalisation.high],
        "target": repr(target),
    }


def _file_identity(path: Path) -> dict[str, Any]:
    with reading(path, DatasetError):
        return quick_identity(path)


def _make(
    dataset: CuratedDataset,
    header: Header,
    target: Target,
    normalisation: NormalisationConfig,
    folder: Path,
    context: Context,
) -> None:
    image = header.image
    truth = dataset.ground_truth(header.sample)
    if truth.labels.shape != header.shape:
        raise DatasetError(
            f"{image.name} is {_text(header.shape)} but its segmentation is {_text(truth.labels.shape)} "
            "(Z × Y × X): replace one of them by a file of the same shape."
        )
    labels = np.where(truth.valid, truth.labels, 0).astype(np.int32, copy=False)
    if target.needs_objects and dataset.label_kind != "instances":
        labels = label_objects(labels, target.dims)
    encoded = target.encode(labels, truth.valid)
    context.check()
    valid = encoded.valid
    if all(np.array_equal(valid[0], other) for other in valid[1:]):
        valid = valid[:1]
    intensities = measure_intensities(
        image, 0, header.channels, normalisation.low, normalisation.high, _silent(context)
    )
    arrays = SampleArrays(
        raw=_read(header, context),
        maps=quantise(encoded.maps),
        valid=valid,
        labels=labels,
        foreground=_places(labels),
        sizes=_sizes(labels, target.dims),
        counting=_places(truth.valid if truth.valid.mean() < _SPARSE else np.zeros_like(truth.valid)),
    )
    problem = _problem(image.name, truth.valid, intensities.ranges)
    store(folder, arrays, name=image.name, intensities=intensities, problem=problem)


def _problem(name: str, valid: NDArray[np.bool_], ranges: NDArray[np.float32]) -> str:
    if not valid.any():
        return f"all of {name} is excluded: remove an exclude region to learn from it."
    if (ranges[:, 1] <= ranges[:, 0]).all():
        return f"{name} has the same intensity everywhere: replace or reject it."
    return ""


def _read(header: Header, context: Context) -> NDArray[Any]:
    z, y, x = header.shape
    raw = np.empty((len(header.channels), z, y, x), header.image.dtype)
    step = max(1, _READ_AT_ONCE // (y * x * len(header.channels)))
    for first in range(0, z, step):
        context.check()
        slices = slice(first, min(first + step, z))
        raw[:, slices] = header.image.block(0, header.channels, slices, slice(0, y), slice(0, x))
    return raw


def _places(mask: NDArray[Any]) -> NDArray[np.int32]:
    """Return Z, Y, X of voxels that are not 0; some of them, at random, if they are many."""
    flat = np.flatnonzero(mask)
    if len(flat) > MAX_PLACES:
        flat = np.random.default_rng(0).choice(flat, MAX_PLACES, replace=False)
    return np.stack(np.unravel_index(flat, mask.shape), axis=1).astype(np.int32)


def _sizes(labels: NDArray[np.int32], dims: int) -> NDArray[np.int64]:
    """Return the sizes of the objects as a prediction would hold them: each is connected."""
    return np.bincount(label_objects(labels, dims).ravel())[1:].astype(np.int64)


def _silent(context: Context) -> Context:
    return Context(cancelled=context.cancelled)


def _text(shape: Sequence[int]) -> str:
    return " × ".join(str(side) for side in shape)
