from __future__ import annotations

import numpy as np
import pytest
import torch

from segloop.config.train import AugmentationConfig
from segloop.targets import make_target
from segloop.training.augmentation import Batch, augment, change_intensity

ONLY_MOVES = AugmentationConfig(scale_intensity=0, shift_intensity=0, gamma=0, noise=0)
NOTHING = AugmentationConfig(
    flips=False, rotations=False, scale_intensity=0, shift_intensity=0, gamma=0, noise=0
)


def numbered(*shape: int) -> Batch:
    """A batch in which each voxel of image, maps and valid knows its place."""
    places = torch.arange(float(np.prod(shape))).reshape(1, 1, *shape).repeat(16, 1, *[1] * len(shape))
    return Batch(places, places.clone(), places % 2 == 0)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("shape", [(6, 6), (4, 6), (3, 6, 6), (3, 4, 6)])
def test_image_maps_and_valid_move_together(shape: tuple[int, ...]) -> None:
    batch = numbered(*shape)

    moved = augment(batch, ONLY_MOVES, seeded())

    assert moved.image.shape == batch.image.shape
    assert not torch.equal(moved.image, batch.image)
    assert torch.equal(moved.maps, moved.image)
    assert torch.equal(moved.valid, moved.image % 2 == 0)


def test_patches_of_a_batch_move_differently() -> None:
    moved = augment(numbered(6, 6), ONLY_MOVES, seeded())

    assert len({tuple(patch.flatten().tolist()) for patch in moved.image}) > 5  # of 8


def test_slices_stay_slices() -> None:
    moved = augment(numbered(3, 6, 6), ONLY_MOVES, seeded())

    for patch in moved.image[:, 0]:
        assert [sorted({int(v) // 36 for v in plane.flatten()}) for plane in patch] in (
            [[0], [1], [2]],
            [[2], [1], [0]],
        )


def test_encoded_distances_stay_those_of_the_moved_labels() -> None:
    labels = np.zeros((1, 24, 24), np.int32)
    labels[0, 3:12, 4:18] = 1
    labels[0, 14:22, 9:16] = 2
    target = make_target("instance")
    encoded = target.encode(labels)[0][:, 0]
    batch = Batch(
        torch.from_numpy(labels.astype(np.float32))[None].repeat(8, 1, 1, 1),
        torch.from_numpy(encoded)[None].repeat(8, 1, 1, 1),
        torch.ones(8, 2, 24, 24, dtype=torch.bool),
    )

    moved = augment(batch, ONLY_MOVES, seeded())

    for image, maps in zip(moved.image, moved.maps, strict=True):
        again = target.encode(image.numpy().astype(np.int32))[0][:, 0]
        np.testing.assert_allclose(maps.numpy(), again, atol=1e-6)


def test_intensities_change_only_in_the_image() -> None:
    batch = numbered(6, 6)
    config = AugmentationConfig(flips=False, rotations=False)

    changed = augment(batch, config, seeded())

    assert not torch.allclose(changed.image, batch.image)
    assert torch.equal(changed.maps, batch.maps)
    assert torch.equal(changed.valid, batch.valid)


def test_switched_off_it_changes_nothing() -> None:
    batch = numbered(6, 6)

    assert torch.equal(augment(batch, NOTHING, seeded()).image, batch.image)


def test_the_same_seed_gives_the_same_changes() -> None:
    batch, config = numbered(6, 6), AugmentationConfig()

    first, same, other = (augment(batch, config, seeded(seed)).image for seed in (1, 1, 2))

    assert torch.equal(first, same)
    assert not torch.equal(first, other)


def test_gamma_keeps_black_black_and_white_white() -> None:
    config = AugmentationConfig(scale_intensity=0, shift_intensity=0, gamma=0.5, noise=0)
    image = torch.tensor([0.0, 0.5, 1.0]).reshape(1, 1, 1, 3).repeat(4, 1, 1, 1)

    changed = change_intensity(image, config, seeded())

    torch.testing.assert_close(changed[..., 0], image[..., 0], atol=1e-3, rtol=0)
    torch.testing.assert_close(changed[..., 2], image[..., 2])
    assert (changed[..., 1] != 0.5).all()
