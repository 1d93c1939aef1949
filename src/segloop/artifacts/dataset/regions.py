"""From drawn shapes to pixels, exactly as `skimage.draw` sees them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from segloop.artifacts.dataset.manifest import Region

Block = tuple[slice, slice, slice]
"""Slices along Z, Y and X, without steps."""

EVERYTHING: Block = (slice(None), slice(None), slice(None))


def rasterise(region: Region, shape: tuple[int, int, int]) -> NDArray[np.bool_]:
    """Return the pixels of a region.

    Polygons (rectangles and closed freehand lines are polygons too) follow `skimage.draw.polygon`, ellipses
    `skimage.draw.ellipse`; what lies outside the image is cut off, and a shape without area has no pixels.

    Parameters
    ----------
    region : Region
        The shape, in pixels of the raw image.
    shape : (Z, Y, X)
        Size of the image.

    Returns
    -------
    mask : (Z, Y, X) bool
    """
    return rasterise_all([region], shape)


def rasterise_all(regions: Iterable[Region], shape: tuple[int, int, int]) -> NDArray[np.bool_]:
    """Return the pixels that any of the regions covers, as a (Z, Y, X) bool mask; see `rasterise`."""
    return RegionMask(regions, shape).block()


class RegionMask:
    """The pixels that any of some regions covers; see `rasterise`.

    Parameters
    ----------
    regions : iterable of Region
        The shapes.
    shape : (Z, Y, X)
        Size of the image.
    """

    def __init__(self, regions: Iterable[Region], shape: tuple[int, int, int]) -> None:
        self._regions = tuple(regions)
        self._shape = shape

    def block(self, block: Block = EVERYTHING) -> NDArray[np.bool_]:
        """Return the (Z, Y, X) bool mask of a part of the image.

        Parameters
        ----------
        block : tuple of slice, optional
            Along Z, Y and X, without steps; everything by default.
        """
        ranges = [range(size)[part] for part, size in zip(block, self._shape, strict=True)]
        mask = np.zeros([len(each) for each in ranges], bool)
        for footprint in self._footprints:
            places = (footprint.slices, footprint.rows, footprint.columns)
            overlap = [
                range(max(place.start, part.start), min(place.stop, part.stop))
                for place, part in zip(places, ranges, strict=True)
            ]
            z, y, x = (
                slice(each.start - part.start, each.stop - part.start)
                for each, part in zip(overlap, ranges, strict=True)
            )
            if all(overlap):
                rows, columns = overlap[1:]
                inside = footprint.inside[
                    rows.start - places[1].start : rows.stop - places[1].start,
                    columns.start - places[2].start : columns.stop - places[2].start,
                ]
                mask[z, y, x] |= inside
        return mask

    @cached_property
    def _footprints(self) -> list[_Footprint]:
        """The regions that have pixels in the image; found once, as a large polygon takes a while."""
        return [each for region in self._regions if (each := _footprint(region, self._shape)) is not None]


@dataclass(frozen=True)
class _Footprint:
    """The pixels of a region: the same in each of its slices.

    Attributes
    ----------
    slices, rows, columns : range
        The smallest box around them.
    inside : (rows, columns) bool
        Which pixels of the box are the region's.
    """

    slices: range
    rows: range
    columns: range
    inside: NDArray[np.bool_]


def _footprint(region: Region, shape: tuple[int, int, int]) -> _Footprint | None:
    slices = _slices(region, shape[0])
    rows, columns = _pixels(region, shape[1:])
    if not slices or not rows.size:
        return None
    top, left = int(rows.min()), int(columns.min())
    inside = np.zeros((int(rows.max()) + 1 - top, int(columns.max()) + 1 - left), bool)
    inside[rows - top, columns - left] = True
    height, width = inside.shape
    return _Footprint(slices, range(top, top + height), range(left, left + width), inside)


def _slices(region: Region, n_slices: int) -> range:
    first = 0 if region.z_first is None else max(0, region.z_first)
    last = n_slices - 1 if region.z_last is None else min(n_slices - 1, region.z_last)
    return range(first, last + 1)


def _pixels(region: Region, shape: tuple[int, int]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    from skimage.draw import ellipse, polygon

    nothing = np.empty(0, np.intp), np.empty(0, np.intp)
    vertices = np.asarray(region.vertices, float).reshape(-1, 2)
    if not _has_area(vertices):
        return nothing
    if region.shape != "ellipse":
        rows, columns = polygon(vertices[:, 0], vertices[:, 1], shape)
        return rows, columns
    if len(vertices) != 4:
        return nothing
    # skimage turns the row axis by less than half a turn: take the edge that is closer to the rows for it.
    edges = (vertices[1] - vertices[0]) / 2, (vertices[3] - vertices[0]) / 2
    row_axis, column_axis = sorted(edges, key=lambda edge: abs(edge[1]) - abs(edge[0]))
    row_radius, column_radius = np.hypot(*row_axis), np.hypot(*column_axis)
    if row_radius == 0 or column_radius == 0:
        return nothing
    rotation = np.arctan2(row_axis[1], row_axis[0])
    row, column = vertices.mean(axis=0)
    rows, columns = ellipse(row, column, row_radius, column_radius, shape, rotation)
    return rows, columns


def _has_area(vertices: NDArray[np.float64]) -> bool:
    if len(vertices) < 3:
        return False
    return bool(np.linalg.matrix_rank(vertices - vertices[0]) == 2)
