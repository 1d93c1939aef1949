from __future__ import annotations

import dataclasses
from pathlib import Path

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from torch import nn

from segloop.artifacts.job.job import EventLog
from segloop.artifacts.run.run import Run
from segloop.config.train import (
    AugmentationConfig,
    NormalisationConfig,
    OptimiserConfig,
    StopConfig,
    TrainConfig,
)
from segloop.core.errors import RunError
from segloop.targets import LossTerm
from segloop.targets.scoring import proportion_uncertainty
from segloop.training.augmentation import Batch
from segloop.training.best_validation import BestValidation
from segloop.training.checkpoint_callback import CheckpointCallback
from segloop.training.losses import TargetLoss
from segloop.training.module import SegmentationModule
from segloop.training.patches import PatchLoader
from segloop.training.progress_callback import ProgressCallback
from segloop.training.schedule import Schedule
from segloop.training.validation import Scores
from training_fixtures import FakeClock, tiny_sample

pytestmark = pytest.mark.filterwarnings("ignore:::lightning")

STEP = 0.01
"""Seconds that a training step takes by the fake clock."""


class SlowValidator:
    """Takes its time for a validation, by the fake clock, and always finds the same."""

    def __init__(self, clock: FakeClock, first: float = 5 * STEP, others: float = 5 * STEP) -> None:
        self._clock = clock
        self._seconds, self._others = first, others

    def validate(self, module: SegmentationModule) -> Scores | None:
        self._clock.advance(self._seconds)
        self._seconds = self._others
        return Scores(0.5, {"dice": 0.9}, 0.01)

    def save_model(self, module: SegmentationModule, epoch: int, scores: Scores | None) -> None:
        pass


class SpoiltLoader(PatchLoader):
    """Some of its batches hold what no network can be trained on; each takes a step of the fake clock."""

    spoilt: tuple[tuple[int, int], ...] = ()
    clock: FakeClock

    def batch(self, epoch: int, number: int) -> Batch:
        self.clock.advance(STEP)
        batch = super().batch(epoch, number)
        if (epoch, number) in self.spoilt:
            batch.image[:] = np.inf
        return batch


def train(
    folder: Path,
    stop: StopConfig,
    *,
    batches: int = 1,
    spoilt: tuple[tuple[int, int], ...] = (),
    validation: tuple[float, float] = (5 * STEP, 5 * STEP),
    validate_every: int = 1,
) -> tuple[Run, ProgressCallback]:
    """Train something tiny; the validations take these seconds, the first one and the others."""
    clock = FakeClock()
    run = Run.create(folder / "run", TrainConfig())
    log = EventLog(run.path)
    loader = SpoiltLoader(
        [tiny_sample(folder / "entry")],
        (4, 4),
        1,
        batches,
        foreground_fraction=0.5,
        normalisation=NormalisationConfig(),
        augmentation=AugmentationConfig(),
        seed=0,
    )
    loader.spoilt, loader.clock = spoilt, clock
    schedule = Schedule(stop, batches, clock=clock)
    progress = ProgressCallback(schedule, log)
    validator = SlowValidator(clock, *validation)
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=stop.max_epochs,
        callbacks=[progress, CheckpointCallback(run, log, progress, schedule, validator, validate_every)],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
    )
    network = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.Conv2d(2, 1, 1))
    loss = TargetLoss([LossTerm("foreground", "binary_dice", (0,))])
    module = SegmentationModule(network, loss, OptimiserConfig(), schedule.fraction)
    trainer.fit(module, loader)
    return run, progress


def scored(loss: float, ap50: float, n_objects: int) -> Scores:
    return Scores(loss, {"ap50": ap50}, proportion_uncertainty(ap50, n_objects))


def best_of(*scores: Scores) -> int:
    best = BestValidation()
    for epoch, each in enumerate(scores, 1):
        best = best.next(each, epoch)
    return best.epoch


def test_a_clearly_higher_score_wins_whatever_its_loss() -> None:
    assert best_of(scored(0.1, 0.3, 200), scored(0.5, 0.6, 200)) == 2


def test_among_scores_within_noise_the_lower_loss_wins() -> None:
    assert best_of(scored(0.4, 0.81, 200), scored(0.3, 0.79, 200)) == 2
    assert best_of(scored(0.3, 0.79, 200), scored(0.4, 0.81, 200)) == 1


def test_a_clearly_lower_score_loses_whatever_its_loss() -> None:
    assert best_of(scored(0.4, 0.8, 2000), scored(0.1, 0.6, 2000)) == 1


def test_scores_do_not_creep_down() -> None:
    falling = [scored(0.5 - 0.01 * n, 0.8 - 0.02 * n, 2000) for n in range(20)]

    assert best_of(*falling) <= 2


