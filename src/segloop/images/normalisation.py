"""One percentile normalisation for training and prediction alike, measured without loading the image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from segloop.core.context import Context
from segloop.images.image import Image

_BINS = 1 << 16
_EXACT_FLOAT = 1 << 53  # below it, each integer is a 64-bit float
_BLOCK_PIXELS = 4 << 20
_ROW_PIXELS = 1 << 20
# Two percentiles closer than this many bins are measured again between them: a single hot pixel must not
# make the bins so coarse that the image proper falls into a few of them.
_RESOLVED_BINS = 1 << 10
_ZOOMS = 3


@dataclass(frozen=True)
class Intensities:
    """Where the intensities of an image's channels lie at one time point.

    Attributes
    ----------
    ranges : (C, 2) float32
        Value at the low and at the high percentile, the same only if the channel is constant. NaN and
        infinity are ignored; both 0 if nothing is left.
    inverted_ranges : (C, 2) float32
        The same if bright were dark: the first is the higher one.
    medians : (C,) float32
        The medians.
    """

    ranges: np.ndarray
    inverted_ranges: np.ndarray
    medians: np.ndarray

    @property
    def relative_medians(self) -> np.ndarray:
        """Where the medians lie within the ranges: (C,), 0 to 1, NaN for channels that are constant."""
        return _relative(self.medians, self.ranges)

    @property
    def inverted_relative_medians(self) -> np.ndarray:
        """Where the medians lie within the inverted ranges."""
        return _relative(self.medians, self.inverted_ranges)


def measure_intensities(
    image: Image,
    t: int,
    channels: Sequence[int],
    low: float,
    high: float,
    context: Context | None = None,
) -> Intensities:
    """Measure the percentiles of each channel over the whole image at one time point.

    The image is read block by block. Integers that span at most 65,536 values are counted exactly, which
    gives ``numpy.percentile`` with linear interpolation (method 7 of Hyndman and Fan, 1996); other pixels are
    binned between minimum and maximum, which errs by less than 1/65536 of that range.

    Where the two percentiles are the same value, because nearly all of the image is background, the few other
    pixels are its content: the maximum stands in for the upper percentile, or, if nothing is brighter than
    the background, the minimum for the lower one.

    Parameters
    ----------
    image : Image
        The image.
    t : int
        Time point.
    channels : sequence of int
        Channels to measure.
    low, high : float
        Percentiles in percent, 0 to 100.
    context : Context, optional
        Progress and cancel.

    Raises
    ------
    ImageError
        If the image can't be read.
    Cancelled
        If the user asked to stop.
    """
    percentiles = (low, high, 100 - high, 100 - low, 50)
    measured = _measure(image, t, list(channels), percentiles, context or Context())
    table = np.asarray(measured, dtype=np.float32).reshape(len(channels), len(percentiles) + 2).T
    lower, upper, dark, bright, median, minimum, maximum = table
    return Intensities(
        _spread(lower, upper, minimum, maximum), _spread(dark, bright, minimum, maximum)[:, ::-1], median
    )


def percentile_ranges(
    image: Image,
    t: int,
    channels: Sequence[int],
    low: float,
    high: float,
    context: Context | None = None,
) -> np.ndarray:
    """Return the ``ranges`` of `measure_intensities`."""
    return measure_intensities(image, t, channels, low, high, context).ranges


def _spread(lower: np.ndarray, upper: np.ndarray, minimum: np.ndarray, maximum: np.ndarray) -> np.ndarray:
    """Return (C, 2), where an extreme stands in for one of two percentiles that are the same."""
    upper = np.where(upper > lower, upper, maximum)
    lower = np.where(upper > lower, lower, minimum)
    return np.stack([lower, upper], axis=1)


def _relative(values: np.ndarray, ranges: np.ndarray) -> np.ndarray:
    low, high = ranges.T
    return np.asarray(np.clip((values - low) / np.where(high == low, np.nan, high - low), 0, 1))


def normalise(block: np.ndarray, ranges: np.ndarray, clip_low: float, clip_high: float) -> np.ndarray:
    """Scale intensities so that a channel's low percentile becomes 0 and its high percentile 1, then clip.

    Parameters
    ----------
    block : numpy.ndarray
        (C, Z, Y, X), any real type.
    ranges : numpy.ndarray
        (C, 2) as in `Intensities`; if the first is the higher one, bright becomes dark.
    clip_low, clip_high : float
        Bounds of the result.

    Returns
    -------
    numpy.ndarray
        (C, Z, Y, X) float32 within the bounds; a channel whose range is empty becomes 0, so does NaN.
    """
    with np.errstate(over="ignore"):  # beyond float32 is infinity, which is clipped
        scaled = block.astype(np.float32)
    for channel, (low, high) in zip(scaled, np.asarray(ranges, dtype=np.float32), strict=True):
        if not (high > low or high < low):
            channel[...] = 0
            continue
        channel -= low
        channel /= high - low
        np.clip(channel, clip_low, clip_high, out=channel)
    if block.dtype.kind == "f":
        np.nan_to_num(scaled, copy=False, nan=0.0)
    return scaled


def blocks(image: Image) -> Iterator[tuple[slice, slice, slice]]:
    """Cover an image's (Z, Y, X) by slices that follow its chunks and hold a few million pixels each."""
    _, _, z_chunks, y_chunks, x_chunks = image.data.chunks
    xs = _merged(x_chunks, _ROW_PIXELS // max(y_chunks))
    ys = _merged(y_chunks, _ROW_PIXELS // max(x.stop - x.start for x in xs))
    plane = max(y.stop - y.start for y in ys) * max(x.stop - x.start for x in xs)
    for z in _merged(z_chunks, _BLOCK_PIXELS // plane):
        for y in ys:
            for x in xs:
                yield z, y, x


def _merged(chunks: Sequence[int], limit: int) -> list[slice]:
    """Join neighbouring chunks up to ``limit`` pixels; a larger chunk stays whole."""
    found: list[slice] = []
    start = stop = 0
    for size in chunks:
        if stop > start and stop + size - start > limit:
            found.append(slice(start, stop))
            start = stop
        stop += int(size)
    found.append(slice(start, stop))
    return found


def _read(image: Image, t: int, channels: list[int], context: Context) -> Iterator[list[np.ndarray]]:
    """Yield one flat array a channel, for each block in turn."""
    places = list(blocks(image))
    for z, y, x in context.track(places, len(places), f"Measuring intensities of {image.name}"):
        block = image.block(t, channels, z, y, x)
        yield [plane.reshape(-1) for plane in block]


def _ranks(n: int, percentile: float) -> tuple[int, int, float]:
    """Neighbouring ranks (from 0) around a percentile of ``n`` values, and the weight of the upper one."""
    rank = percentile / 100 * (n - 1)
    lower = int(rank)
    return lower, min(lower + 1, n - 1), rank - lower


def _measure(
    image: Image, t: int, channels: list[int], percentiles: Sequence[float], context: Context
) -> list[list[float]]:
    """Return percentiles, minimum and maximum of each channel."""
    if image.dtype.kind in "iu" and image.dtype.itemsize <= 2:
        limits = np.iinfo(image.dtype)
        return _exact(image, t, channels, percentiles, context, int(limits.min), int(limits.max))
    extents = _extent(image, t, channels, context)
    if image.dtype.kind in "iu":
        least, most = int(min(low for low, _, _ in extents)), int(max(high for _, high, _ in extents))
        if most - least < _BINS and max(abs(least), abs(most)) < _EXACT_FLOAT:
            return _exact(image, t, channels, percentiles, context, least, most)
    return _binned(image, t, channels, percentiles, context, extents)


def _exact(
    image: Image,
    t: int,
    channels: list[int],
    percentiles: Sequence[float],
    context: Context,
    least: int,
    most: int,
) -> list[list[float]]:
    """Return percentiles, minimum and maximum of each channel, from a count of every value."""
    counts = np.zeros((len(channels), most - least + 1), dtype=np.int64)
    for values in _read(image, t, channels, context):
        for count, value in zip(counts, values, strict=True):
            shifted = value if least == 0 else value.astype(np.int64) - least
            count += np.bincount(shifted.astype(np.intp, copy=False), minlength=count.size)
    found = []
    for count in counts:
        cumulative = np.cumsum(count)
        row = []
        for percentile in (*percentiles, 0, 100):
            lower, upper, weight = _ranks(int(cumulative[-1]), percentile)
            first, second = np.searchsorted(cumulative, [lower, upper], side="right") + least
            row.append(float(first + (second - first) * weight))
        found.append(row)
    return found


@dataclass
class _Bins:
    """Histogram of one channel between two values, with their extremes and the number of values below."""

    start: float
    stop: float
    n: int
    below: int = 0
    least: float = np.inf
    most: float = -np.inf
    counts: np.ndarray = field(default_factory=lambda: np.zeros(_BINS, dtype=np.int64))

    @property
    def width(self) -> float:
        return (self.stop - self.start) / _BINS

    def add(self, values: np.ndarray) -> None:
        if values.dtype.kind == "f":
            values = values[np.isfinite(values)]
        self.below += int(np.count_nonzero(values < self.start))
        inside = values[(values >= self.start) & (values <= self.stop)].astype(np.float64)
        self.least = float(inside.min(initial=self.least))
        self.most = float(inside.max(initial=self.most))
        index = ((inside - self.start) / self.width).astype(np.int64)
        np.minimum(index, _BINS - 1, out=index)
        self.counts += np.bincount(index, minlength=_BINS)

    def bin_of(self, rank: int) -> int:
        return min(int(np.searchsorted(np.cumsum(self.counts), rank - self.below, side="right")), _BINS - 1)

    def value(self, rank: int) -> float:
        number = self.bin_of(rank)
        before = self.below + int(self.counts[:number].sum())
        within = (rank - before + 0.5) / max(1, int(self.counts[number]))
        return min(max(self.start + (number + within) * self.width, self.start), self.stop)

    def percentile(self, percentile: float) -> float:
        if self.least == self.most:  # not spread over a bin what is one value
            return self.least
        lower, upper, weight = _ranks(self.n, percentile)
        first, second = self.value(lower), self.value(upper)
        return first + (second - first) * weight

    def zoomed(self, percentiles: Sequence[float]) -> _Bins | None:
        """Return an empty histogram of the part between the percentiles; None if they are resolved."""
        first = self.bin_of(_ranks(self.n, min(percentiles))[0])
        last = self.bin_of(_ranks(self.n, max(percentiles))[1])
        start, stop = self.start + first * self.width, self.start + (last + 1) * self.width
        representable = (stop - start) / _BINS > np.spacing(max(abs(start), abs(stop)))
        if last - first >= _RESOLVED_BINS or not representable:
            return None
        return _Bins(start, stop, self.n)


def _binned(
    image: Image,
    t: int,
    channels: list[int],
    percentiles: Sequence[float],
    context: Context,
    extents: list[tuple[float, float, int]],
) -> list[list[float]]:
    """Return percentiles, minimum and maximum of each channel, from histograms."""
    bins = [_Bins(low, high, n) for low, high, n in extents]
    open_bins = {i: part for i, part in enumerate(bins) if part.n and part.width > 0}
    for _ in range(1 + _ZOOMS):
        if not open_bins:
            break
        chosen = list(open_bins)
        for values in _read(image, t, [channels[i] for i in chosen], context):
            for i, value in zip(chosen, values, strict=True):
                open_bins[i].add(value)
        bins = [open_bins.get(i, part) for i, part in enumerate(bins)]
        zoomed = {i: part.zoomed(percentiles) for i, part in open_bins.items()}
        open_bins = {i: part for i, part in zoomed.items() if part is not None}
    pairs = [
        [part.percentile(p) if part.n and part.width > 0 else part.start for p in percentiles]
        for part in bins
    ]
    return [[*pair, low, high] for pair, (low, high, _) in zip(pairs, extents, strict=True)]


def _extent(image: Image, t: int, channels: list[int], context: Context) -> list[tuple[float, float, int]]:
    """Minimum, maximum and number of finite values of each channel."""
    low = np.full(len(channels), np.inf)
    high = np.full(len(channels), -np.inf)
    n = np.zeros(len(channels), dtype=np.int64)
    for values in _read(image, t, channels, context):
        for i, value in enumerate(values):
            finite = value if value.dtype.kind != "f" else value[np.isfinite(value)]
            if finite.size:
                low[i] = min(low[i], float(finite.min()))
                high[i] = max(high[i], float(finite.max()))
                n[i] += finite.size
    return [
        (float(a), float(b), int(k)) if k else (0.0, 0.0, 0) for a, b, k in zip(low, high, n, strict=True)
    ]
