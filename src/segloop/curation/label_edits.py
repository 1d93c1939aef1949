"""Edits of labels that people make by hand: pure functions from a label image to the change.

All take and return plain values; places are (z, y, x) or (y, x) in pixels, pixel centres at whole numbers.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.draw import line as draw_line
from skimage.segmentation import watershed

from segloop.artifacts.dataset.label_changes import LabelChange

Labels = NDArray[Any]
Box = tuple[slice, slice, slice]

_SMOOTHING_PX = 1.5


def object_at(labels: Labels, place: Sequence[float]) -> int:
    """Return the number of the object at a place; 0 for the background, or outside the image."""
    index = tuple(round(value) for value in place)
    inside = all(0 <= value < size for value, size in zip(index, labels.shape, strict=True))
    return int(labels[index]) if inside else 0


def new_number(labels: Labels) -> int:
    """Return a number above those of all objects."""
    return int(labels.max(initial=0)) + 1


def delete(labels: Labels, number: int) -> LabelChange:
    """Make an object background."""
    return _replace(labels, _box_of(labels, number), lambda part: np.where(part == number, 0, part))


def join(labels: Labels, numbers: Sequence[int]) -> LabelChange:
    """Give several objects the number of the first one."""
    first, others = numbers[0], [each for each in numbers[1:] if each != numbers[0]]
    box = _around([_box_of(labels, each) for each in others])
    return _replace(labels, box, lambda part: np.where(np.isin(part, others), labels.dtype.type(first), part))


def objects_on(labels: Labels, z: int, path: Sequence[Sequence[float]]) -> list[int]:
    """Return the numbers of the objects that a line crosses in a slice, in the order of the line.

    Parameters
    ----------
    labels : (Z, Y, X) integer array
    z : int
        The slice.
    path : sequence of (y, x)
        Corners of the line.
    """
    y, x = _pixels_of(path, labels.shape[1:])
    return [int(number) for number in dict.fromkeys(labels[z, y, x].tolist()) if number]


def cut(labels: Labels, z: int, path: Sequence[Sequence[float]]) -> LabelChange:
    """Divide the objects that a line crosses into the parts on its sides.

    Of each object, the largest part keeps the number and the others get new ones. The pixels under the line
    go to the nearest part. In a stack, the cut goes through all slices of the object, and parts that are
    connected around the end of the line in any slice stay together.

    Parameters
    ----------
    labels : (Z, Y, X) integer array
    z : int
        The slice in which the line was drawn.
    path : sequence of (y, x)
        Corners of the line.

    Returns
    -------
    LabelChange
        Empty if the line divides nothing.
    """
    under = np.zeros(labels.shape[1:], bool)
    under[_pixels_of(path, labels.shape[1:])] = True
    fresh = new_number(labels)
    boxes = {number: _box_of(labels, number) for number in objects_on(labels, z, path)}
    whole = _around(list(boxes.values()))
    result = labels[whole].copy()
    for number, box in boxes.items():
        mask = labels[box] == number
        # Without diagonal neighbours, so that a line of pixels that touch at corners divides.
        parts, n_parts = ndimage.label(mask & ~under[box[1:]])
        if n_parts < 2:
            continue
        nearest = ndimage.distance_transform_edt(parts == 0, return_distances=False, return_indices=True)
        parts = np.where(mask, parts[tuple(nearest)], 0)
        sizes = np.bincount(parts.ravel(), minlength=n_parts + 1)
        sizes[0] = 0
        numbers = np.zeros(n_parts + 1, np.int64)
        for part in range(1, n_parts + 1):
            if part == int(sizes.argmax()):
                numbers[part] = number
            else:
                numbers[part] = fresh
                fresh += 1
        inner = tuple(
            slice(each.start - outer.start, each.stop - outer.start)
            for each, outer in zip(box, whole, strict=True)
        )
        result[inner][mask] = numbers[parts[mask]]
    return _change(labels, whole, result)


def fill_holes(labels: Labels, number: int) -> LabelChange:
    """Fill the holes of an object, slice by slice, where there is no other object."""
    return _reshape(labels, number, 0, lambda mask: _by_slice(ndimage.binary_fill_holes, mask))


def smooth(labels: Labels, number: int) -> LabelChange:
    """Smooth the outline of an object, slice by slice, without touching others."""

    def smoothed(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        blurred = ndimage.gaussian_filter(mask.astype(np.float32), (0, _SMOOTHING_PX, _SMOOTHING_PX))
        smoothed = np.asarray(blurred > 0.5)
        return smoothed if smoothed.any() else mask  # what is too small to have an outline stays

    return _reshape(labels, number, 4, smoothed)


def grow(labels: Labels, number: int) -> LabelChange:
    """Grow an object by one pixel within its slices, where there is no other object."""
    return _reshape(labels, number, 1, lambda mask: _by_slice(ndimage.binary_dilation, mask))


def shrink(labels: Labels, number: int) -> LabelChange:
    """Shrink an object by one pixel within its slices."""
    return _reshape(labels, number, 1, lambda mask: _by_slice(ndimage.binary_erosion, mask))


def interpolate(labels: Labels, number: int) -> LabelChange:
    """Fill the slices between those in which an object was drawn, where there is no other object.

    In between, the object's outline is where the signed distances to the outlines in the slices above and
    below, weighted by their nearness, are zero (shape-based interpolation: Raya and Udupa, IEEE Transactions
    on Medical Imaging 9, 1990).

    Returns
    -------
    LabelChange
        Empty if no slice is missing between two that have the object.
    """
    box = _box_of(labels, number)
    mask = labels[box] == number
    drawn = np.flatnonzero(mask.any(axis=(1, 2)))
    result = labels[box].copy()
    for first, last in itertools.pairwise(drawn):
        if last - first < 2:
            continue
        above, below = _signed_distance(mask[first]), _signed_distance(mask[last])
        for z in range(first + 1, last):
            weight = (z - first) / (last - first)
            inside = (1 - weight) * above + weight * below > 0
            result[z][inside & (result[z] == 0)] = number
    return _change(labels, box, result)


def snap(labels: Labels, image: Sequence[Any], number: int) -> LabelChange:
    """Move the outline of an object to the edges in an image, slice by slice.

    The outline goes along the crest of the gradient, found by a watershed from markers: what is certainly
    inside and certainly outside (Meyer and Beucher, Journal of Visual Communication and Image Representation
    1, 1990). It moves by at most a fifth of the object's size, 2 to 15 pixels. Other objects keep their
    pixels.

    Parameters
    ----------
    labels : (Z, Y, X) integer array
    image : sequence of (Z, Y, X) array
        Intensities, one array per channel; the edges of all channels count alike.
    number : int
        The object.
    """
    if not number:
        return _replace(labels, (slice(0, 0),) * 3, lambda part: part)
    box = _box_of(labels, number)
    height, width = (each.stop - each.start for each in box[1:])
    reach = int(np.clip(round(min(height, width) / 5), 2, 15))
    margin = 2 * reach
    y, x = (
        slice(max(0, each.start - margin), min(size, each.stop + margin))
        for each, size in zip(box[1:], labels.shape[1:], strict=True)
    )
    wide = box[0], y, x
    result = labels[wide].copy()
    parts = [np.asarray(channel[wide], float) for channel in image]
    for z, plane in enumerate(result):
        own = plane == number
        if own.any():
            snapped = _snapped(own, (plane > 0) & ~own, [part[z] for part in parts], reach)
            plane[own & ~snapped] = 0
            plane[snapped & (plane == 0)] = number
    return _change(labels, wide, result)


def _snapped(
    own: NDArray[np.bool_], others: NDArray[np.bool_], channels: Sequence[Labels], reach: int
) -> NDArray[np.bool_]:
    """Return a mask (Y, X) with its outline at the edges in channels (Y, X)."""
    # Beyond the image, an object goes on: its edge there is no outline.
    padded = np.pad(own, reach + 1, mode="edge")
    middle = (slice(reach + 1, -reach - 1),) * 2
    depth = ndimage.distance_transform_edt(padded)[middle]
    far = ndimage.distance_transform_edt(~padded)[middle]
    markers = np.zeros(own.shape, np.int32)
    markers[depth > min(reach, 0.5 * depth.max())] = 1
    markers[(far > reach) | others] = 2
    slope = np.zeros(own.shape)
    for channel in channels:
        gradient = ndimage.gaussian_gradient_magnitude(channel, 1)
        slope += gradient / (gradient.max() or 1.0)
    return np.asarray(watershed(slope, markers) == 1)


def _signed_distance(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the distance to the outline of a plane, positive inside."""
    padded = np.pad(mask, 1)
    distance = ndimage.distance_transform_edt(padded) - ndimage.distance_transform_edt(~padded)
    return np.asarray(distance[1:-1, 1:-1])


