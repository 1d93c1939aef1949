"""Objects joined across the slices of a stack that was segmented slice by slice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from segloop.core.metrics import match_instances
from segloop.targets import make_target
from segloop.targets.joining import join_slices
from segloop.targets.objects import label_objects

masks = arrays(np.bool_, (4, 5, 6))


@pytest.mark.parametrize(("name", "n_objects"), [("embryo", 8), ("ovule", 54)])
def test_the_slices_of_real_nuclei_become_the_nuclei_again(
    test_data: Path, name: str, n_objects: int
) -> None:
    (file,) = (test_data / f"nuclei3d_{name}" / "train" / "seg").glob("*.tif")
    truth = tifffile.imread(file).astype(np.int32)
    slices = label_objects(truth, 2)
    assert slices.max() > 5 * n_objects

    joined = join_slices(slices, 0.6)

    assert joined.max() == n_objects
    assert match_instances(joined, truth, (0.5,)).average_precision() == 1


def test_of_two_objects_above_one_only_the_better_one_is_joined() -> None:
    slices = np.zeros((2, 4, 10), np.int32)
    slices[0, :, :8] = 1
    slices[1, :, :5], slices[1, :, 5:8] = 2, 3
    joined = join_slices(slices, 0.6)
    assert joined[1, 0].tolist() == [1, 1, 1, 1, 1, 2, 2, 2, 0, 0]


def test_objects_beside_each_other_stay_apart_where_they_hardly_overlap() -> None:
    slices = np.zeros((2, 4, 10), np.int32)
    slices[0, :, :5], slices[1, :, 4:9] = 1, 2
    assert join_slices(slices, 0.6).max() == 2
    assert join_slices(slices, 0.1).max() == 1


@given(masks, st.floats(0.01, 1))
@settings(max_examples=60)
def test_any_stack_keeps_its_foreground_and_the_objects_of_each_slice(
    mask: np.ndarray, overlap: float
) -> None:
    slices = label_objects(mask.astype(np.int32), 2)
    joined = join_slices(slices, overlap)
    assert ((joined > 0) == mask).all()
    assert joined.max() == len(np.unique(joined[joined > 0]))
    for before, after in zip(slices, joined, strict=True):
        pairs = {(int(a), int(b)) for a, b in zip(before.ravel(), after.ravel(), strict=True)}
        assert len(pairs) == len(np.unique(before)) == len(np.unique(after))


def test_a_model_of_slices_joins_them_unless_told_not_to(test_data: Path) -> None:
    (file,) = (test_data / "nuclei3d_embryo" / "train" / "seg").glob("*.tif")
    truth = tifffile.imread(file).astype(np.int32)
    target = make_target("instance", dims=2)
    maps = target.encode(label_objects(truth, 2)).maps

    joined = target.decode(maps)
    apart = target.decode(maps, target.parameters.override({"join_slices": False}))

    assert joined.labels is not None
    assert apart.labels is not None
    assert joined.labels.max() == 8
    assert apart.labels.max() > 100
    assert "join_slices" not in make_target("instance", dims=3).parameters.values()
