"""From drawn shapes to pixels, exactly as `skimage.draw` sees them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from segloop.artifacts.dataset.manifest import Region


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


def rasterise_all(
    regions: Iterable[Region],
    shape: tuple[int, int, int],
    block: tuple[slice, slice, slice] = (slice(None), slice(None), slice(None)),
) -> NDArray[np.bool_]:
    """Return the pixels that any of the regions covers; see `rasterise`.

    Parameters
    ----------
    regions : iterable of Region
        The shapes.
    shape : (Z, Y, X)
        Size of the image.
    block : tuple of slice, optional
        The part of the image, along Z, Y and X, without steps; everything by default.

    Returns
    -------
    mask : (Z, Y, X) bool
        As large as the part.
    """
    planes, height, width = (range(size)[part] for part, size in zip(block, shape, strict=True))
    mask = np.zeros((len(planes), len(height), len(width)), bool)
    if not mask.size:
        return mask
    for region in regions:
        slices = [z - planes.start for z in _slices(region, shape[0]) if z in planes]
        if not slices:
            continue
        rows, columns = _pixels(region, shape[1:])
        rows, columns = rows - height.start, columns - width.start
        inside = (rows >= 0) & (rows < len(height)) & (columns >= 0) & (columns < len(width))
        for z in slices:
            mask[z, rows[inside], columns[inside]] = True
    return mask


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
