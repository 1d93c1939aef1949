"""Patches whose pixels are moved at random before their labels are encoded.

Flips and turns by 90 degrees commute with the encoding, so the maps that were encoded once for the whole
image move along with them. Any other deformation changes distances, so labels are deformed first and encoded
afterwards, in a window that is larger than the patch, to keep objects whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from segloop.config.train import NormalisationConfig
from segloop.images.normalisation import normalise
from segloop.targets import Target
from segloop.training.augmentations import Augmentation
from segloop.training.cache import CachedSample

_CONTEXT = (8, 32, 32)  # voxels around the patch along Z, Y, X


def read_deformed_patch(
    sample: CachedSample,
    corner: Sequence[int],
    size: Sequence[int],
    config: NormalisationConfig,
    target: Target,
    augmentations: Sequence[Augmentation],
    seed: int,
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
    """Read a patch, deform it, and encode its labels.

    Parameters
    ----------
    sample, corner, size, config
        As in `segloop.training.patches.read_patch`.
    target : Target
        Encodes the labels.
    augmentations : sequence of Augmentation
        Spatial ones, applied in order.
    seed : int
        Of all random choices.

    Returns
    -------
    image, maps, valid
        As in `segloop.training.patches.read_patch`. What comes from beyond the image is not valid.
    """
    flat = target.dims == 2
    context = (0, *_CONTEXT[1:]) if flat else _CONTEXT
    start = [first - margin for first, margin in zip(corner, context, strict=True)]
    shape = [side + 2 * margin for side, margin in zip(size, context, strict=True)]
    image, labels, valid = _read(sample, start, shape, config)
    if target.needs_objects:
        # Small numbers, which 32-bit floats hold exactly.
        labels = np.unique(labels, return_inverse=True)[1].reshape(labels.shape) if labels.any() else labels
    patch = {"image": image, "labels": labels[None], "valid": valid[None]}
    tensors = {
        name: torch.from_numpy(np.ascontiguousarray(array[:, 0] if flat else array, np.float32))
        for name, array in patch.items()
    }
    for number, augment in enumerate(augmentations):
        tensors = augment(tensors, seed + number)
    arrays = {name: tensor.numpy().reshape(-1, *shape) for name, tensor in tensors.items()}
    counts = arrays["valid"][0] > 0.5
    encoded = target.encode(np.rint(arrays["labels"][0]).astype(np.int32), counts)
    centre = (slice(None), *(slice(m, m + side) for m, side in zip(context, size, strict=True)))
    return (
        np.ascontiguousarray(arrays["image"][centre], np.float32),
        np.ascontiguousarray(encoded.maps[centre], np.float32),
        np.ascontiguousarray(encoded.valid[centre]),
    )


def _read(
    sample: CachedSample, start: Sequence[int], shape: Sequence[int], config: NormalisationConfig
) -> tuple[NDArray[np.float32], NDArray[Any], NDArray[np.bool_]]:
    """Read a window that may reach beyond the image: mirrored there, and not valid."""
    arrays = sample.arrays()
    window, padding = [], []
    for first, side, full in zip(start, shape, sample.shape, strict=True):
        low, high = max(first, 0), min(first + side, full)
        window.append(slice(low, high))
        padding.append((low - first, first + side - high))
    inside = tuple(window)
    image = normalise(
        arrays.raw[(slice(None), *inside)],
        np.array(sample.ranges, np.float32),
        config.clip_low,
        config.clip_high,
    )
    valid = np.asarray(arrays.valid[(slice(None), *inside)]).any(axis=0)
    return (
        np.pad(image, [(0, 0), *padding], mode="symmetric"),
        np.pad(arrays.labels[inside], padding),
        np.pad(valid, padding),
    )
