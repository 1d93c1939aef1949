from __future__ import annotations

import dataclasses
import time
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
from segloop.training.augmentation import Batch
from segloop.training.budget import Budget
from segloop.training.cache import CachedSample, SampleArrays, store
from segloop.training.callbacks import Best, Keeper, Pace
from segloop.training.module import SegmentationModule
from segloop.training.patches import PatchLoader
from segloop.training.validation import Scores


class DearJudge:
    """Takes its time for a validation, as on large images, and always finds the same."""

    def __init__(self, first: float = 0.05, others: float = 0.05) -> None:
        self._seconds, self._others = first, others

    def validate(self, module: SegmentationModule) -> Scores | None:
        time.sleep(self._seconds)
        self._seconds = self._others
        return Scores(0.5, 0.9)

    def save_model(self, module: SegmentationModule, epoch: int, scores: Scores | None) -> None:
        pass


class SpoiltLoader(PatchLoader):
    """Some of its batches hold what no network can be trained on."""

    spoilt: tuple[tuple[int, int], ...] = ()

    def batch(self, epoch: int, number: int) -> Batch:
        batch = super().batch(epoch, number)
        if (epoch, number) in self.spoilt:
            batch.image[:] = np.inf
        return batch


def train(
    folder: Path, stop: StopConfig, *, batches: int = 1, spoilt: tuple[tuple[int, int], ...] = ()
) -> Run:
    """Train something tiny, validated by `DearJudge`."""
    return train_with(DearJudge(), folder, stop, batches, spoilt)[0]


def train_with(
    judge: DearJudge,
    folder: Path,
    stop: StopConfig,
    batches: int = 1,
    spoilt: tuple[tuple[int, int], ...] = (),
) -> tuple[Run, Pace]:
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
    loader.spoilt = spoilt
    budget = Budget(stop)
    pace = Pace(budget, log, loader, 1e-3)
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=stop.max_epochs,
        callbacks=[pace, Keeper(run, log, pace, budget, judge)],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
    )
    network = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.Conv2d(2, 1, 1))
    trainer.fit(SegmentationModule(network, ["probability"], OptimiserConfig()), loader)
    return run, pace


def tiny_sample(folder: Path) -> CachedSample:
    labels = np.zeros((1, 8, 8), np.int32)
    labels[0, :4] = 1
    arrays = SampleArrays(
        raw=labels[None].astype(np.float32),
        maps=(255 * labels[None]).astype(np.uint8),
        valid=np.ones((1, 1, 8, 8), bool),
        labels=labels,
        foreground=np.argwhere(labels).astype(np.int32),
        sizes=np.array([32]),
    )
    store(folder, arrays, name="tiny", ranges=np.array([[0, 1]], np.float32))
    sample = CachedSample.open(folder, "tiny")
    assert sample is not None
    return sample


def best_of(*scores: Scores) -> int:
    best = Best()
    for epoch, each in enumerate(scores, 1):
        best = best.next(each, epoch)
    return best.epoch


def test_a_clearly_higher_score_wins_whatever_its_loss() -> None:
    assert best_of(Scores(0.1, 0.9, 0.3, 200), Scores(0.5, 0.9, 0.6, 200)) == 2


def test_among_scores_within_noise_the_lower_loss_wins() -> None:
    assert best_of(Scores(0.4, 0.9, 0.81, 200), Scores(0.3, 0.9, 0.79, 200)) == 2
    assert best_of(Scores(0.3, 0.9, 0.79, 200), Scores(0.4, 0.9, 0.81, 200)) == 1


def test_a_clearly_lower_score_loses_whatever_its_loss() -> None:
    assert best_of(Scores(0.4, 0.9, 0.8, 2000), Scores(0.1, 0.9, 0.6, 2000)) == 1


def test_scores_do_not_creep_down() -> None:
    falling = [Scores(0.5 - 0.01 * n, 0.9, 0.8 - 0.02 * n, 2000) for n in range(20)]

    assert best_of(*falling) <= 2