def _pixels_of(path: Sequence[Sequence[float]], shape: Sequence[int]) -> tuple[Labels, Labels]:
    """Return the pixels of a line through corners, within a plane."""
    corners = [(round(y), round(x)) for y, x in path]
    pieces = [draw_line(*start, *end) for start, end in zip(corners, corners[1:] or corners, strict=False)]
    y, x = (np.concatenate(each) for each in zip(*pieces, strict=True))
    inside = (y >= 0) & (y < shape[0]) & (x >= 0) & (x < shape[1])
    return y[inside], x[inside]


def _box_of(labels: Labels, number: int) -> Box:
    """Return the smallest box that holds an object; an empty one if there is none."""
    mask = labels == number
    box = []
    for axis in range(3):
        others = tuple(each for each in range(3) if each != axis)
        places = np.flatnonzero(mask.any(axis=others))
        box.append(slice(int(places[0]), int(places[-1]) + 1) if len(places) else slice(0, 0))
    return box[0], box[1], box[2]


def _around(boxes: Sequence[Box]) -> Box:
    """Return the smallest box around others; an empty one if there are none."""
    if not boxes:
        return slice(0, 0), slice(0, 0), slice(0, 0)
    z, y, x = (
        slice(min(each[axis].start for each in boxes), max(each[axis].stop for each in boxes))
        for axis in range(3)
    )
    return z, y, x


