"""The trivial method that every score is compared with: smoothed Otsu and connected components."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from segloop.core.matching import Array
from segloop.core.metrics import dice

SIGMA = 1.0


def otsu_labels(image: Array) -> npt.NDArray[np.int32]:
    """Segment bright objects: Gaussian smoothing, Otsu's threshold, connected components.

    Parameters
    ----------
    image : (Z, Y, X) or (Y, X), any real dtype
        Intensities of one channel; NaN counts as the darkest pixel.

    Returns
    -------
    labels : same shape, int32
        0 is background. A constant image has no objects.

    Notes
    -----
    Otsu, IEEE Trans. SMC 9 (1979). Gaussian of standard deviation 1 pixel; components touch by face, edge or
    corner.
    """
    from scipy.ndimage import gaussian_filter
    from skimage.filters import threshold_otsu
    from skimage.measure import label

    values = np.asarray(image, np.float32)
    finite = np.isfinite(values)
    if not finite.all():
        known = values[finite]
        low, high = (known.min(), known.max()) if known.size else (0.0, 0.0)
        values = np.nan_to_num(values, nan=low, neginf=low, posinf=high)
    if values.size == 0 or values.min() == values.max():
        return np.zeros(values.shape, np.int32)
    smooth = gaussian_filter(values, SIGMA, mode="nearest")
    return np.asarray(label(smooth > threshold_otsu(smooth)), np.int32)


def best_channel_baseline(
    image: Array, truth: Array, valid: Array | None = None
) -> tuple[npt.NDArray[np.int32], int]:
    """Segment each channel alone and keep the one with the highest Dice, which flatters the baseline.

    Parameters
    ----------
    image : (C, Z, Y, X), any real dtype
        Intensities.
    truth : (Z, Y, X) integer or bool
        The labels or mask to compare with.
    valid : (Z, Y, X) bool, optional
        Only pixels where it is True count.

    Returns
    -------
    labels : (Z, Y, X) int32
        The segmentation of the best channel.
    channel : int
        Its number; the first one if several are equally good.

    Raises
    ------
    ValueError
        If the image has no channel, or its shape differs from that of the truth.
    """
    if not len(image):
        raise ValueError("An image without channels has no baseline.")
    tried = [otsu_labels(channel) for channel in image]
    best = int(np.argmax([dice(labels, truth, valid) for labels in tried]))
    return tried[best], best
