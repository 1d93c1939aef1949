"""What a training draws from, as a LightningDataModule."""

from __future__ import annotations

from collections.abc import Sequence

import lightning.pytorch as pl

from segloop.artifacts.run.plan import TrainingPlan
from segloop.config.train import TrainConfig
from segloop.images.recipe import Recipe
from segloop.targets import Target
from segloop.training.augmentations import build_pipeline
from segloop.training.cache import CachedSample
from segloop.training.patches import PatchLoader


class PatchDataModule(pl.LightningDataModule):
    """Random patches of the training samples, for one process or for several that train together.

    With several processes each draws its own patches, and an epoch has as many patches as with one.

    Parameters
    ----------
    samples : sequence of CachedSample
        What to learn from.
    plan : TrainingPlan
        Size and number of the patches, and what the inputs are computed from.
    config : TrainConfig
        Normalisation, augmentation and seed.
    target : Target, optional
        Encodes labels after spatial augmentations; needed if there are any.
    """

    def __init__(
        self,
        samples: Sequence[CachedSample],
        plan: TrainingPlan,
        config: TrainConfig,
        target: Target | None = None,
    ) -> None:
        super().__init__()
        self._samples = tuple(samples)
        self._plan = plan
        self._config = config
        self._target = target

    def train_dataloader(self) -> PatchLoader:
        """Return the batches of this process."""
        trainer = self.trainer
        rank, world_size = (0, 1) if trainer is None else (trainer.global_rank, trainer.world_size)
        return PatchLoader(
            self._samples,
            self._plan.patch_size,
            self._plan.batch_size,
            -(-self._plan.batches_per_epoch // world_size),
            foreground_fraction=self._config.patch.foreground_fraction,
            normalisation=self._config.normalisation,
            augmentation=self._config.augmentation,
            seed=self._config.seed,
            recipe=Recipe.parse(self._plan.channels),
            rank=rank,
            world_size=world_size,
            target=self._target,
            pipeline=build_pipeline(self._config.augmentation.more, self._plan.dimensions),
        )
