import numpy as np

from segloop.targets import quantise, suggested_min_size


def test_quantising_rounds_to_the_nearest_of_255_steps() -> None:
    maps = np.array([0.0, 0.5, 1.0, 1.2, -0.1, np.nan], np.float32)
    np.testing.assert_array_equal(quantise(maps), [0, 128, 255, 255, 0, 0])


def test_quantised_maps_stay_as_they_are() -> None:
    maps = np.arange(256, dtype=np.uint8)
    assert quantise(maps) is maps
    np.testing.assert_array_equal(quantise(maps.astype(np.float32) / 255), maps)


def test_min_size_is_below_nearly_all_training_objects() -> None:
    sizes = np.arange(100, 1100)
    assert 40 <= suggested_min_size(sizes) <= 60
    assert suggested_min_size(np.array([], int)) == 0
