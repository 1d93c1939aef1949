from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.manifest import Region
from segloop.config.train import NormalisationConfig, TrainConfig
from segloop.core.context import Context
from segloop.core.errors import Cancelled
from segloop.inference.engine import Engine
from segloop.targets import Target, make_target
from segloop.training.losses import TargetLoss
from segloop.training.planning.samples import survey
from segloop.training.prepare import prepare
from segloop.training.validation import Scores, validate

Pictures = dict[str, Any]
MakeDataset = Callable[..., CuratedDataset]


class Stencil(nn.Module):
    """Reads the right answer off the brightness: each map's logit is a line through it."""

    stride = (1, 1)
    halo = (0, 0)
    in_channels = 1
    translation_equivariant = True

    def __init__(self, slopes: Sequence[float], offsets: Sequence[float]) -> None:
        super().__init__()
        self.lines = nn.Conv2d(1, len(slopes), 1)
        self.lines.weight.data = torch.tensor(slopes).reshape(-1, 1, 1, 1)
        self.lines.bias = nn.Parameter(torch.tensor(offsets))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.lines(x)


def score(
    dataset: CuratedDataset,
    target: Target,
    cache: Path,
    network: nn.Module | None = None,
    context: Context | None = None,
) -> Scores:
    found = survey(dataset, TrainConfig(), Context())
    headers = [*found.train, *found.val]
    samples = prepare(dataset, headers, target, NormalisationConfig(), cache, Context(), pytest.fail)
    n_maps = len(target.maps)
    loss = TargetLoss(target.losses)
    engine = Engine(network or Stencil([20.0] * n_maps, [-10.0] * n_maps), target)
    return validate(
        samples,
        engine,
        target,
        target.parameters,
        loss,
        NormalisationConfig(),
        found.recipe,
        context or Context(),
    )


def stencils(nuclei: Pictures) -> Pictures:
    """Images in which the brightness is the right answer."""
    return {name: ((labels > 0).astype(np.uint8), labels) for name, (_, labels) in nuclei.items()}


def test_a_right_foreground_scores_one(nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path) -> None:
    scores = score(make_dataset(stencils(nuclei)), make_target("semantic"), tmp_path / "cache")

    assert scores.score == 1
    assert scores.loss < 0.01
    assert set(scores.metrics) == {"dice"}


def test_apart_standing_objects_are_found(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    squares = np.zeros((96, 96), np.uint16)
    squares[10:30, 10:30], squares[50:80, 50:70] = 1, 2
    pictures = {
        "a": ((squares > 0).astype(np.uint8), squares),
        "b": ((squares.T > 0).astype(np.uint8), squares.T),
    }
    dataset = make_dataset(pictures, label_kind="instances")

    scores = score(dataset, make_target("instance"), tmp_path / "cache")

    assert scores.metrics == {"ap50": 1, "dice": 1}


def test_what_is_excluded_is_not_scored(nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path) -> None:
    pictures = stencils(nuclei)
    name = next(iter(pictures))
    raw, labels = pictures[name]
    wrong = raw.copy()
    wrong[:40, :40] = 1 - wrong[:40, :40]
    dataset = make_dataset({**pictures, name: (wrong, labels)})
    corners = ((-1.0, -1.0), (-1.0, 40.0), (40.0, 40.0), (40.0, -1.0))
    region = Region(id="r", kind="exclude", shape="polygon", vertices=corners)
    target = make_target("semantic")
    assert score(dataset, target, tmp_path / "cache").score < 1

    dataset.save(dataset.sample(name).edit(regions=(region,)), "exclude")

    assert score(dataset, target, tmp_path / "cache").score == 1


def test_several_classes_are_told_apart(make_dataset: MakeDataset, tmp_path: Path) -> None:
    classes = np.zeros((96, 96), np.uint8)
    classes[10:30, 10:30], classes[50:80, 50:70] = 1, 2
    dataset = make_dataset({"a": (classes, classes), "b": (classes.T, classes.T)}, label_kind="semantic")
    right = Stencil([-20.0, 0.0, 20.0], [5.0, 0.0, -15.0])
    swapped = Stencil([-20.0, 20.0, 0.0], [5.0, -15.0, 0.0])
    target = make_target("semantic", {"classes": 3})

    assert score(dataset, target, tmp_path / "cache", right).score == 1
    assert score(dataset, target, tmp_path / "cache", swapped).score == 0


def test_a_stop_request_ends_it(nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path) -> None:
    stopped = Context(cancelled=lambda: True)

    with pytest.raises(Cancelled):
        score(make_dataset(stencils(nuclei)), make_target("semantic"), tmp_path / "cache", context=stopped)