def test_many_objects_tell_smaller_differences() -> None:
    few, many = scored(0.1, 0.8, 100), scored(0.1, 0.8, 10_000)

    assert many.uncertainty < 0.01 < few.uncertainty < 0.1


def test_one_lucky_object_does_not_outweigh_all_later_progress() -> None:
    assert best_of(scored(2.6, 0.02, 65), scored(2.3, 0.0, 65)) == 2
    assert best_of(scored(0.3, 0.9, 10), scored(0.4, 1.0, 10)) == 1


def test_it_is_told_to_a_checkpoint_and_back() -> None:
    best = BestValidation().next(scored(0.4, 0.8, 200), 3)

    assert BestValidation(**dataclasses.asdict(best)) == best


def test_it_counts_the_validations_since() -> None:
    best = BestValidation()
    for epoch, loss in enumerate((0.5, 0.4, 0.6, 0.7), 1):
        best = best.next(Scores(loss, {"dice": 0.9}, 0.01), epoch)

    assert (best.epoch, best.since) == (2, 2)


def test_patience_ends_it_only_after_some_validations_however_long_they_take(tmp_path: Path) -> None:
    run, _ = train(tmp_path, StopConfig(patience=3, max_epochs=100_000), validation=(20 * STEP, 20 * STEP))

    epochs = [epoch for epoch, _ in run.metrics()["train_loss"]]
    validated = [epoch for epoch, _ in run.metrics()["val_loss"]]
    assert len(validated) == 1 + 3
    assert validated[-1] == epochs[-1] > 1 + 3


def test_patience_counts_epochs_however_often_they_are_validated(tmp_path: Path) -> None:
    run, _ = train(tmp_path, StopConfig(patience=30, max_epochs=100_000), validation=(0, 0))

    epochs = [epoch for epoch, _ in run.metrics()["train_loss"]]
    validated = [epoch for epoch, _ in run.metrics()["val_loss"]]
    assert validated[-1] == epochs[-1] == 1 + 30


def test_a_batch_without_a_usable_gradient_is_left_out_and_reported(tmp_path: Path) -> None:
    run, _ = train(tmp_path, StopConfig(max_epochs=3), batches=4, spoilt=((1, 2),))

    state = torch.load(run.last_checkpoint, weights_only=True)["state_dict"]
    assert all(bool(torch.isfinite(values).all()) for values in state.values())
    losses = [loss for _, loss in run.metrics()["train_loss"]]
    assert len(losses) == 3
    assert np.isfinite(losses).all()
    assert run.job.message == "Left out 25.0% of the steps of epoch 2: loss or gradient was not finite."


def test_batches_without_a_usable_gradient_end_the_training_if_they_are_most(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"diverged in epoch 2 .*: start again with a lower"):
        train(tmp_path, StopConfig(max_epochs=3), batches=4, spoilt=((1, 0), (1, 1), (1, 3)))


@pytest.mark.parametrize(
    ("stop", "ended_by"),
    [
        (StopConfig(max_minutes=0.02, patience=0, max_epochs=100_000), "time"),
        (StopConfig(max_steps=7, max_epochs=100_000), "steps"),
        (StopConfig(patience=3, max_epochs=100_000), "patience"),
        (StopConfig(max_epochs=2), "epochs"),
    ],
    ids=["time", "steps", "patience", "epochs"],
)
def test_what_ended_it_is_known_though_the_last_validation_took_less_than_was_kept_for_it(
    stop: StopConfig, ended_by: str, tmp_path: Path
) -> None:
    _, progress = train(tmp_path, stop, validation=(50 * STEP, 0))

    assert progress.ended_by == ended_by


@pytest.mark.parametrize("validation", [(0.0, 0.0), (0.1, 3.0)], ids=["fast", "slow"])
def test_a_number_of_steps_is_validated_at_the_same_epochs_however_long_it_takes(
    validation: tuple[float, float], tmp_path: Path
) -> None:
    run, _ = train(
        tmp_path, StopConfig(max_steps=34, patience=0), batches=4, validation=validation, validate_every=3
    )

    rows = run.metrics()
    assert [epoch for epoch, _ in rows["val_loss"]] == [3, 6, 9]
    assert [epoch for epoch, _ in rows["train_loss"]] == list(range(1, 10))
    state = torch.load(run.last_checkpoint, weights_only=True)
    assert state["global_step"] == 34


def test_the_learning_rate_falls_by_steps_or_by_time(tmp_path: Path) -> None:
    by_steps, _ = train(tmp_path / "a", StopConfig(max_epochs=10, patience=0))
    by_time, _ = train(tmp_path / "b", StopConfig(max_minutes=0.01, max_epochs=10_000, patience=0))

    for run in (by_steps, by_time):
        rates = [rate for _, rate in run.metrics()["learning_rate"]]
        assert rates[-1] < 0.1 * max(rates)
