"""Small pictures of image, labels and difference, ready to stand in a web page.

Colours are those of Okabe and Ito, which most colour-blind people can tell apart.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segloop.core.matching import Array, find_overlaps, match

RGB = npt.NDArray[np.uint8]

LONGEST_SIDE = 512
"""Larger pictures are scaled down to this many pixels."""

BACKGROUND = (17, 20, 24)
AGREEMENT = (150, 156, 163)
MISSED = (230, 159, 0)
EXTRA = (86, 180, 233)
OTHER_CLASS = (213, 94, 0)
EXCLUDED = (62, 50, 68)
OUTLINE = (255, 255, 255)
FOREGROUND = (214, 219, 225)


@dataclass(frozen=True)
class Picture:
    """One encoded picture.

    Attributes
    ----------
    uri : str
        ``data:`` address that holds the whole picture.
    width, height : int
        Size in pixels.
    """

    uri: str
    width: int
    height: int


def image_picture(image: Array) -> Picture:
    """Show intensities between their 1st and 99.8th percentile, as JPEG.

    Parameters
    ----------
    image : (C, Y, X), any real dtype
        One channel is shown grey, two magenta and green, three red, green and blue, more as their mean.
    """
    channels = np.stack([_contrast(channel) for channel in np.asarray(image)])
    if len(channels) == 2:
        magenta, green = channels
        channels = np.stack([magenta, green, magenta])
    elif len(channels) != 3:
        channels = channels.mean(0, keepdims=True)
    small = _scaled_down(channels)
    pixels = np.round(255 * small).astype(np.uint8)
    return _encode(pixels[0] if len(pixels) == 1 else np.moveaxis(pixels, 0, -1), lossy=True)


def labels_picture(labels: Array, *, coloured: bool, valid: Array | None = None) -> Picture:
    """Show each label in a colour of its own (the same in every picture), or one colour for a mask.

    Parameters
    ----------
    labels : (Y, X) integer or bool
        0 is background.
    coloured : bool
        False shows everything above 0 in one colour.
    valid : (Y, X) bool, optional
        Where it is False, the picture is filled with the colour of excluded pixels.
    """
    small = _nearest(np.asarray(labels))
    if coloured:
        pixels = _label_colours(small)
        pixels[_boundary(small) & (small > 0)] //= 2
    else:
        pixels = _filled(small.shape, BACKGROUND)
        pixels[small > 0] = FOREGROUND
    _fill_excluded(pixels, valid)
    return _encode(pixels)


def difference_picture(
    pred: Array,
    truth: Array,
    *,
    valid: Array | None = None,
    wrong_pred: Array | None = None,
    classes: bool = False,
) -> Picture:
    """Show agreement, missed and extra pixels.

    Parameters
    ----------
    pred, truth : (Y, X) integer or bool
        Everything above 0 is foreground.
    valid : (Y, X) bool, optional
        Where it is False, the picture is filled with the colour of excluded pixels.
    wrong_pred : (Y, X) integer, optional
        Predicted objects without a match (0 elsewhere); they get an outline.
    classes : bool, optional
        True where values are classes; foreground of the wrong class then has a colour of its own.
    """
    pred_values, truth_values = _nearest(np.asarray(pred)), _nearest(np.asarray(truth))
    p, t = pred_values > 0, truth_values > 0
    pixels = _filled(p.shape, BACKGROUND)
    pixels[p & t] = AGREEMENT
    if classes:
        pixels[p & t & (pred_values != truth_values)] = OTHER_CLASS
    pixels[t & ~p] = MISSED
    pixels[p & ~t] = EXTRA
    if wrong_pred is not None:
        wrong = _nearest(np.asarray(wrong_pred))
        pixels[_boundary(wrong) & (wrong > 0)] = OUTLINE
    _fill_excluded(pixels, valid)
    return _encode(pixels)


def shared_numbers(pred: Array, truth: Array, valid: Array | None = None) -> tuple[Array, Array, Array]:
    """Renumber objects so that a matched pair (IoU of at least 0.5) has one number, and with it one colour.

    Parameters
    ----------
    pred, truth : same shape, integer
        Label images; 0 is background.
    valid : same shape, bool, optional
        Pixels that count.

    Returns
    -------
    pred, truth : same shape, int64
        Truth objects are numbered 1, 2, ...; predicted ones like their match, or beyond.
    unmatched : same shape, int64
        The predicted objects without a match, 0 elsewhere.
    """
    overlaps = find_overlaps(pred, truth, valid)
    chosen = match(overlaps, 0.5)
    n_pred, n_truth = overlaps.pred_labels.size, overlaps.truth_labels.size
    number = np.arange(n_truth + 1, n_truth + n_pred + 1)
    number[overlaps.pred_index[chosen]] = overlaps.truth_index[chosen] + 1
    loose = number.copy()
    loose[overlaps.pred_index[chosen]] = 0
    return (
        _renumbered(pred, overlaps.pred_labels, number),
        _renumbered(truth, overlaps.truth_labels, np.arange(1, n_truth + 1)),
        _renumbered(pred, overlaps.pred_labels, loose),
    )


def _renumbered(labels: Array, values: npt.NDArray[np.int64], numbers: npt.NDArray[np.int64]) -> Array:
    if not values.size:
        return np.zeros(labels.shape, np.int64)
    wanted = np.asarray(labels).astype(np.int64)
    place = np.minimum(np.searchsorted(values, wanted), values.size - 1)
    return np.where(values[place] == wanted, numbers[place], 0)


def _contrast(channel: Array) -> npt.NDArray[np.float32]:
    values = np.asarray(channel, np.float32)
    finite = values[np.isfinite(values)]
    if not finite.size:
        return np.zeros(values.shape, np.float32)
    low, high = np.percentile(finite, (1, 99.8))
    if high <= low:
        low, high = float(finite.min()), float(finite.max())
    if high <= low:
        return np.zeros(values.shape, np.float32)
    scaled = np.nan_to_num((values - low) / (high - low), nan=0.0, posinf=1.0, neginf=0.0)
    return np.asarray(np.clip(scaled, 0, 1), np.float32)


def _small_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    factor = min(1.0, LONGEST_SIDE / max(shape))
    return max(1, round(shape[0] * factor)), max(1, round(shape[1] * factor))


def _scaled_down(channels: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    shape = _small_shape(channels.shape[1:])
    if shape == channels.shape[1:]:
        return channels
    from skimage.transform import resize

    small = resize(channels, (len(channels), *shape), order=1, anti_aliasing=True, preserve_range=True)
    return np.clip(np.asarray(small, np.float32), 0, 1)


def _nearest(labels: Array) -> Array:
    """Scale labels down without mixing them."""
    height, width = _small_shape(labels.shape)
    rows = ((np.arange(height) + 0.5) * labels.shape[0] / height).astype(np.intp)
    columns = ((np.arange(width) + 0.5) * labels.shape[1] / width).astype(np.intp)
    return np.asarray(labels[rows[:, None], columns[None, :]])


def _boundary(labels: Array) -> npt.NDArray[np.bool_]:
    """Return pixels with a different label above, below, left or right (inside the picture)."""
    edge = np.zeros(labels.shape, bool)
    down, right = labels[1:] != labels[:-1], labels[:, 1:] != labels[:, :-1]
    edge[1:] |= down
    edge[:-1] |= down
    edge[:, 1:] |= right
    edge[:, :-1] |= right
    return edge


def _filled(shape: tuple[int, ...], colour: tuple[int, int, int]) -> RGB:
    return np.broadcast_to(np.array(colour, np.uint8), (*shape, 3)).copy()


def _fill_excluded(pixels: RGB, valid: Array | None) -> None:
    if valid is not None:
        pixels[~_nearest(np.asarray(valid, bool))] = EXCLUDED


def _label_colours(labels: Array) -> RGB:
    from skimage.color import hsv2rgb

    values, index = np.unique(labels, return_inverse=True)
    # Steps of the golden ratio spread the hues of successive numbers widest.
    hue = values * 0.618034 % 1
    saturation = np.array([0.55, 0.8, 0.65])[values % 3]
    brightness = np.array([1.0, 0.85])[values % 2]
    colours = np.round(255 * hsv2rgb(np.stack([hue, saturation, brightness], -1))).astype(np.uint8)
    colours[values == 0] = BACKGROUND
    return np.asarray(colours[index.reshape(labels.shape)])


def _encode(pixels: RGB, *, lossy: bool = False) -> Picture:
    from imagecodecs import jpeg8_encode, png_encode

    pixels = np.ascontiguousarray(pixels)
    data = jpeg8_encode(pixels, level=88) if lossy else png_encode(pixels, level=9)
    kind = "jpeg" if lossy else "png"
    uri = f"data:image/{kind};base64,{base64.b64encode(bytes(data)).decode('ascii')}"
    return Picture(uri, pixels.shape[1], pixels.shape[0])
