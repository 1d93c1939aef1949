"""Tiny cached samples and a clock, for the tests of training."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from segloop.training.cache import CachedSample, SampleArrays, store


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
    store(folder, arrays, name="tiny", ranges=np.array([[0, 1]], np.float32))
    sample = CachedSample.open(folder, "tiny")
    assert sample is not None
    return sample
