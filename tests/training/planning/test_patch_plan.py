from __future__ import annotations

import pytest

from segloop.config.train import NetworkSize, PatchConfig
from segloop.training.planning.patches import PatchPlan, plan_patches


def plan(config: PatchConfig, *shapes: tuple[int, int, int], dims: int = 2, **kwargs: object) -> PatchPlan:
    arguments: dict[str, object] = {"stride": (8,) * dims, "device": "cpu"} | kwargs
    return plan_patches(config, shapes, **arguments)  # type: ignore[arg-type]


def test_patches_are_no_larger_than_the_images() -> None:
    assert plan(PatchConfig(), (1, 50, 500)).size == (56, 128)


@pytest.mark.parametrize("stride", [(8, 8), (16, 16), (32, 32)])
def test_patches_are_multiples_of_the_stride(stride: tuple[int, int]) -> None:
    size = plan(PatchConfig(size=[100, 70]), (1, 300, 300), stride=stride).size

    assert all(side % step == 0 for side, step in zip(size, stride, strict=True))


def test_a_changed_patch_size_is_told() -> None:
    choices = plan(PatchConfig(size=[100, 64]), (1, 300, 300)).choices

    assert any("104 × 64 instead of 100 × 64" in choice.reason for choice in choices)


def test_a_patch_beyond_the_images_is_told_once() -> None:
    warnings = plan(PatchConfig(size=[512, 512]), (1, 96, 96), (1, 128, 100)).warnings

    assert sum("larger than the images (128 × 100 at most)" in text for text in warnings) == 1


def test_an_image_smaller_than_the_stride_gets_one_stride() -> None:
    assert plan(PatchConfig(), (1, 5, 5)).size == (8, 8)


def test_volumes_with_thick_slices_get_flat_patches() -> None:
    shapes = (100, 500, 500)

    thick = plan(PatchConfig(), shapes, dims=3, voxel_size_um=(4.0, 1.0, 1.0)).size
    cubic = plan(PatchConfig(), shapes, dims=3, voxel_size_um=(1.0, 1.0, 1.0)).size

    assert thick[0] < cubic[0]
    assert thick[1] > cubic[1]


def test_what_a_thin_volume_leaves_unused_goes_to_y_and_x() -> None:
    thin = plan(PatchConfig(), (8, 500, 500), dims=3).size

    assert thin[0] == 8
    assert thin[1] > 48


def test_larger_networks_get_smaller_batches() -> None:
    small = plan(PatchConfig(), (1, 500, 500), network=NetworkSize.small)
    large = plan(PatchConfig(), (1, 500, 500), network=NetworkSize.large)

    assert large.batch_size < small.batch_size


def test_what_the_user_chose_is_taken() -> None:
    chosen = plan(PatchConfig(size=[64, 64], batch_size=3, per_epoch=30), (1, 500, 500))

    assert (chosen.size, chosen.batch_size, chosen.batches) == ((64, 64), 3, 10)


def test_a_large_dataset_gets_longer_epochs() -> None:
    few = plan(PatchConfig(), *[(1, 256, 256)] * 10)
    many = plan(PatchConfig(), *[(1, 256, 256)] * 1000)

    assert few.batches < many.batches <= 250


def test_each_choice_is_explained() -> None:
    notes = " ".join(choice.reason for choice in plan(PatchConfig(), (1, 256, 256)).choices)

    assert "Patch size 128 × 128 for images of up to 256 × 256" in notes
    assert "8 patches per step" in notes
    assert "patches per epoch for 1 training image" in notes
