"""Tiny cached samples, clocks and what is asked of runs, for the tests of training."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn

from segloop.app.tasks import train_run
from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.job.events import MessageEvent, MetricsEvent
from segloop.artifacts.job.job import JobFolder, OnEvent
from segloop.artifacts.job.state import JobState
from segloop.artifacts.model.model import Model
from segloop.artifacts.run.run import Run
from segloop.config import compose
from segloop.config.train import TrainConfig
from segloop.images.normalisation import Intensities
from segloop.networks import NetworkSpec
from segloop.targets import Target, quantise
from segloop.training.cache import CachedSample, SampleArrays, store
from segloop.training.extras import Extras

QUICK = ["patch.size=[48,48]", "patch.batch_size=4", "patch.per_epoch=32", "stop.max_epochs=6"]
TINY = ["patch.size=[32,32]", "patch.batch_size=2", "patch.per_epoch=6", "stop.max_epochs=3"]
ENDLESS = ["patch.size=[32,32]", "patch.batch_size=2", "patch.per_epoch=6", "stop.patience=0"]


def intensities_within(low: float, high: float, channels: int = 1) -> Intensities:
    """Return intensities of an image whose normalisation is this range."""
    ranges = np.array([[low, high]] * channels, np.float32)
    return Intensities(ranges, ranges[:, ::-1], ranges.mean(axis=1))


def config(dataset: CuratedDataset, overrides: list[str], *more: str) -> TrainConfig:
    return compose.compose(TrainConfig, [f"dataset={dataset.path}", *overrides, *more])


def train(
    config: TrainConfig, path: Path | str, on_event: OnEvent | None = None, extras: Extras | None = None
) -> Run:
    """Train a new run in this process, as the command does."""
    train_run(config, Path(path), on_event, extras)
    return Run(Path(path).resolve())


def messages(run: Run, level: str) -> list[str]:
    return [event.text for event in run.job.events_of(MessageEvent) if event.level == level]


def epochs_done(job: JobFolder) -> int:
    event = job.last(MetricsEvent)
    return event.epoch if event is not None else 0


def weights(run: Run) -> dict[str, torch.Tensor]:
    return load_file(run.model_dir / "weights.safetensors")


def state(run: Run) -> dict[str, torch.Tensor]:
    return dict(torch.load(run.last_checkpoint, weights_only=True)["state_dict"])


def require_learnt(run: Run) -> None:
    """The loss has fallen and the run holds a model that works."""
    losses = [value for _, value in run.metrics()["train_loss"]]
    assert run.job.state() is JobState.finished
    assert losses[-1] < 0.85 * losses[0]
    Model.load(run.path).verify()


class TickingClock:
    """A clock that moves by some seconds whenever it is read."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._now = seconds, 0.0

    def __call__(self) -> float:
        self._now += self._seconds
        return self._now


@contextmanager
def stopping_when(folder: Path, ready: Callable[[JobFolder], bool]) -> Iterator[list[float]]:
    """Ask a run to stop as soon as its events say so; gives the time of the request."""
    asked: list[float] = []
    over = threading.Event()

    def watch() -> None:
        job = JobFolder(folder)
        while not over.wait(0.01):
            if ready(job):
                job.request_stop()
                asked.append(time.monotonic())
                return

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield asked
    finally:
        over.set()
        thread.join()


class ToyNetwork(nn.Module):
    """Two convolutions: too small to find objects within a few steps."""

    stride = (1, 1)
    halo = (2, 2)
    translation_equivariant = True

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(spec.in_channels, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, spec.out_channels, 3, padding=1),
        )

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.layers(image)  # type: ignore[no-any-return]


class FakeClock:
    """A clock that moves only when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let some time pass."""
        self.now += seconds


def tiny_sample(folder: Path, side: int = 8) -> CachedSample:
    """Return a sample whose upper half is bright and foreground; each intensity tells its place."""
    labels = np.zeros((1, side, side), np.int32)
    labels[0, : side // 2] = 1
    places = np.arange(side * side).reshape(labels.shape) / side**2 / 10
    arrays = SampleArrays(
        raw=(labels + places)[None].astype(np.float32),
        maps=(255 * labels[None]).astype(np.uint8),
        valid=np.ones((1, *labels.shape), bool),
        labels=labels,
        foreground=np.argwhere(labels).astype(np.int32),
        sizes=np.array([int(labels.sum())]),
    )
    store(folder, arrays, name="tiny", intensities=intensities_within(0, 1, 1))
    sample = CachedSample.open(folder, "tiny")
    assert sample is not None
    return sample


def disc_sample(folder: Path, target: Target, side: int = 96, radius: int = 7) -> CachedSample:
    """Return a sample with a disc in the middle, encoded as the target does."""
    place = np.hypot(*(np.indices((side, side)) - side // 2))
    labels = (place <= radius).astype(np.int32)[None]
    encoded = target.encode(labels, np.ones(labels.shape, bool))
    arrays = SampleArrays(
        raw=np.random.default_rng(0).random((1, *labels.shape), np.float32),
        maps=quantise(encoded.maps),
        valid=encoded.valid,
        labels=labels,
        foreground=np.argwhere(labels).astype(np.int32),
        sizes=np.array([int(labels.sum())]),
    )
    store(folder, arrays, name="disc", intensities=intensities_within(0, 1, 1))
    sample = CachedSample.open(folder, "disc")
    assert sample is not None
    return sample
