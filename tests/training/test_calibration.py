from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import nn

from segloop.config.train import NormalisationConfig
from segloop.core.context import Context
from segloop.core.errors import Cancelled
from segloop.images.recipe import Recipe
from segloop.inference.engine import Engine
from segloop.targets import make_target
from segloop.targets.instance import SPLITTING_CANDIDATES, InstanceParameters
from segloop.training.cache import CachedSample, SampleArrays, store
from segloop.training.calibration import Calibration, calibrate
from training_fixtures import intensities_within

TARGET = make_target("instance")


class PassOn(nn.Module):
    """Gives its two channels back as foreground and distance."""

    stride = (1, 1)
    halo = (0, 0)
    in_channels = 2
    translation_equivariant = True

    def __init__(self) -> None:
        super().__init__()
        self.same = nn.Conv2d(2, 2, 1)
        self.same.weight.data = torch.eye(2)[:, :, None, None]
        self.same.bias = nn.Parameter(torch.zeros(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.logit(self.same(x).clamp(1e-6, 1 - 1e-6))


def discs(folder: Path, notch: float, twins: bool) -> CachedSample:
    """Pairs of touching discs with a notch between them in the distance; two objects each, or one."""
    y, x = np.mgrid[:120, :120]
    labels = np.zeros((1, 120, 120), np.int32)
    distance = np.zeros((120, 120), np.float32)
    for number, (cy, cx) in enumerate([(20, 30), (60, 30), (100, 30), (20, 90), (60, 90), (100, 90)]):
        left, right = (np.hypot(y - cy, x - cx + dx) < 9 for dx in (8, -8))
        labels[0][left], labels[0][right] = 2 * number + 1, 2 * number + (2 if twins else 1)
        distance[left | right] = 0.9
        distance[(left | right) & (np.abs(x - cx) < 3)] = 0.9 - notch
    raw = np.stack([labels > 0, gaussian_filter(distance, 0.5)[None]]).astype(np.float32)
    arrays = SampleArrays(
        raw=raw,
        maps=np.zeros((2, *labels.shape), np.uint8),
        valid=np.ones((1, *labels.shape), bool),
        labels=labels,
        foreground=np.zeros((0, 3), np.int32),
        sizes=np.zeros(0, np.int64),
    )
    store(folder, arrays, name="discs", intensities=intensities_within(0, 1, 2))
    found = CachedSample.open(folder, "discs")
    assert found is not None
    return found


def run(
    samples: Sequence[CachedSample], seconds: float = 100, context: Context | None = None
) -> Calibration | None:
    return calibrate(
        samples,
        Engine(PassOn(), TARGET),
        TARGET,
        InstanceParameters(min_size=5),
        NormalisationConfig(),
        Recipe.of_channels(["0", "1"]),
        context or Context(),
        seconds,
    )


def test_shallow_notches_between_objects_ask_for_a_low_value(tmp_path: Path) -> None:
    found = run([discs(tmp_path / "a", notch=0.11, twins=True)])

    assert found is not None
    assert found.parameters.splitting < 0.1
    assert "12 objects" in found.reason


def test_notches_within_objects_ask_for_a_high_value(tmp_path: Path) -> None:
    found = run([discs(tmp_path / "a", notch=0.11, twins=False)])

    assert found is not None
    assert found.parameters.splitting > 0.1


def test_the_other_thresholds_are_kept(tmp_path: Path) -> None:
    found = run([discs(tmp_path / "a", notch=0.11, twins=True)])

    assert found is not None
    assert found.parameters.splitting in SPLITTING_CANDIDATES
    assert (found.parameters.min_size, found.parameters.foreground) == (5, 0.5)


def test_without_time_nothing_is_chosen(tmp_path: Path) -> None:
    assert run([discs(tmp_path / "a", notch=0.11, twins=True)], seconds=0) is None


def test_a_stop_request_ends_it(tmp_path: Path) -> None:
    sample = discs(tmp_path / "a", notch=0.11, twins=True)

    with pytest.raises(Cancelled):
        run([sample], context=Context(cancelled=lambda: True))
