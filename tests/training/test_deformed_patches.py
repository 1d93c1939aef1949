from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from segloop.config.train import NormalisationConfig
from segloop.targets import make_target
from segloop.training.augmentations import Patch, build_pipeline
from segloop.training.deformed_patches import read_deformed_patch
from segloop.training.patches import read_patch
from training_fixtures import disc_sample


def unchanged(patch: Patch, seed: int) -> Patch:
    return patch


def twice_as_large(patch: Patch, seed: int) -> Patch:
    """Enlarge about the centre, by nearest neighbours."""
    side = patch["image"].shape[-1]
    places = torch.div(torch.arange(side) - side // 2, 2, rounding_mode="floor") + side // 2
    return {name: tensor[..., places, :][..., places] for name, tensor in patch.items()}


@pytest.mark.parametrize("name", ["instance", "semantic"])
@pytest.mark.parametrize("corner", [(0, 0, 0), (0, 40, 40), (0, 64, 64)])
def test_a_patch_that_is_not_deformed_equals_that_of_the_whole_image(
    tmp_path: Path, name: str, corner: tuple[int, ...]
) -> None:
    target = make_target(name)
    sample = disc_sample(tmp_path / "entry", target)

    plain = read_patch(sample, corner, (1, 32, 32), NormalisationConfig())
    encoded = read_deformed_patch(sample, corner, (1, 32, 32), NormalisationConfig(), target, [unchanged], 0)

    np.testing.assert_array_equal(encoded[0], plain[0])
    np.testing.assert_allclose(encoded[1], plain[1], atol=0.51 / 255)
    np.testing.assert_array_equal(encoded[2], plain[2])


def test_distances_are_those_of_the_deformed_objects(tmp_path: Path) -> None:
    target = make_target("instance")
    sample = disc_sample(tmp_path / "entry", target)
    corner, size = (0, 32, 32), (1, 32, 32)

    _, maps, _ = read_deformed_patch(sample, corner, size, NormalisationConfig(), target, [twice_as_large], 0)

    _, before, _ = read_patch(sample, corner, size, NormalisationConfig())
    # The disc is twice as wide, and its relative distance reaches 1 in the middle all the same.
    assert maps[0].sum() == pytest.approx(4 * before[0].sum(), rel=0.05)
    assert maps[1].max() == pytest.approx(1)


@pytest.mark.parametrize("name", ["affine", "elastic"])
def test_nothing_beyond_the_image_is_valid(tmp_path: Path, name: str) -> None:
    target = make_target("instance")
    sample = disc_sample(tmp_path / "entry", target)
    augmentations = build_pipeline({name: {"probability": 1.0}}, 2).spatial

    image, maps, valid = read_deformed_patch(
        sample, (0, 80, 80), (1, 32, 32), NormalisationConfig(), target, augmentations, 3
    )

    assert not valid[:, :, 26:, 26:].any()
    assert valid[0, :, :10, :10].all()
    assert np.isfinite(image).all()
    assert maps.min() >= 0
    assert maps.max() <= 1
