"""How regions are drawn: their shape, the slices they cover, and where merges take labels from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from segloop.app.presenters.background import Memory

Kind = Literal["exclude", "merge"]
ShapeKind = Literal["polygon", "rectangle", "ellipse", "path"]
SliceRange = tuple[int | None, int | None]
"""First and last slice, both inclusive; None is no limit."""

SHAPES: dict[ShapeKind, str] = {
    "polygon": "Polygon",
    "rectangle": "Rectangle",
    "ellipse": "Ellipse",
    "path": "Freehand",
}
"""The shapes of regions, and what they are called on screen."""

_SHAPE_KEY = "curation.shape"


@dataclass(frozen=True)
class DrawnShape:
    """A shape on the canvas.

    Attributes
    ----------
    region_id : str
        The region that it shows; empty if it is new.
    shape : {"polygon", "rectangle", "ellipse", "path"}
        Its type.
    vertices : (N, 2) float array
        Y and X in pixels of the raw image.
    """

    region_id: str
    shape: ShapeKind
    vertices: NDArray[np.float64]

    def same_place(self, other: DrawnShape) -> bool:
        """Whether both have the same vertices, to the precision that is saved."""
        return self.vertices.shape == other.vertices.shape and bool(
            np.allclose(self.vertices, other.vertices, atol=2e-3)
        )


@dataclass(frozen=True)
class SliceChoice:
    """The slices of a stack that regions cover.

    Attributes
    ----------
    mode : {"all", "this", "range"}
        Every slice, the one on screen, or those from ``first`` to ``last``.
    first, last : int
        Both inclusive, counted from 0.
    """

    mode: Literal["all", "this", "range"] = "all"
    first: int = 0
    last: int = 0

    def limits(self, current: int) -> SliceRange:
        """Return the first and last slice, for the slice on screen."""
        if self.mode == "this":
            return current, current
        if self.mode == "range":
            return min(self.first, self.last), max(self.first, self.last)
        return None, None


class DrawingOptions:
    """The choices for new regions.

    Parameters
    ----------
    memory : Memory
        Where the shape is remembered.
    """

    shape_changed = Signal(str)
    """Another shape was chosen."""

    slices_changed = Signal(SliceChoice)
    """Other slices were chosen."""

    sources_changed = Signal()
    """Other segmentations can be merged from, or another one was chosen."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._slices = SliceChoice()
        self._sources: tuple[str, ...] = ()
        self._source = ""

    @property
    def shape(self) -> ShapeKind:
        """The shape to draw."""
        kept = self._memory.recall(_SHAPE_KEY, "polygon")
        return kept if kept in SHAPES else "polygon"

    def set_shape(self, shape: ShapeKind) -> None:
        """Choose the shape to draw."""
        if shape != self.shape:
            self._memory.remember(_SHAPE_KEY, shape)
            self.shape_changed.emit(shape)

    @property
    def slices(self) -> SliceChoice:
        """The slices that regions cover."""
        return self._slices

    def set_slices(self, slices: SliceChoice) -> None:
        """Choose the slices that regions cover."""
        if slices != self._slices:
            self._slices = slices
            self.slices_changed.emit(slices)

    @property
    def sources(self) -> tuple[str, ...]:
        """The segmentations that a merge region can take labels from."""
        return self._sources

    @property
    def source(self) -> str:
        """The one that a new merge region takes labels from; empty if there is none."""
        return self._source

    def set_source(self, name: str) -> None:
        """Choose the segmentation that new merge regions take labels from."""
        if name in self._sources and name != self._source:
            self._source = name
            self.sources_changed.emit()

    def offer_sources(self, names: Sequence[str]) -> None:
        """Follow the sample: a choice that it has is kept."""
        offered = tuple(names)
        if offered != self._sources:
            self._sources = offered
            if self._source not in offered:
                self._source = offered[0] if offered else ""
            self.sources_changed.emit()
