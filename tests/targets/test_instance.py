import time
from pathlib import Path

import numpy as np
import pytest
import tifffile

from segloop.targets import make_target, quantise
from segloop.targets.instance import InstanceParameters
from segloop.targets.output import LABELS


def recovered(predicted: np.ndarray, truth: np.ndarray) -> tuple[int, int, int]:
    """Return true positives, false positives and false negatives at an IoU of 0.5."""
    truth = np.unique(truth, return_inverse=True)[1].reshape(truth.shape)
    overlap = np.zeros((truth.max() + 1, predicted.max() + 1))
    np.add.at(overlap, (truth.ravel(), predicted.astype(int).ravel()), 1)
    union = overlap.sum(1)[1:, None] + overlap.sum(0)[None, 1:] - overlap[1:, 1:]
    hits = int((overlap[1:, 1:] / union > 0.5).sum())
    return hits, overlap.shape[1] - 1 - hits, overlap.shape[0] - 1 - hits


def two_discs(gap: int = 0) -> np.ndarray:
    """Return two touching discs of radius 10."""
    y, x = np.mgrid[:40, :60]
    labels = np.zeros((1, 40, 60), np.int32)
    labels[0][(y - 20) ** 2 + (x - 20) ** 2 <= 100] = 1
    labels[0][((y - 20) ** 2 + (x - 38 - gap) ** 2 <= 100) & (labels[0] == 0)] = 2
    return labels


def test_decoding_recovers_real_nuclei(sample_nuclei: Path) -> None:
    target = make_target("instance")
    counts = np.zeros(3, int)
    for file in sorted((sample_nuclei / "seg").glob("*.tif")):
        labels = tifffile.imread(file)[None]
        decoded = target.decode(target.encode(labels).maps)
        assert decoded.labels is not None
        counts += recovered(decoded.labels, labels)
    assert counts[0] / counts.sum() >= 0.97


@pytest.mark.parametrize(
    ("name", "voxel_size"), [("embryo", (1.75, 0.8, 0.8)), ("ovule", (0.284, 0.127, 0.127))]
)
def test_decoding_recovers_real_nuclei_in_volumes(
    test_data: Path, name: str, voxel_size: tuple[float, ...]
) -> None:
    (file,) = (test_data / f"nuclei3d_{name}" / "train" / "seg").glob("*.tif")
    labels = tifffile.imread(file)
    target = make_target("instance", dims=3, voxel_size=voxel_size)
    decoded = target.decode(target.encode(labels).maps)
    assert decoded.labels is not None
    hits, extra, missed = recovered(decoded.labels, labels)
    assert hits / (hits + extra + missed) >= 0.97


def test_decoding_is_quick_enough_for_a_slider(sample_nuclei: Path) -> None:
    plane = tifffile.imread(sample_nuclei / "seg" / "000.tif")
    labels = np.zeros((1, 512, 512), np.int32)
    many = [np.where(plane > 0, plane + 1000 * number, 0) for number in range(9)]
    tiled = np.block([many[0:3], many[3:6], many[6:9]])[:512, :512]
    labels[0, : tiled.shape[0], : tiled.shape[1]] = tiled
    target = make_target("instance")
    maps = target.encode(labels).maps
    target.decode(maps)
    durations = []
    for _ in range(5):
        started = time.perf_counter()
        target.decode(maps)
        durations.append(time.perf_counter() - started)
    # 20 ms where nothing else runs; a broken algorithm takes seconds.
    assert min(durations) < 0.25


def test_quantised_maps_give_the_same_labels_as_float_ones(sample_nuclei: Path) -> None:
    labels = tifffile.imread(sample_nuclei / "seg" / "030.tif")[None]
    target = make_target("instance")
    rng = np.random.default_rng(0)
    maps = np.clip(target.encode(labels).maps + rng.normal(0, 0.02, (2, *labels.shape)), 0, 1)
    from_float = target.decode(maps).labels
    from_bytes = target.decode(np.rint(maps * 255).astype(np.uint8)).labels
    np.testing.assert_array_equal(from_float, from_bytes)


def test_distance_is_one_at_the_centre_and_small_at_edges_of_touching_objects() -> None:
    distance = make_target("instance").encode(two_discs()).maps[1, 0]
    assert distance[20, 20] == pytest.approx(1)
    assert distance[20, 29:31].max() < 0.2


def test_distance_of_an_anisotropic_volume_is_measured_in_micrometres() -> None:
    labels = np.zeros((9, 9, 9), np.int32)
    labels[3:6, 1:8, 1:8] = 1
    flat = make_target("instance", dims=3).encode(labels).maps[1]
    tall = make_target("instance", dims=3, voxel_size=(2.0, 0.5, 0.5)).encode(labels).maps[1]
    # Slices 4 pixels apart: the nearest edge is now sideways, so the plateau along X vanishes.
    assert flat[4, 4, 3] == pytest.approx(1)
    assert tall[4, 4, 3] == pytest.approx(0.75)


