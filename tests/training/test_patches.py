from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from segloop.config.train import AugmentationConfig, NormalisationConfig
from segloop.training.augmentation import Batch
from segloop.training.cache import CachedSample, SampleArrays, store
from segloop.training.patches import PatchLoader, choose_corner, read_patch
from training_fixtures import intensities_within

QUIET = AugmentationConfig(
    flips=False, rotations=False, scale_intensity=0, shift_intensity=0, gamma=0, noise=0
)


def sample(folder: Path, shape: tuple[int, int, int], value: float = 0.5) -> CachedSample:
    """A sample in which each voxel's intensity tells its place; the foreground is its last voxel."""
    raw = (np.arange(np.prod(shape)) / np.prod(shape)).astype(np.float32).reshape(1, *shape)
    place = tuple(side - 1 for side in shape)
    labels = np.zeros(shape, np.int32)
    labels[place] = 1
    arrays = SampleArrays(
        raw=raw,
        maps=np.full((2, *shape), round(255 * value), np.uint8),
        valid=np.ones((1, *shape), bool),
        labels=labels,
        foreground=np.array([place], np.int32),
        sizes=np.array([1]),
    )
    store(folder, arrays, name=folder.name, intensities=intensities_within(0, 1, 1))
    found = CachedSample.open(folder, folder.name)
    assert found is not None
    return found


def loader(samples: list[CachedSample], size: tuple[int, ...] = (8, 8), **kwargs: Any) -> PatchLoader:
    arguments: dict[str, Any] = {
        "foreground_fraction": 0.5,
        "normalisation": NormalisationConfig(),
        "augmentation": QUIET,
        "seed": 0,
    } | kwargs
    return PatchLoader(samples, size, 2, 3, **arguments)


@pytest.mark.parametrize("foreground", [None, np.array([[0, 0, 0], [2, 19, 29]])])
def test_patches_lie_inside_the_image(foreground: Any) -> None:
    rng = np.random.default_rng(0)
    corners = np.array([choose_corner((3, 20, 30), (1, 8, 8), foreground, rng) for _ in range(500)])

    assert (corners >= 0).all()
    assert (corners <= (2, 12, 22)).all()


def test_a_foreground_patch_holds_a_foreground_voxel_wherever_in_it() -> None:
    rng = np.random.default_rng(0)
    place = np.array([[1, 10, 15]])

    corners = np.array([choose_corner((3, 20, 30), (1, 8, 8), place, rng) for _ in range(500)])

    inside = place - corners
    assert ((inside >= 0) & (inside < (1, 8, 8))).all()
    assert len(np.unique(inside, axis=0)) > 40


def test_patches_without_foreground_come_from_everywhere() -> None:
    rng = np.random.default_rng(0)

    corners = [choose_corner((1, 10, 10), (1, 8, 8), None, rng) for _ in range(300)]

    assert set(corners) == {(0, y, x) for y in range(3) for x in range(3)}


def test_a_patch_is_what_lies_there(tmp_path: Path) -> None:
    some = sample(tmp_path / "a", (3, 20, 30))

    image, maps, valid = read_patch(some, (1, 4, 6), (2, 8, 8), NormalisationConfig())

    np.testing.assert_array_equal(image, some.arrays().raw[:, 1:3, 4:12, 6:14])
    np.testing.assert_allclose(maps, 0.5, atol=0.5 / 255)
    assert maps.shape == valid.shape == (2, 2, 8, 8)
    assert valid.all()


def test_what_lies_beyond_the_image_is_mirrored_and_not_learnt_from(tmp_path: Path) -> None:
    some = sample(tmp_path / "a", (1, 5, 6))

    image, maps, valid = read_patch(some, (0, 0, 0), (1, 8, 16), NormalisationConfig())

    raw = some.arrays().raw
    np.testing.assert_array_equal(image[:, :, :5, :6], raw)
    np.testing.assert_array_equal(image[:, :, 5:, :6], raw[:, :, 4:1:-1])
    assert valid[:, :, :5, :6].all()
    assert valid.sum() == 2 * 5 * 6
    assert maps[~valid].sum() == 0


