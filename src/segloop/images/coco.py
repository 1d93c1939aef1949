"""Objects in the format of COCO: one ``.json`` file for many images.

Sources: cocodataset.org, "Data format"; for compressed run lengths, ``common/maskApi.c`` of
github.com/cocodataset/cocoapi.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segloop.core.errors import ImageError
from segloop.core.wording import counted
from segloop.images.importers import LabelItem, Shape
from segloop.images.outlines import pixels_inside

_LARGEST = 2 * 2**30  # bytes
_HEAD = 4096
_KEYS = (b'"images"', b'"annotations"', b'"categories"', b'"info"', b'"licenses"')


class Coco:
    """Each annotation of an image is an object, numbered in their order; the later has pixels that two cover.

    Crowds are left out, since they outline regions whose objects were not separated.
    """

    def recognises(self, path: Path) -> bool:
        """Return whether it is such a file."""
        if path.suffix.lower() != ".json" or not path.is_file():
            return False
        with path.open("rb") as file:
            head = file.read(_HEAD)
        return any(key in head for key in _KEYS)

    def describe(self, path: Path) -> str:
        """Say how many images it is about."""
        content = _read(path)
        crowds = sum(bool(each.get("iscrowd")) for each in content.annotations)
        left_out = f", {counted(crowds, 'crowd')} left out: exclude these regions" if crowds else ""
        return f"COCO annotations of {counted(len(content.images), 'image')}{left_out}"

    def items(self, path: Path) -> Sequence[LabelItem]:
        """List the images; see `Importer.items`."""
        content = _read(path)
        objects: dict[object, list[Mapping[str, Any]]] = defaultdict(list)
        for annotation in content.annotations:
            if not annotation.get("iscrowd"):
                objects[annotation.get("image_id")].append(annotation)
        found = []
        for image in content.images:
            name = PurePosixPath(str(image["file_name"]).replace("\\", "/"))
            stem = str(name.with_suffix(""))
            found.append(LabelItem(stem, path, partial(_labels, path, stem, image, objects[image["id"]])))
        return found


COCO = Coco()


@dataclass(frozen=True)
class _Content:
    images: Sequence[Mapping[str, Any]]
    annotations: Sequence[Mapping[str, Any]]


def _read(path: Path) -> _Content:
    try:
        if path.stat().st_size > _LARGEST:
            raise ImageError(f"{path} is larger than 2 GB: split it up.")
        content = json.loads(path.read_bytes())
        images, annotations = list(content["images"]), list(content["annotations"])
        for needed, entries in (({"id", "file_name"}, images), ({"image_id", "segmentation"}, annotations)):
            for entry in entries:
                if missing := needed - set(entry):
                    raise ValueError(f"an entry has no {min(missing)}")
    except OSError as error:
        raise ImageError(f"{path} can't be read ({error.strerror}).") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ImageError(
            f"{path} is no complete file of COCO annotations with segmentations ({error}): export it again."
        ) from error
    return _Content(images, annotations)


def _labels(
    path: Path, stem: str, image: Mapping[str, Any], objects: Sequence[Mapping[str, Any]], shape: Shape
) -> NDArray[np.int32]:
    """Return the labels (Y, X) of an image."""
    if shape[0] > 1:
        raise ImageError(f"{path} has annotations of planes, but {stem} is a stack: choose planes.")
    plane = shape[1:]
    size = tuple(int(image.get(key, wanted)) for key, wanted in zip(("height", "width"), plane, strict=True))
    if size != plane:
        raise ImageError(
            f"{path} says that {stem} is {size[1]} x {size[0]} pixels, but it is {plane[1]} x {plane[0]}: "
            "choose the annotations of this image."
        )
    labels = np.zeros(plane, np.int32)
    for number, each in enumerate(objects, 1):
        try:
            where = _pixels(each["segmentation"], plane)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
            raise ImageError(
                f"{path} has a damaged annotation of {stem} ({error}): export it again."
            ) from error
        labels[where] = number
    return labels


def _pixels(segmentation: Any, shape: tuple[int, int]) -> tuple[NDArray[Any], NDArray[Any]]:
    if isinstance(segmentation, Mapping):
        height, width = (int(size) for size in segmentation["size"])
        counts = segmentation["counts"]
        lengths = list(_decompressed(counts.encode())) if isinstance(counts, str) else counts
        if (height, width) != shape or sum(lengths) != height * width or min(lengths) < 0:
            raise ValueError("the run lengths of a mask do not fill the image")
        inside = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths).reshape(shape, order="F")
        rows, columns = np.nonzero(inside)
        return rows, columns
    # The first pixel's centre is at (0.5, 0.5).
    paths = [np.asarray(each, np.float64).reshape(-1, 2)[:, ::-1] - 0.5 for each in segmentation]
    if not all(np.isfinite(path).all() for path in paths):
        raise ValueError("an outline has no finite corners")
    found = pixels_inside(paths, shape, holes=False)
    if found is None:
        raise ValueError(
            "an object has no outline of three corners: keypoints and boxes are no segmentations"
        )
    return found


def _decompressed(counts: bytes) -> Iterator[int]:
    """Yield run lengths: five bits a character; from the fourth on, differences to the last but one."""
    before: list[int] = []
    position = 0
    while position < len(counts):
        value = shift = 0
        more = True
        while more:
            bits = counts[position] - 48
            if not 0 <= bits < 64:
                raise ValueError("a character of compressed run lengths is wrong")
            value |= (bits & 0x1F) << shift
            shift += 5
            position += 1
            more = bool(bits & 0x20)
            if not more and bits & 0x10:
                value -= 1 << shift
        if len(before) > 2:
            value += before[-2]
        before.append(value)
        yield value
