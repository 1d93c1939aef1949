"""Where a result lies: on the same grid in the world as the image that it was made from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from segloop.core.units import micrometres_per

if TYPE_CHECKING:
    from napari.layers import Layer
    from numpy.typing import NDArray

_TOLERANCE = 0.5
"""How far the corners of two grids may lie apart to be called the same, in pixels."""


def result_axes(axes: str) -> str:
    """Return the axes of a result: those of its source without a leading channel axis."""
    return axes.removeprefix("C")


def arrange(array: Any, axes: str) -> Any:
    """Bring a result (T, Z, Y, X) into the axes of its source; a channel axis gets length 1."""
    order = [axis for axis in result_axes(axes) if axis != "C"]
    for position, axis in reversed(list(enumerate("TZYX"))):
        if axis not in order:
            array = array[(slice(None),) * position + (0,)]
    present = [axis for axis in "TZYX" if axis in order]
    array = array.transpose([present.index(axis) for axis in order])
    index = tuple(None if axis == "C" else slice(None) for axis in result_axes(axes))
    return array[index]


def data_to_world(layer: Layer) -> NDArray[np.float64]:
    """Return the matrix from data coordinates to world coordinates of a layer.

    It contains all of the layer's transforms: scale, translate, rotate, shear and affine.

    Returns
    -------
    (ndim + 1, ndim + 1) float64
        Homogeneous matrix, in the order of the layer's axes.
    """
    ndim = layer.ndim
    origin = np.array(layer.data_to_world(np.zeros(ndim)))
    matrix = np.eye(ndim + 1)
    matrix[:-1, -1] = origin
    for axis, unit in enumerate(np.eye(ndim)):
        matrix[:-1, axis] = np.array(layer.data_to_world(unit)) - origin
    return matrix


def placement(layer: Layer, axes: str) -> dict[str, Any]:
    """Return the keyword arguments that put a result layer where its source layer is.

    A channel axis in the middle has length 1 in the result. It is stretched over all channels of the source,
    so that the result shows whichever channel is displayed.

    Parameters
    ----------
    layer : napari.layers.Layer
        The source.
    axes : str
        Its axes, without colour samples.

    Returns
    -------
    dict
        ``scale``, ``translate``, ``affine``, ``units`` and ``axis_labels`` for a layer with the axes of
        `result_axes`. For every transform of the source, reflections, rotations and shears included,
        ``data_to_world`` of the two layers agrees. (napari's own ``scale`` and ``rotate`` do not suffice: it
        decomposes matrices into a positive scale and an improper rotation.)
    """
    matrix = data_to_world(layer)
    kept = list(range(layer.ndim))
    if axes.startswith("C"):
        kept = kept[1:]
    elif "C" in axes:
        position = axes.index("C")
        n_channels = _shape(layer)[position]
        matrix[:, -1] += matrix[:, position] * (n_channels - 1) / 2
        matrix[:, position] *= n_channels
    matrix = matrix[np.ix_([*kept, layer.ndim], [*kept, layer.ndim])]
    linear, offset = matrix[:-1, :-1], matrix[:-1, -1]
    is_diagonal = not np.any(linear - np.diag(np.diag(linear)))
    scale = np.diag(linear).copy() if is_diagonal else np.linalg.norm(linear, axis=0)
    affine = np.eye(len(matrix))
    if not is_diagonal:
        affine[:-1, :-1] = linear / scale
        affine[:-1, -1] = offset
    return {
        "scale": scale,
        "translate": offset if is_diagonal else np.zeros_like(offset),
        "affine": affine,
        "units": [layer.units[axis] for axis in kept],
        "axis_labels": [layer.axis_labels[axis] for axis in kept],
    }


def lies_on(layer: Layer, source: Layer, axes: str) -> bool:
    """Whether a layer has the grid in the world that a result of ``source`` has.

    Parameters
    ----------
    layer : napari.layers.Labels or napari.layers.Image
        The layer in question.
    source : napari.layers.Image
        The image.
    axes : str
        Axes of the image, without colour samples.
    """
    shape = tuple(
        1 if axis == "C" else length
        for axis, length in zip(axes, _shape(source)[: len(axes)], strict=True)
        if axis != "C" or not axes.startswith("C")
    )
    place = placement(source, axes)
    own = place["affine"] @ _homogeneous(place["scale"], place["translate"])
    other_shape = tuple(_shape(layer)[: layer.ndim])
    other = data_to_world(layer)
    n_axes = min(len(shape), len(other_shape))
    if any(length > 1 for length in (*shape[:-n_axes], *other_shape[:-n_axes])):
        return False
    if shape[-n_axes:] != other_shape[-n_axes:]:
        return False
    units = place["units"][-n_axes:], list(layer.units)[-n_axes:]
    own_corners = _corners(own, shape, n_axes, _lengths(*units))
    other_corners = _corners(other, other_shape, n_axes, _lengths(*reversed(units)))
    steps = np.linalg.norm(own_corners[1:] - own_corners[0], axis=1) / np.array(shape[-n_axes:])
    apart = np.linalg.norm(own_corners - other_corners, axis=1)
    return bool(np.all(apart <= _TOLERANCE * steps.min()))


def _homogeneous(scale: NDArray[np.float64], translate: NDArray[np.float64]) -> NDArray[np.float64]:
    matrix = np.diag([*scale, 1.0])
    matrix[:-1, -1] = translate
    return matrix


def _corners(
    matrix: NDArray[np.float64], shape: tuple[int, ...], n_axes: int, factors: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the world coordinates of a grid's first corner and of its far end along each axis."""
    ends = np.vstack([np.zeros(n_axes), np.diag(shape[-n_axes:])]) - 0.5
    points = np.zeros((len(ends), len(shape)))
    points[:, -n_axes:] = ends
    world = points @ matrix[:-1, :-1].T + matrix[:-1, -1]
    corners: NDArray[np.float64] = world[:, -n_axes:] * factors
    return corners


def _lengths(own: list[Any], other: list[Any]) -> NDArray[np.float64]:
    """Return factors to micrometres where both layers have units of length, else 1."""
    factors = [
        (micrometres_per(mine), micrometres_per(theirs)) for mine, theirs in zip(own, other, strict=True)
    ]
    return np.array([mine if mine and theirs else 1.0 for mine, theirs in factors])


def _shape(layer: Any) -> tuple[int, ...]:
    return tuple((layer.data[0] if layer.multiscale else layer.data).shape)
