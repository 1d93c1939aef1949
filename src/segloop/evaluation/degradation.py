"""Images made worse in known ways, to see how quickly a model loses quality."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segloop.core.errors import SegloopError

_LEVELS: dict[str, tuple[float, ...]] = {
    "blur": (1.0, 2.0),
    "noise": (0.05, 0.15),
    "intensity": (0.5, 2.0),
    "scale": (0.5, 2.0),
}
_UNITS = {"blur": "{:g} px", "noise": "{:.0%}", "intensity": "× {:g}", "scale": "× {:g}"}

NAMES = tuple(_LEVELS)
"""Blur, noise, intensity and scale."""


@dataclass(frozen=True)
class Degradation:
    """One way to change an image.

    Attributes
    ----------
    name : {"blur", "noise", "intensity", "scale"}
        Gaussian blur along Y and X, Gaussian noise, multiplied intensities, or resampling along Y and X.
    level : float
        Standard deviation of the blur in pixels; of the noise as a share of the range of intensities (1st to
        99th percentile of each channel); factor of intensities; factor of the sizes along Y and X.
    """

    name: str
    level: float

    @property
    def title(self) -> str:
        """Such as ``"blur 2 px"``."""
        return f"{self.name} {_UNITS[self.name].format(self.level)}".replace("%", " %")

    @property
    def scale(self) -> float:
        """Factor of the sizes along Y and X."""
        return self.level if self.name == "scale" else 1.0

    def apply(self, pixels: NDArray[Any], seed: int = 0) -> NDArray[np.float32]:
        """Return changed intensities.

        Parameters
        ----------
        pixels : (C, Z, Y, X), any real dtype
            Intensities.
        seed : int, optional
            Of the noise; the same one gives the same noise.

        Returns
        -------
        (C, Z, Y, X) float32
            For ``scale`` of other sizes along Y and X, at least 1.
        """
        from scipy.ndimage import gaussian_filter

        image = np.asarray(pixels, np.float32)
        if self.name == "blur":
            return np.asarray(gaussian_filter(image, (0, 0, self.level, self.level), mode="nearest"))
        if self.name == "noise":
            noise = np.random.default_rng(seed).standard_normal(image.shape, np.float32)
            low, high = np.nanpercentile(image, (1, 99), axis=(1, 2, 3), keepdims=True)
            return np.asarray(image + noise * (self.level * (high - low)), np.float32)
        if self.name == "intensity":
            return image * np.float32(self.level)
        from skimage.transform import resize

        shape = (*image.shape[:2], *_scaled(image.shape[2:], self.level))
        return np.asarray(resize(image, shape, order=1, mode="edge", anti_aliasing=True), np.float32)

    def apply_to_labels(self, labels: NDArray[Any]) -> NDArray[Any]:
        """Return labels or a mask (Z, Y, X) of the changed image, by the nearest pixel."""
        if self.scale == 1:
            return labels
        y, x = (
            np.minimum((np.arange(new) + 0.5) * (old / new), old - 1).astype(np.intp)
            for old, new in zip(labels.shape[1:], _scaled(labels.shape[1:], self.scale), strict=True)
        )
        return np.asarray(labels[:, y[:, None], x])


def degradations(names: Sequence[str]) -> list[Degradation]:
    """Return all levels of the named degradations, in order.

    Raises
    ------
    SegloopError
        If there is none of a name.
    """
    unknown = [name for name in names if name not in _LEVELS]
    if unknown:
        raise SegloopError(f"'{unknown[0]}' is not a degradation: choose among {', '.join(NAMES)}.")
    return [Degradation(name, level) for name in dict.fromkeys(names) for level in _LEVELS[name]]


def _scaled(sizes: Sequence[int], factor: float) -> list[int]:
    return [max(1, round(size * factor)) for size in sizes]
