"""Recognising label images that were damaged by lossy compression or interpolation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

# Larger volumes are judged by their middle slices.
_MOST_PIXELS = 1 << 26
_SPECK_PIXELS = 4
_FEWEST_SPECKS = 20
_MOST_CLASSES = 10
_RARE_PIXELS = 64
_RARE_FRACTION = 5e-4


@dataclass(frozen=True)
class LabelDefect:
    """Why the values of a label image are implausible.

    Attributes
    ----------
    kind : {"grey mask", "specks", "rare values"}
        A mask with values around 0 and 255 (JPEG, resizing); many specks of different values (JPEG or
        interpolation of labels); a class map with a few pixels of other values.
    found : str
        What is wrong, with numbers.
    remedy : str
        What to do.
    """

    kind: Literal["grey mask", "specks", "rare values"]
    found: str
    remedy: str

    def sentence(self, name: object) -> str:
        """Return one sentence about the file called ``name``."""
        return f"{name} {self.found}: {self.remedy}."


def label_defect(labels: NDArray[Any]) -> LabelDefect | None:
    """Look for values that real labels do not have.

    Parameters
    ----------
    labels : (Z, Y, X) integer
        Label image, mask or class map; 0 is background.

    Returns
    -------
    LabelDefect or None
        None if the values are plausible.
    """
    from cc3d import connected_components

    labels = _middle(labels)
    values, counts = np.unique(labels[labels > 0], return_counts=True)
    if values.size < 3:
        return None
    numbered = np.searchsorted(values, labels).astype(np.uint32) + 1
    numbered[labels == 0] = 0
    components = connected_components(numbered, connectivity=26)
    sizes = np.bincount(components.ravel())
    value_of = np.zeros(sizes.size, np.int64)
    value_of[components.ravel()] = labels.ravel()
    sizes, value_of = sizes[1:], value_of[1:]
    return (
        _grey_mask(values, counts, sizes, value_of)
        or _specks(values, sizes, value_of)
        or _rare_values(values, counts, sizes, value_of)
    )


def _middle(labels: NDArray[Any]) -> NDArray[Any]:
    n_slices = max(1, _MOST_PIXELS // max(1, labels[0].size))
    start = max(0, (labels.shape[0] - n_slices) // 2)
    return labels[start : start + n_slices]


def _grey_mask(
    values: NDArray[Any], counts: NDArray[Any], sizes: NDArray[Any], value_of: NDArray[Any]
) -> LabelDefect | None:
    """Recognise values around 0 and 255, those other than 0 and 255 in thin rings or specks."""
    if values[-1] > 255 or values[-1] < 200:
        return None
    bright, foreground = counts[values >= 224].sum(), counts[values >= 32].sum()
    others = (value_of != 255) & (value_of != 0)
    thin = others.any() and sizes[others].mean() < 2 * _SPECK_PIXELS
    if not (thin and bright >= 0.6 * foreground):
        return None
    n_others = int(np.count_nonzero(values != 255))
    return LabelDefect(
        "grey mask",
        f"has values around 0 and 255, and {n_others} others at edges, as left by "
        "JPEG compression or resizing",
        "threshold it at 128 and save it as PNG or TIFF; for objects, number its connected components",
    )


def _specks(values: NDArray[Any], sizes: NDArray[Any], value_of: NDArray[Any]) -> LabelDefect | None:
    """Recognise many tiny parts of many values, where real objects are one part each."""
    tiny = sizes <= _SPECK_PIXELS
    n_specks, n_values = int(tiny.sum()), np.unique(value_of[tiny]).size
    many = n_specks >= max(_FEWEST_SPECKS, 0.6 * sizes.size) and sizes.size >= 2 * values.size
    if not (many and n_values >= 5):
        return None
    return LabelDefect(
        "specks",
        f"has {n_specks} specks of up to {_SPECK_PIXELS} pixels with {n_values} different values, as left by "
        "JPEG compression or interpolation",
        "export the labels again as PNG or TIFF, resized by nearest neighbour only",
    )


def _rare_values(
    values: NDArray[Any], counts: NDArray[Any], sizes: NDArray[Any], value_of: NDArray[Any]
) -> LabelDefect | None:
    """Recognise a class map in which some values occur in hardly any pixel."""
    if values.size > _MOST_CLASSES or not any((value_of == value).sum() >= 10 for value in values):
        return None
    rare = (counts <= _RARE_PIXELS) & (counts < _RARE_FRACTION * counts.sum())
    if not rare.any():
        return None
    listed = ", ".join(str(value) for value in values[rare])
    return LabelDefect(
        "rare values",
        f"has classes with hardly any pixels (value {listed}: {int(counts[rare].sum())} pixels), as left by "
        "inexact class values",
        "replace them by the nearest class",
    )