def test_distance_does_not_count_over_a_whole_object_that_is_partly_excluded() -> None:
    labels = two_discs(gap=5)
    valid = np.ones(labels.shape, bool)
    valid[0, 20, 20] = False
    foreground, distance = make_target("instance").encode(labels, valid).valid
    assert not distance[(labels == 1)].any()
    assert distance[labels == 2].all()
    np.testing.assert_array_equal(foreground, valid)


def test_labels_under_exclusion_change_nothing_that_counts() -> None:
    labels = two_discs(gap=5)
    valid = np.ones(labels.shape, bool)
    valid[0, :, 24:] = False
    changed = labels.copy()
    changed[~valid] = 7
    target = make_target("instance")
    one, other = target.encode(labels, valid), target.encode(changed, valid)
    np.testing.assert_array_equal(one.valid, other.valid)
    np.testing.assert_array_equal(one.maps[one.valid], other.maps[other.valid])


def test_slices_of_a_stack_stand_on_their_own_in_two_dimensions() -> None:
    labels = np.concatenate([two_discs(), two_discs()])
    target = make_target("instance", dims=2)
    maps = target.encode(labels).maps
    np.testing.assert_array_equal(maps[:, 0], target.encode(labels[:1]).maps[:, 0])
    decoded = target.decode(maps, target.parameters.override({"join_slices": False}))
    assert decoded.labels is not None
    assert [sorted(np.unique(plane)) for plane in decoded.labels] == [[0, 1, 2], [0, 3, 4]]


def test_higher_splitting_joins_what_lower_splitting_cuts() -> None:
    labels = two_discs()
    target = make_target("instance")
    maps = target.encode(labels).maps
    apart = target.decode(maps, InstanceParameters(splitting=0.15)).labels
    joined = target.decode(maps, InstanceParameters(splitting=1.0)).labels
    assert apart is not None
    assert joined is not None
    assert (apart.max(), joined.max()) == (2, 1)


def test_an_object_without_a_peak_in_its_distance_is_kept_as_one() -> None:
    maps = np.zeros((2, 1, 20, 20), np.float32)
    maps[0, 0, 5:12, 5:12] = 0.9
    decoded = make_target("instance").decode(maps)
    assert decoded.labels is not None
    assert decoded.labels.max() == 1
    assert (decoded.labels > 0).sum() == 49


@pytest.mark.parametrize("dims", [2, 3])
def test_foreground_joined_only_by_corners_is_kept(dims: int) -> None:
    maps = np.zeros((2, 3, 20, 20), np.float32)
    maps[:, 1, 5:12, 5:12] = 1
    maps[0, 1, 12:15, 12:15] = 0.9
    maps[0, 0, 15, 15] = 0.9  # beyond an edge in 2D, a corner in 3D
    decoded = make_target("instance", dims=dims).decode(maps, InstanceParameters(min_size=0))
    assert decoded.labels is not None
    np.testing.assert_array_equal(decoded.labels > 0, maps[0] > 0.5)
    assert decoded.labels.max() == (1 if dims == 3 else 2)


@pytest.mark.parametrize("dims", [2, 3])
def test_objects_fill_the_foreground_of_any_maps(dims: int) -> None:
    maps = np.random.default_rng(0).random((2, 4, 40, 40)).astype(np.float32)
    target = make_target("instance", dims=dims)
    decoded = target.decode(maps, InstanceParameters(foreground=0.7, min_size=0))
    assert decoded.mask is not None
    np.testing.assert_array_equal(decoded.mask, quantise(maps)[0] >= 0.7 * 255)


def test_small_objects_are_removed_and_the_others_renumbered() -> None:
    maps = np.zeros((2, 1, 30, 30), np.float32)
    maps[:, 0, 2:4, 2:4] = 1
    maps[:, 0, 10:20, 10:20] = 1
    decoded = make_target("instance").decode(maps, InstanceParameters(min_size=5))
    assert decoded.labels is not None
    assert decoded.mask is not None
    assert sorted(np.unique(decoded.labels)) == [0, 1]
    np.testing.assert_array_equal(decoded.mask, decoded.labels > 0)
    assert decoded.mask.sum() == 100


@pytest.mark.parametrize("value", [0, 1])
def test_an_image_of_nothing_but_one_value_decodes(value: int) -> None:
    target = make_target("instance")
    maps = target.encode(np.full((1, 16, 16), value, np.int32)).maps
    decoded = target.decode(maps)
    assert decoded.labels is not None
    assert (decoded.labels == value).all()


def test_labels_come_first_of_what_it_can_give() -> None:
    assert make_target("instance").outputs[0] == LABELS
