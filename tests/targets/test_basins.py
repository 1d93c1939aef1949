import numpy as np
import pytest

from segloop.targets.basins import merge_shallow, saddles

# Three peaks in a row: a shallow notch (0.1 deep) and a deep one (0.6).
HEIGHT = np.array([[0.5, 1.0, 0.8, 0.9, 0.3, 0.9, 0.5]], np.float32)
BASINS = np.array([[1, 1, 1, 2, 2, 3, 3]])


@pytest.mark.parametrize(("depth", "objects"), [(0.0, 3), (0.05, 3), (0.2, 2), (0.5, 2), (0.7, 1)])
def test_only_notches_of_that_depth_cut(depth: float, objects: int) -> None:
    assert len(np.unique(merge_shallow(BASINS, HEIGHT, depth))) == objects


def test_a_shallow_basin_joins_the_neighbour_over_the_higher_pass() -> None:
    height = np.array([[1.0, 0.2, 0.5, 0.4, 1.0]], np.float32)
    basins = np.array([[1, 1, 2, 3, 3]])
    merged = merge_shallow(basins, height, 0.25)
    assert merged[0, 2] == merged[0, 4] != merged[0, 0]


def test_a_pass_over_a_corner_counts() -> None:
    height = np.array([[1.0, 0.9, 0.0], [0.0, 0.2, 0.9], [0.0, 0.0, 1.0]], np.float32)
    basins = np.array([[1, 1, 0], [0, 1, 2], [0, 0, 2]])
    for turned_height, turned in ((height, basins), (height[:, ::-1], basins[:, ::-1])):
        merged = merge_shallow(turned, turned_height, 0.15)
        assert len(np.unique(merged)) == 2


def test_a_pass_over_a_corner_counts_in_volumes() -> None:
    rng = np.random.default_rng(2)
    basins = rng.integers(0, 9, (5, 6, 7))
    height = rng.random(basins.shape).astype(np.float32)
    highest: dict[tuple[int, int], float] = {}
    for at in np.ndindex(basins.shape):
        for step in np.ndindex(3, 3, 3):
            to = tuple(a + s - 1 for a, s in zip(at, step, strict=True))
            if any(not 0 <= t < n for t, n in zip(to, basins.shape, strict=True)):
                continue
            pair = tuple(sorted((int(basins[at]), int(basins[to]))))
            if pair[0] != pair[1] and pair[0] > 0:
                highest[pair] = max(highest.get(pair, 0), float(min(height[at], height[to])))
    pairs, passes = saddles(basins, height)
    found = {tuple(pair): value for pair, value in zip(pairs.tolist(), passes.tolist(), strict=True)}
    assert found == highest
    assert passes.tolist() == sorted(passes.tolist(), reverse=True)


def test_background_is_never_joined() -> None:
    basins = np.array([[1, 0, 2]])
    height = np.array([[1.0, 1.0, 1.0]], np.float32)
    merged = merge_shallow(basins, height, 1.0)
    assert merged[0, 1] == 0
    assert merged[0, 0] != merged[0, 2]


def test_agrees_with_h_maxima_on_random_landscapes() -> None:
    from scipy.ndimage import gaussian_filter, label
    from skimage.morphology import h_maxima, local_maxima
    from skimage.segmentation import watershed

    rng = np.random.default_rng(3)
    height = gaussian_filter(rng.random((80, 80)), 3)
    height = np.round((height - height.min()) / np.ptp(height), 3)
    seeds, _ = label(local_maxima(height), np.ones((3, 3)))
    merged = merge_shallow(watershed(-height, seeds, connectivity=2), height.astype(np.float32), 0.2)
    _, expected = label(h_maxima(height, 0.2), np.ones((3, 3)))
    assert len(np.unique(merged)) == pytest.approx(expected, abs=1)