def _reshape(
    labels: Labels,
    number: int,
    margin: int,
    change: Callable[[NDArray[np.bool_]], NDArray[np.bool_]],
) -> LabelChange:
    """Give an object another shape; other objects keep their pixels."""
    if not number:
        return _replace(labels, (slice(0, 0),) * 3, lambda part: part)
    z, y, x = _box_of(labels, number)
    wide = [
        slice(max(0, each.start - margin), min(size, each.stop + margin))
        for each, size in zip((y, x), labels.shape[1:], strict=True)
    ]

    def reshaped(part: Labels) -> Labels:
        # Beyond the image, an object goes on: its edge there is no outline.
        mask = np.pad(part == number, ((0, 0), (margin, margin), (margin, margin)), mode="edge")
        inside = change(mask)[:, margin : margin + part.shape[1], margin : margin + part.shape[2]]
        result = part.copy()
        result[(part == number) & ~inside] = 0
        result[(part == 0) & inside] = number
        return result

    return _replace(labels, (z, wide[0], wide[1]), reshaped)


def _by_slice(function: Callable[..., Any], mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.stack([function(plane) for plane in mask]) if len(mask) else mask


def _replace(labels: Labels, box: Box, change: Callable[[Labels], Labels]) -> LabelChange:
    return _change(labels, box, change(labels[box]))


def _change(labels: Labels, box: Box, part: Labels) -> LabelChange:
    """Return the change that puts another part into a box."""
    places = np.nonzero(labels[box] != part)
    starts = (each.start or 0 for each in box)
    whole = tuple(at + start for at, start in zip(places, starts, strict=True))
    indices = np.ravel_multi_index(whole, labels.shape).astype(np.int64)
    return LabelChange(indices, labels[box][places].astype(np.uint32), part[places].astype(np.uint32))