def test_many_objects_tell_smaller_differences() -> None:
    few, many = Scores(0.1, 0.9, 0.8, 100), Scores(0.1, 0.9, 0.8, 10_000)

    assert many.uncertainty < 0.01 < few.uncertainty < 0.1


def test_one_lucky_object_does_not_outweigh_all_later_progress() -> None:
    assert best_of(Scores(2.6, 0.15, 0.02, 65), Scores(2.3, 0.23, 0.0, 65)) == 2
    assert best_of(Scores(0.3, 0.9, 0.9, 10), Scores(0.4, 0.9, 1.0, 10)) == 1


def test_it_is_told_to_a_checkpoint_and_back() -> None:
    best = Best().next(Scores(0.4, 0.9, 0.8, 200), 3)

    assert Best(**dataclasses.asdict(best)) == best


def test_it_counts_the_validations_since() -> None:
    best = Best()
    for epoch, loss in enumerate((0.5, 0.4, 0.6, 0.7), 1):
        best = best.next(Scores(loss, 0.9), epoch)

    assert (best.epoch, best.since) == (2, 2)


@pytest.mark.filterwarnings("ignore:::lightning")
def test_patience_ends_it_only_after_some_validations_however_dear_they_are(tmp_path: Path) -> None:
    run = train(tmp_path, StopConfig(patience=3, max_epochs=100_000))

    epochs = [epoch for epoch, _ in run.metrics()["train_loss"]]
    validated = [epoch for epoch, _ in run.metrics()["val_loss"]]
    assert len(validated) == 1 + 3
    assert validated[-1] == epochs[-1] >= 1 + 3


@pytest.mark.filterwarnings("ignore:::lightning")
def test_patience_counts_epochs_however_often_they_are_validated(tmp_path: Path) -> None:
    run, _ = train_with(DearJudge(0.0, 0.0), tmp_path, StopConfig(patience=30, max_epochs=100_000))

    epochs = [epoch for epoch, _ in run.metrics()["train_loss"]]
    validated = [epoch for epoch, _ in run.metrics()["val_loss"]]
    assert validated[-1] == epochs[-1] == 1 + 30


@pytest.mark.filterwarnings("ignore:::lightning")
def test_a_batch_without_a_usable_gradient_is_left_out_and_said(tmp_path: Path) -> None:
    run = train(tmp_path, StopConfig(max_epochs=3), batches=4, spoilt=((1, 2),))

    state = torch.load(run.last_checkpoint, weights_only=True)["state_dict"]
    assert all(bool(torch.isfinite(values).all()) for values in state.values())
    losses = [loss for _, loss in run.metrics()["train_loss"]]
    assert len(losses) == 3
    assert np.isfinite(losses).all()
    assert run.job.message == "Left out 25.0% of the steps of epoch 2: loss or gradient was no number."


@pytest.mark.filterwarnings("ignore:::lightning")
def test_batches_without_a_usable_gradient_end_the_training_if_they_are_most(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"diverged in epoch 2 .*: start again with a lower"):
        train(tmp_path, StopConfig(max_epochs=3), batches=4, spoilt=((1, 0), (1, 1), (1, 3)))


@pytest.mark.filterwarnings("ignore:::lightning")
@pytest.mark.parametrize(
    ("stop", "ended_by"),
    [
        (StopConfig(max_minutes=0.02, patience=0, max_epochs=100_000), "time"),
        (StopConfig(patience=3, max_epochs=100_000), "patience"),
        (StopConfig(max_epochs=2), "epochs"),
    ],
    ids=["time", "patience", "epochs"],
)
def test_what_ended_it_is_known_though_the_last_validation_took_less_than_was_kept_for_it(
    stop: StopConfig, ended_by: str, tmp_path: Path
) -> None:
    _, pace = train_with(DearJudge(first=0.5, others=0.0), tmp_path, stop)

    assert pace.ended_by == ended_by
