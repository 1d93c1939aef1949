"""Annotations of labelme: a ``.json`` file for each image.

Source: github.com/wkentaro/labelme, ``labelme/label_file.py`` and ``labelme/utils/shape.py``.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segloop.core.errors import ImageError
from segloop.core.wording import counted
from segloop.images.importers import LabelItem, Shape
from segloop.images.listing import is_image
from segloop.images.names import natural_key
from segloop.images.outlines import pixels_inside

_LARGEST = 2**30  # bytes; the image itself may be in the file
_HEAD = 4096
_KEYS = (b'"shapes"', b'"imagePath"')
_CIRCLE_CORNERS = 64
_AREAS = ("polygon", "rectangle", "circle", "mask")

Pixels = tuple[NDArray[Any], NDArray[Any]]


class Labelme:
    """Each area is an object, numbered in their order; the later has pixels that two cover.

    Areas of the same label and group (``group_id``) are one object. Points and lines are left out, and so are
    the names of labels.
    """

    def recognises(self, path: Path) -> bool:
        """Return whether it is such a file, or a folder of them, with or without the annotated images."""
        if path.is_file():
            return _is_labelme(path)
        if not path.is_dir():
            return False
        files = _files(path)
        stems = {each.with_suffix("") for each in files}
        images = [each for each in path.rglob("*") if is_image(each)]
        return bool(files) and all(image.with_suffix("") in stems for image in images)

    def describe(self, path: Path) -> str:
        """Say how many files there are."""
        return counted(len(_files(path)), "labelme file")

    def items(self, path: Path) -> Sequence[LabelItem]:
        """List the files; see `Importer.items`."""
        root = path if path.is_dir() else path.parent
        return [
            LabelItem(each.relative_to(root).with_suffix("").as_posix(), each, partial(_labels, each))
            for each in _files(path)
        ]


LABELME = Labelme()


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return sorted((each for each in path.rglob("*.json") if _is_labelme(each)), key=natural_key)


def _is_labelme(path: Path) -> bool:
    if path.suffix.lower() != ".json":
        return False
    with path.open("rb") as file:
        head = file.read(_HEAD)
    return any(key in head for key in _KEYS)


def _labels(path: Path, shape: Shape) -> NDArray[np.int32]:
    """Return the labels (Y, X) in a file."""
    content = _read(path)
    plane = shape[1:]
    if shape[0] > 1:
        raise ImageError(f"{path} annotates a plane, but its image is a stack: choose planes.")
    labels = np.zeros(plane, np.int32)
    numbers: dict[object, int] = {}
    try:
        size = int(content.get("imageHeight") or plane[0]), int(content.get("imageWidth") or plane[1])
        if size != plane:
            raise ImageError(
                f"{path} says that its image is {size[1]} x {size[0]} pixels, but it is {plane[1]} x "
                f"{plane[0]}: choose the annotations of this image."
            )
        for place, each in enumerate(content["shapes"]):
            if str(each.get("shape_type") or "polygon") not in _AREAS:
                continue
            group = each.get("group_id")
            key = place if group is None else (str(each.get("label")), str(group))
            labels[_pixels(each, plane)] = numbers.setdefault(key, len(numbers) + 1)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError) as error:
        raise ImageError(f"{path} has a damaged shape ({error}): save it again in labelme.") from error
    return labels


def _read(path: Path) -> Mapping[str, Any]:
    try:
        if path.stat().st_size > _LARGEST:
            raise ImageError(f"{path} is larger than 1 GB: save it without the image in it.")
        content = json.loads(path.read_bytes())
        if not isinstance(content, dict) or not isinstance(content.get("shapes"), list):
            raise ValueError("it has no list of shapes")
    except OSError as error:
        raise ImageError(f"{path} can't be read ({error.strerror}).") from error
    except (ValueError, RecursionError) as error:
        raise ImageError(f"{path} is no complete file of labelme ({error}): save it again.") from error
    return content


def _pixels(shape: Mapping[str, Any], plane: tuple[int, int]) -> Pixels:
    # The first pixel's centre is at (0.5, 0.5).
    points = np.asarray(shape["points"], np.float64).reshape(-1, 2)[:, ::-1] - 0.5
    if not np.isfinite(points).all():
        raise ValueError("a corner is not finite")
    kind = str(shape.get("shape_type") or "polygon")
    if kind == "mask":
        return _mask(shape, points + 0.5, plane)
    if kind == "rectangle":
        (top, left), (bottom, right) = points.min(axis=0), points.max(axis=0)
        points = np.array([(top, left), (top, right), (bottom, right), (bottom, left)])
    elif kind == "circle":
        centre, edge = points
        turns = np.linspace(0, 2 * np.pi, _CIRCLE_CORNERS, endpoint=False)
        points = centre + np.hypot(*(edge - centre)) * np.stack([np.sin(turns), np.cos(turns)], axis=1)
    found = pixels_inside([points], plane, holes=False)
    if found is None:
        raise ValueError("an outline has less than three corners")
    return found


def _mask(shape: Mapping[str, Any], box: NDArray[np.float64], plane: tuple[int, int]) -> Pixels:
    """Return the pixels of a mask, stored as a PNG that lies in a box."""
    from imagecodecs import png_decode

    data = base64.b64decode(shape["mask"], validate=True)
    (top, left), (bottom, right) = box.astype(int).tolist()
    stated = int.from_bytes(data[20:24], "big"), int.from_bytes(data[16:20], "big")
    if not data.startswith(b"\x89PNG") or stated != (bottom - top + 1, right - left + 1):
        raise ValueError("a mask is not as large as its box")
    if not (0 <= top <= bottom < plane[0] and 0 <= left <= right < plane[1]):
        raise ValueError("a mask lies outside the image")
    try:
        inside = png_decode(data) > 0
    except RuntimeError as error:
        raise ValueError("a mask is no PNG") from error
    rows, columns = np.nonzero(inside.reshape(*stated, -1).any(axis=2))
    return rows + top, columns + left