def test_an_epoch_has_the_planned_batches(tmp_path: Path) -> None:
    batches = list(loader([sample(tmp_path / "a", (1, 20, 30))]))

    assert [tuple(batch.image.shape) for batch in batches] == [(2, 1, 8, 8)] * 3
    assert [tuple(batch.maps.shape) for batch in batches] == [(2, 2, 8, 8)] * 3


def test_a_3d_patch_keeps_its_slices(tmp_path: Path) -> None:
    batch = next(iter(loader([sample(tmp_path / "a", (6, 20, 30))], size=(4, 8, 8))))

    assert batch.image.shape == (2, 1, 4, 8, 8)


def test_an_epoch_can_be_drawn_again(tmp_path: Path) -> None:
    samples = [sample(tmp_path / name, (1, 20, 30)) for name in "ab"]
    first, again = loader(samples), loader(samples)
    first.epoch = again.epoch = 7

    pairs = list(zip(first, again, strict=True))

    assert all(torch.equal(a.image, b.image) for a, b in pairs)


@pytest.mark.parametrize("change", [{"seed": 1}, {"epoch": 1}])
def test_other_epochs_and_seeds_draw_other_patches(tmp_path: Path, change: dict[str, int]) -> None:
    samples = [sample(tmp_path / "a", (1, 20, 30))]
    other = loader(samples, seed=change.get("seed", 0))
    other.epoch = change.get("epoch", 0)

    pairs = list(zip(loader(samples), other, strict=True))

    assert not any(torch.equal(a.image, b.image) for a, b in pairs)


def test_all_samples_are_drawn_equally_often(tmp_path: Path) -> None:
    values = {0.2: "a", 0.4: "b", 0.6: "c"}
    samples = [sample(tmp_path / name, (1, 8, 8), value) for value, name in values.items()]
    drawn: Counter[float] = Counter()
    some = loader(samples)
    for epoch in range(4):
        some.epoch = epoch
        for batch in some:
            drawn.update(round(float(maps.max()), 1) for maps in batch.maps)

    assert drawn == dict.fromkeys(values, 8)


def test_what_augmentation_spoils_in_one_patch_stays_with_that_patch(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoil_first(batch: Batch, *_: Any) -> Batch:
        image = batch.image + 1
        image[0, 0, 0, 0] = torch.inf
        return Batch(image, batch.maps, batch.valid)

    samples = [sample(tmp_path / name, (1, 20, 30)) for name in "ab"]
    plain = list(loader(samples))
    monkeypatch.setattr("segloop.training.patches.augment", spoil_first)

    batches = list(loader(samples))

    for before, after in zip(plain, batches, strict=True):
        assert torch.equal(after.image[0], before.image[0])
        assert torch.equal(after.image[1], before.image[1] + 1)
    assert len([record for record in caplog.records if "not finite" in record.getMessage()]) == 1


def test_the_foreground_fraction_is_kept(tmp_path: Path) -> None:
    some = loader([sample(tmp_path / "a", (1, 100, 100))], foreground_fraction=1.0)
    brightest = float(some.samples[0].arrays().raw.max())

    assert all(float(patch.max()) == brightest for batch in some for patch in batch.image)


@pytest.mark.parametrize("fraction", [0.0, 1.0])
def test_patches_of_a_stack_with_few_labelled_slices_lie_in_these(tmp_path: Path, fraction: float) -> None:
    shape = (9, 20, 30)
    valid = np.zeros(shape, bool)
    valid[[2, 7]] = True
    labels = np.zeros(shape, np.int32)
    labels[2, 5:9, 5:9] = 1
    arrays = SampleArrays(
        raw=np.broadcast_to(np.arange(9, dtype=np.float32)[:, None, None] / 9, (1, *shape)),
        maps=np.zeros((2, *shape), np.uint8),
        valid=valid[None],
        labels=labels,
        foreground=np.argwhere(labels).astype(np.int32),
        sizes=np.array([16]),
        counting=np.argwhere(valid)[::7].astype(np.int32),
    )
    store(tmp_path / "a", arrays, name="a", intensities=intensities_within(0, 1, 1))
    found = CachedSample.open(tmp_path / "a", "a")
    assert found is not None

    drawn = loader([found], foreground_fraction=fraction)

    slices = set()
    for number in range(20):
        batch = drawn.batch(0, number)
        assert batch.valid.all()
        slices |= {round(9 * float(image.mean())) for image in batch.image}
    assert slices == ({2} if fraction else {2, 7})
