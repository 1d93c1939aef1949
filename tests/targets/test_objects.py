import numpy as np
import pytest
from skimage.measure import label

from segloop.targets.objects import connected_objects, remove_small


@pytest.mark.parametrize("shape", [(1, 1, 4), (1, 3, 7), (2, 5, 8), (3, 7, 3), (4, 4, 4)])
def test_components_are_those_of_scikit_image(shape: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(1)
    for share in (0.1, 0.3, 0.6):
        mask = rng.random(shape) < share
        np.testing.assert_array_equal(connected_objects(mask, 3), label(mask, connectivity=3))


def test_numbers_go_on_from_slice_to_slice_in_planes() -> None:
    mask = np.zeros((2, 3, 5), bool)
    mask[:, :, 0] = mask[:, :, 4] = True
    labels = connected_objects(mask, 2)
    assert [sorted(np.unique(plane)) for plane in labels] == [[0, 1, 2], [0, 3, 4]]


def test_removed_objects_leave_no_gap() -> None:
    labels = np.array([[[1, 1, 2, 5, 5, 5]]])
    np.testing.assert_array_equal(remove_small(labels, 2), [[[1, 1, 0, 2, 2, 2]]])
