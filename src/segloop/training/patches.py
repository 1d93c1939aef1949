"""Random patches from cached samples, collected to batches while the network computes."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from segloop.config.train import AugmentationConfig, NormalisationConfig
from segloop.images.normalisation import normalise
from segloop.images.recipe import Recipe
from segloop.targets import Target
from segloop.training.augmentation import Batch, augment
from segloop.training.augmentations import Pipeline
from segloop.training.cache import CachedSample
from segloop.training.deformed_patches import read_deformed_patch

logger = logging.getLogger("segloop.training")

Patch = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]


def choose_corner(
    shape: Sequence[int],
    size: Sequence[int],
    foreground: NDArray[np.integer[Any]] | None,
    rng: np.random.Generator,
) -> tuple[int, ...]:
    """Choose where a patch begins.

    Parameters
    ----------
    shape : (Z, Y, X)
        Of the image.
    size : (Z, Y, X)
        Of the patch.
    foreground : (N, 3) int or None
        Places of which one is to lie in the patch, wherever in it; None chooses anywhere in the image.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    tuple of int
        First Z, Y, X of the patch; 0 along axes where the patch is as large as the image, or larger.
    """
    last = np.maximum(np.subtract(shape, size), 0)
    if foreground is None or len(foreground) == 0:
        corner = rng.integers(0, last + 1)
    else:
        place = foreground[rng.integers(len(foreground))]
        corner = np.clip(place - rng.integers(0, size), 0, last)
    return tuple(int(value) for value in corner)


def read_patch(
    sample: CachedSample, corner: Sequence[int], size: Sequence[int], config: NormalisationConfig
) -> Patch:
    """Read one patch.

    Parameters
    ----------
    sample : CachedSample
        Where from.
    corner, size : (Z, Y, X)
        Where it begins and how large it is; what lies beyond the image is filled by reflection and not valid.
    config : NormalisationConfig
        Where scaled intensities are clipped.

    Returns
    -------
    image : (C, Z, Y, X) float32
        Percentile-normalised.
    maps : (K, Z, Y, X) float32
        Encoded ground truth, 0 to 1.
    valid : (K, Z, Y, X) bool
        Where each map counts.
    """
    arrays = sample.arrays()
    window = tuple(slice(first, first + side) for first, side in zip(corner, size, strict=True))
    image = normalise(
        arrays.raw[(slice(None), *window)],
        np.array(sample.ranges, np.float32),
        config.clip_low,
        config.clip_high,
    )
    maps = arrays.maps[(slice(None), *window)].astype(np.float32) / np.float32(255)
    valid = np.broadcast_to(arrays.valid[(slice(None), *window)], maps.shape)
    missing = [(0, side - have) for side, have in zip(size, image.shape[1:], strict=True)]
    if any(after for _, after in missing):
        padding = [(0, 0), *missing]
        image = np.pad(image, padding, mode="symmetric")
        maps, valid = np.pad(maps, padding), np.pad(valid, padding)
    return image, maps, np.ascontiguousarray(valid)


class PatchLoader:
    """Batches of random patches, an epoch at a time.

    What is drawn depends on the seed and on the numbers of epoch and batch alone, so that a resumed training
    sees what it would have seen. Of several processes that train together, each draws other patches: the
    batches of an epoch are numbered across all of them. One batch is prepared ahead in a thread.

    Parameters
    ----------
    samples : sequence of CachedSample
        What to learn from; each is drawn equally often.
    size : (Y, X) or (Z, Y, X)
        Of a patch; with two sides, patches come from single slices.
    batch_size, batches : int
        Patches a batch, and batches an epoch.
    foreground_fraction : float
        Share of the patches that hold a foreground voxel for sure.
    normalisation, augmentation
        From the config.
    seed : int
        Seed of all choices.
    recipe : Recipe, optional
        Computes the network's inputs from the augmented channels; without it, these are the channels.
    rank, world_size : int
        Number of this process, and how many train together.
    target : Target, optional
        Encodes labels after spatial augmentations of the pipeline; needed if there are any.
    pipeline : Pipeline, optional
        Further augmentations.
    """

    def __init__(
        self,
        samples: Sequence[CachedSample],
        size: Sequence[int],
        batch_size: int,
        batches: int,
        *,
        foreground_fraction: float,
        normalisation: NormalisationConfig,
        augmentation: AugmentationConfig,
        seed: int,
        recipe: Recipe | None = None,
        rank: int = 0,
        world_size: int = 1,
        target: Target | None = None,
        pipeline: Pipeline = Pipeline(),  # noqa: B008 - frozen
    ) -> None:
        self.samples = tuple(samples)
        self.flat = len(size) == 2
        self.size = (1, *size) if self.flat else tuple(size)
        self.batch_size = batch_size
        self.batches = batches
        self.foreground_fraction = foreground_fraction
        self.normalisation = normalisation
        self.augmentation = augmentation
        self.seed = seed
        self.recipe = recipe
        self.rank = rank
        self.world_size = world_size
        self.target = target
        self.pipeline = pipeline
        self.epoch = 0
        self._warned = False

    def __len__(self) -> int:
        return self.batches

    @property
    def sampler(self) -> PatchLoader:
        """The loader itself: Lightning calls ``set_epoch`` of a loader's sampler."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Draw the patches of this epoch next."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[Batch]:
        epoch = self.epoch
        with ThreadPoolExecutor(1, thread_name_prefix="patches") as pool:
            ahead = pool.submit(self.batch, epoch, 0)
            for number in range(1, self.batches):
                ready, ahead = ahead, pool.submit(self.batch, epoch, number)
                yield ready.result()
            yield ahead.result()

    def batch(self, epoch: int, number: int) -> Batch:
        """Return the batch of this number for this process, augmented, on the CPU."""
        number = number * self.world_size + self.rank
        rng = np.random.default_rng([self.seed, epoch, number])
        first = (epoch * self.batches * self.world_size + number) * self.batch_size
        patches = [self._draw(self._sample(first + i), rng) for i in range(self.batch_size)]
        image, maps, valid = (torch.from_numpy(np.stack(parts)) for parts in zip(*patches, strict=True))
        if self.flat:
            image, maps, valid = image[:, :, 0], maps[:, :, 0], valid[:, :, 0]
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        drawn = Batch(image, maps, valid)
        return self._mix(self._without_unusable(augment(drawn, self.augmentation, generator), drawn))

    def _mix(self, batch: Batch) -> Batch:
        """Compute the inputs of the network."""
        if self.recipe is None:
            return batch
        inputs = [torch.from_numpy(self.recipe.apply(patch.numpy())) for patch in batch.image]
        return replace(batch, image=torch.stack(inputs))

    def _without_unusable(self, augmented: Batch, drawn: Batch) -> Batch:
        """Take patches that augmentation made unusable as they were drawn, to not spoil their batch."""
        usable = augmented.image.isfinite().flatten(1).all(dim=1)
        if usable.all():
            return augmented
        if not self._warned:
            self._warned = True
            logger.warning("Augmentation gave intensities that are not finite: such patches stay unchanged.")
        keep = usable.reshape(-1, *[1] * (augmented.image.ndim - 1))
        return Batch(
            torch.where(keep, augmented.image, drawn.image),
            torch.where(keep, augmented.maps, drawn.maps),
            torch.where(keep, augmented.valid, drawn.valid),
        )

    def _sample(self, draw: int) -> CachedSample:
        # All samples in a new random order each round, so that none is drawn more often than another.
        turn, position = divmod(draw, len(self.samples))
        order = np.random.default_rng([self.seed, 2**32 + turn]).permutation(len(self.samples))
        return self.samples[int(order[position])]

    def _draw(self, sample: CachedSample, rng: np.random.Generator) -> Patch:
        on_foreground = rng.random() < self.foreground_fraction
        arrays = sample.arrays()
        places = arrays.foreground if on_foreground else arrays.counting
        corner = choose_corner(sample.shape, self.size, places, rng)
        spatial, intensity = self.pipeline.spatial, self.pipeline.intensity
        if not spatial and not intensity:
            return read_patch(sample, corner, self.size, self.normalisation)
        seed = int(rng.integers(2**31))
        if spatial and self.target is not None:
            image, maps, valid = read_deformed_patch(
                sample, corner, self.size, self.normalisation, self.target, spatial, seed
            )
        else:
            image, maps, valid = read_patch(sample, corner, self.size, self.normalisation)
        tensor = torch.from_numpy(image[:, 0] if self.flat else image)
        for number, augmentation in enumerate(intensity, len(spatial)):
            tensor = augmentation({"image": tensor}, seed + number)["image"]
        return tensor.numpy().reshape(image.shape), maps, valid
