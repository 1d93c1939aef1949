import numpy as np
import pytest

from segloop.targets.basins import ascending_basins, merge_shallow, saddles

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


@pytest.mark.parametrize("shape", [(40, 50), (9, 14, 15)])
@pytest.mark.parametrize("levels", [3, 8, 200])
def test_there_is_one_basin_for_each_regional_maximum(shape: tuple[int, ...], levels: int) -> None:
    from scipy.ndimage import gaussian_filter, label
    from skimage.morphology import local_maxima

    for seed in range(6):
        rng = np.random.default_rng(seed)
        smooth = gaussian_filter(rng.random(shape), 1.5)
        # Few levels make plateaus, also some that lie beside higher ground.
        height = np.floor(levels * (smooth - smooth.min()) / np.ptp(smooth)).astype(np.float32)
        mask = gaussian_filter(rng.random(shape), 2) > 0.48
        around = np.pad(np.where(mask, height + 1, 0), 1)
        maxima = local_maxima(around, connectivity=len(shape))[(slice(1, -1),) * len(shape)] & mask
        parts, count = label(maxima, np.ones((3,) * len(shape)))
        basins = merge_shallow(ascending_basins(height, mask), height, 0)
        assert np.array_equal(basins > 0, mask)
        assert len(np.unique(basins[mask])) == count
        pairs = np.unique(np.stack([parts[maxima], basins[maxima]]), axis=1)
        assert pairs.shape[1] == count  # no maximum in two basins, none shares its basin


def test_a_basin_depends_only_on_the_way_up() -> None:
    from scipy.ndimage import gaussian_filter

    height = gaussian_filter(np.random.default_rng(5).random((60, 70)), 2).astype(np.float32)
    mask = height > np.median(height)
    part = (slice(7, 52), slice(11, 63))
    whole, block = ascending_basins(height, mask)[part], ascending_basins(height[part], mask[part])
    edge = np.concatenate([block[0], block[-1], block[:, 0], block[:, -1]])
    inner = (block > 0) & ~np.isin(block, edge) & ~np.isin(whole, np.unique(whole[~_interior(whole)]))
    assert inner.sum() > 300
    pairs = np.unique(np.stack([whole[inner], block[inner]]), axis=1)
    assert pairs.shape[1] == len(np.unique(whole[inner])) == len(np.unique(block[inner]))


def _interior(labels: np.ndarray) -> np.ndarray:
    interior = np.zeros(labels.shape, bool)
    interior[1:-1, 1:-1] = True
    return interior


def test_the_steepest_way_counts_not_the_highest_neighbour() -> None:
    # From the middle: straight up by 0.5 in one pixel, or by 0.6 over a corner, which is 1.41 pixels away.
    height = np.array([[0.0, 0.0, 0.6], [0.9, 0.5, 0.0], [0.0, 0.0, 0.0]], np.float32)
    height[1, 1], height[1, 0] = 0.0, 0.5
    basins = ascending_basins(height, np.ones(height.shape, bool))
    assert basins[1, 1] == basins[1, 0] != basins[0, 2]
    # Where columns lie far apart, the way to the side is the less steep one.
    wide = ascending_basins(height, np.ones(height.shape, bool), (1.0, 4.0))
    assert wide[1, 1] == wide[0, 1] == wide[0, 2]
