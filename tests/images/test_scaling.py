"""The kinds of scaling, compared with what numpy computes of the whole image."""

from __future__ import annotations

import numpy as np
import pytest

from segloop.images.image import Image
from segloop.images.scaling import FixedScaling, MeanScaling, PercentileScaling, Scaling

PIXELS = np.random.default_rng(1).gamma(2.0, [[[[50.0]]], [[[90.0]]]], (2, 3, 40, 50)).astype(np.uint16)


def scaled(scaling: Scaling, pixels: np.ndarray = PIXELS, inverted: bool = False) -> np.ndarray:
    found = scaling.measure(Image.from_array(pixels, "CZYX"), 0, range(len(pixels)))
    return scaling.apply(pixels, found.inverted_ranges if inverted else found.ranges)


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("eps", [0.0, 0.1])
def test_the_mean_becomes_0_and_the_deviation_1(together: bool, eps: float) -> None:
    axes = None if together else (1, 2, 3)
    mean, deviation = (f(PIXELS.astype(float), axis=axes, keepdims=True) for f in (np.mean, np.std))

    np.testing.assert_allclose(
        scaled(MeanScaling(eps, together)), (PIXELS - mean) / (deviation + eps), atol=1e-4
    )
    np.testing.assert_allclose(
        scaled(MeanScaling(eps, together), inverted=True), (mean - PIXELS) / (deviation + eps), atol=1e-4
    )


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("kind", [np.uint16, np.float32])
def test_percentiles_become_0_and_1(together: bool, kind: type) -> None:
    axes = None if together else (1, 2, 3)
    low, high = (np.percentile(PIXELS, q, axis=axes, keepdims=True) for q in (1, 99))

    found = scaled(PercentileScaling(1, 99, None, 0.9, 0.1, together), PIXELS.astype(kind))

    np.testing.assert_allclose(found, np.minimum((PIXELS - low) / (high - low + 0.1), 0.9), atol=1e-3)


def test_fixed_values_become_0_and_1() -> None:
    found = scaled(FixedScaling(((10.0, 30.0), (200.0, 100.0))))

    np.testing.assert_allclose(found[0], (PIXELS[0] - 10.0) / 20, atol=1e-4)
    np.testing.assert_allclose(found[1], (200.0 - PIXELS[1]) / 100, atol=1e-4)


@pytest.mark.parametrize("scaling", [MeanScaling(1e-6), PercentileScaling(0, 100, eps=1e-6)])
def test_a_constant_image_becomes_0_and_what_is_not_finite_does_not_count(scaling: Scaling) -> None:
    constant = np.full((1, 1, 8, 8), 7.0, np.float32)
    constant[0, 0, 0, :2] = np.nan, np.inf

    assert not scaled(scaling, constant).any()


def test_the_percentiles_of_many_channels_are_those_of_each() -> None:
    pixels = np.random.default_rng(2).integers(0, 255, (20, 1, 9, 9)).astype(np.uint8)

    found = PercentileScaling(2, 98).measure(Image.from_array(pixels, "CZYX"), 0, range(20))

    np.testing.assert_allclose(found.ranges, np.percentile(pixels, (2, 98), axis=(1, 2, 3)).T)
