"""Images made worse, against what each degradation must do to simple images."""

import numpy as np
import pytest

from segloop.core.errors import SegloopError
from segloop.evaluation.degradation import NAMES, Degradation, degradations


def test_blur_keeps_the_sum_and_spreads_a_point_in_its_slice() -> None:
    image = np.zeros((1, 2, 31, 31), np.uint16)
    image[0, 0, 15, 15] = 1000

    blurred = Degradation("blur", 2.0).apply(image)

    assert blurred.sum() == pytest.approx(1000, rel=1e-4)
    assert not blurred[0, 1].any()
    place = np.arange(31) - 15.0
    assert np.sqrt((blurred[0, 0].sum(0) * place**2).sum() / 1000) == pytest.approx(2, rel=0.05)


def test_noise_has_the_asked_share_of_the_range_and_is_repeatable() -> None:
    image = np.tile(np.linspace(0, 4000, 256, dtype=np.float32), (1, 1, 256, 1))

    noisy = Degradation("noise", 0.15).apply(image, seed=3)

    low, high = np.percentile(image, (1, 99))
    assert (noisy - image).std() == pytest.approx(0.15 * (high - low), rel=0.02)
    assert np.array_equal(noisy, Degradation("noise", 0.15).apply(image, seed=3))
    assert not np.array_equal(noisy, Degradation("noise", 0.15).apply(image, seed=4))


def test_intensities_are_multiplied_without_overflow() -> None:
    doubled = Degradation("intensity", 2.0).apply(np.full((1, 1, 2, 2), 200, np.uint8))
    assert (doubled == 400).all()


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_image_and_labels_are_scaled_alike(factor: float) -> None:
    labels = np.zeros((2, 40, 60), np.uint16)
    labels[:, 8:24, 12:40] = 7
    scaled = Degradation("scale", factor)

    image = scaled.apply((labels > 0)[None] * 100.0)
    truth = scaled.apply_to_labels(labels)

    assert image.shape[1:] == truth.shape == (2, round(40 * factor), round(60 * factor))
    assert set(np.unique(truth)) == {0, 7}
    assert np.array_equal(image[0] >= 50, truth > 0)


def test_names_have_levels_and_others_are_refused() -> None:
    assert [each.title for each in degradations(["blur", "scale"])] == [
        "blur 1 px",
        "blur 2 px",
        "scale × 0.5",
        "scale × 2",
    ]
    assert {each.name for each in degradations(NAMES)} == set(NAMES)
    with pytest.raises(SegloopError, match="'fog' is not a degradation: choose among blur, noise"):
        degradations(["blur", "fog"])
