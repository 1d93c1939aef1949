"""How intensities are scaled for a network: by percentiles, by mean and deviation, or by fixed values.

Each kind gives, for each channel, the value that becomes 0 and the one that becomes 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from segloop.core.context import Context
from segloop.images.image import Image
from segloop.images.normalisation import Intensities, blocks, measure_intensities, normalise

_AT_ONCE = 16  # channels


class Scaling(Protocol):
    """One kind of scaling."""

    def measure(
        self, image: Image, t: int, channels: Sequence[int], context: Context | None = None
    ) -> Intensities:
        """Measure what the scaling depends on, over the whole image at one time point.

        Parameters
        ----------
        image : Image
            The image; it is read block by block.
        t : int
            Time point.
        channels : sequence of int
            Channels of the image, in the order of the channels of the model.
        context : Context, optional
            Progress and cancel.

        Raises
        ------
        ImageError
            If the image can't be read.
        Cancelled
            If the user asked to stop.
        """
        ...

    def apply(self, block: np.ndarray, ranges: np.ndarray) -> np.ndarray:
        """Scale a block (C, Z, Y, X) by ``ranges`` (C, 2), as `measure` gives them, to float32."""
        ...


@dataclass(frozen=True)
class PercentileScaling:
    """Percentiles of the whole image become 0 and 1; then values are clipped.

    Attributes
    ----------
    low, high : float
        Percentiles in percent.
    clip_low, clip_high : float or None
        Bounds of the result; None where there is none.
    eps : float
        Is added to the distance between the percentiles.
    together : bool
        Whether all channels are measured together.
    """

    low: float
    high: float
    clip_low: float | None = None
    clip_high: float | None = None
    eps: float = 0.0
    together: bool = False

    def measure(
        self, image: Image, t: int, channels: Sequence[int], context: Context | None = None
    ) -> Intensities:
        """Measure the percentiles; see `Scaling.measure`."""
        if self.together:
            whole, numbers = _joined(image, channels)
            return _repeated(self._measure(whole, t, numbers, context), len(channels))
        # A few channels at a time, since a stranger's model may name many.
        parts = [
            self._measure(image, t, channels[start : start + _AT_ONCE], context)
            for start in range(0, len(channels), _AT_ONCE)
        ]
        return Intensities(
            np.concatenate([part.ranges for part in parts]),
            np.concatenate([part.inverted_ranges for part in parts]),
            np.concatenate([part.medians for part in parts]),
        )

    def _measure(self, image: Image, t: int, channels: Sequence[int], context: Context | None) -> Intensities:
        found = measure_intensities(image, t, channels, self.low, self.high, context)
        return Intensities(
            _widened(found.ranges, self.eps), _widened(found.inverted_ranges, self.eps), found.medians
        )

    def apply(self, block: np.ndarray, ranges: np.ndarray) -> np.ndarray:
        """Scale a block and clip it; see `Scaling.apply`."""
        low = -np.inf if self.clip_low is None else self.clip_low
        return normalise(block, ranges, low, np.inf if self.clip_high is None else self.clip_high)


@dataclass(frozen=True)
class MeanScaling:
    """The mean of the whole image becomes 0, and its standard deviation 1.

    Attributes
    ----------
    eps : float
        Is added to the standard deviation.
    together : bool
        Whether all channels are measured together.
    """

    eps: float = 0.0
    together: bool = False

    def measure(
        self, image: Image, t: int, channels: Sequence[int], context: Context | None = None
    ) -> Intensities:
        """Measure mean and deviation, without NaN and infinity; see `Scaling.measure`."""
        whole, numbers = _joined(image, channels) if self.together else (image, channels)
        mean, deviation = _moments(whole, t, list(numbers), context or Context())
        ranges = np.stack([mean, mean + deviation], axis=1).astype(np.float32)
        turned = np.stack([mean, mean - deviation], axis=1).astype(np.float32)
        found = Intensities(_widened(ranges, self.eps), _widened(turned, self.eps), mean.astype(np.float32))
        return _repeated(found, len(channels)) if self.together else found

    def apply(self, block: np.ndarray, ranges: np.ndarray) -> np.ndarray:
        """Scale a block; see `Scaling.apply`."""
        return normalise(block, ranges, -np.inf, np.inf)


@dataclass(frozen=True)
class FixedScaling:
    """The same values for every image.

    Attributes
    ----------
    ranges : tuple of (float, float)
        For each channel, the value that becomes 0 and the one that becomes 1; they differ.
    """

    ranges: tuple[tuple[float, float], ...]

    def measure(
        self, image: Image, t: int, channels: Sequence[int], context: Context | None = None
    ) -> Intensities:
        """Return the values; see `Scaling.measure`."""
        ranges = np.array(self.ranges, np.float32)
        return Intensities(ranges, ranges[:, ::-1], ranges.mean(axis=1))

    def apply(self, block: np.ndarray, ranges: np.ndarray) -> np.ndarray:
        """Scale a block; see `Scaling.apply`."""
        return normalise(block, ranges, -np.inf, np.inf)


def _widened(ranges: np.ndarray, eps: float) -> np.ndarray:
    """Add ``eps`` to the distance of the two values; what is constant stays so."""
    distance = ranges[:, 1] - ranges[:, 0]
    return np.stack([ranges[:, 0], ranges[:, 1] + np.sign(distance) * np.float32(eps)], axis=1)


def _joined(image: Image, channels: Sequence[int]) -> tuple[Image, list[int]]:
    """Return the channels as one, below each other along Z."""
    import dask.array as da

    parts = [image.data[:, number : number + 1] for number in channels]
    data = da.concatenate(parts, axis=2)  # type: ignore[no-untyped-call]
    return Image(image.name, data, ("all",)), [0]


def _repeated(found: Intensities, count: int) -> Intensities:
    """Return what was measured of one channel for several."""
    return Intensities(
        found.ranges.repeat(count, axis=0),
        found.inverted_ranges.repeat(count, axis=0),
        found.medians.repeat(count),
    )


def _moments(image: Image, t: int, channels: list[int], context: Context) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of each channel; blocks are combined as by Chan et al. (1979)."""
    n = np.zeros(len(channels))
    mean, squares = np.zeros(len(channels)), np.zeros(len(channels))
    places = list(blocks(image))
    for at in context.track(places, len(places), f"Measuring intensities of {image.name}"):
        for i, plane in enumerate(image.block(t, channels, *at)):
            values = plane[np.isfinite(plane)].astype(np.float64)
            if not values.size:
                continue
            own = values.mean()
            total, shift = n[i] + values.size, own - mean[i]
            squares[i] += ((values - own) ** 2).sum() + shift**2 * n[i] * values.size / total
            mean[i] += shift * values.size / total
            n[i] = total
    return mean, np.sqrt(squares / np.maximum(n, 1))
