"""What the metadata of an OME-Zarr folder say: image, plate, well or labels, and which version."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from segloop.core.errors import ImageError

OWN_ATTRIBUTE = "segloop"
"""Attribute of an image that Segloop has written, beside ``ome``."""

STORED_CHUNKS = "stored_chunks"
"""In it: how many chunks the first array has."""

_NEWEST = (0, 5)
_MOST_CHUNKS = 1_000_000
_MARKERS = (".zgroup", ".zattrs", ".zarray", "zarr.json")


def is_zarr(folder: Path) -> bool:
    """Whether a folder is a Zarr group or array of format 2 or 3, by its metadata files."""
    return any((folder / name).is_file() for name in _MARKERS)


def attributes(folder: Path) -> dict[str, Any]:
    """Return the attributes of a local Zarr group, those below ``ome`` too; empty where there are none.

    Raises
    ------
    ImageError
        If they are damaged.
    """
    for name in ("zarr.json", ".zattrs"):
        file = folder / name
        if file.is_file():
            try:
                content = json.loads(file.read_text(encoding="utf-8"))
            except (ValueError, RecursionError) as error:
                raise ImageError(
                    f"{folder} is damaged ({name} is not JSON): copy or export it again."
                ) from error
            found = as_dict(as_dict(content).get("attributes") if name == "zarr.json" else content)
            return {**found, **as_dict(found.get("ome"))}
    return {}


def as_dict(value: Any) -> dict[str, Any]:
    """Return a mapping as it is, anything else as an empty one."""
    return value if isinstance(value, dict) else {}


def holds_image(folder: Path) -> bool:
    """Whether a Zarr folder is an OME-Zarr image, plate, well, or a store that bioformats2raw wrote."""
    try:
        found = attributes(folder)
    except ImageError:
        return True  # opening it says what is damaged
    return any(key in found for key in ("multiscales", "plate", "well", "bioformats2raw.layout"))


def image_folders(folder: Path) -> tuple[str, ...]:
    """Return the images inside a plate, a well or a store of bioformats2raw, as paths relative to it.

    Empty if the folder is none of these.

    Raises
    ------
    ImageError
        If it holds no image.
    """
    found = attributes(folder)
    if "plate" in found:
        names = tuple(_plate_fields(folder, as_dict(found["plate"])))
        kind = "plate"
    elif "well" in found:
        names = tuple(_well_fields(folder, found))
        kind = "well"
    elif "bioformats2raw.layout" in found:
        names = _series(folder)
        kind = "bioformats2raw store"
    else:
        return ()
    if not names:
        raise ImageError(f"{folder} is an OME-Zarr {kind} without images: export it again.")
    return names


def listed_labels(folder: Path) -> list[Path]:
    """Return the label images inside an OME-Zarr image; empty if there are none, or it is damaged."""
    labels = folder / "labels"
    try:
        names = attributes(labels).get("labels") if is_zarr(labels) else None
    except ImageError:
        return []
    if not isinstance(names, list):
        return []
    return [labels / name for name in names if isinstance(name, str) and _is_inside(labels, name)]


def require_image(folder: Path) -> None:
    """Make sure that a folder is an OME-Zarr image whose arrays are there.

    Raises
    ------
    ImageError
        If it is not, with a path in it that can be opened if there is one.
    """
    found = attributes(folder)
    multiscales = found.get("multiscales")
    if not isinstance(multiscales, list) or not multiscales:
        inside = next(_images_below(folder), None)
        raise ImageError(
            f"{folder} is not an OME-Zarr image (it has no multiscales metadata): "
            + (f"choose an image in it, such as {inside}." if inside else "save it as OME-Zarr or TIFF.")
        )
    for entry in multiscales:
        try:
            first = str(entry["datasets"][0]["path"])
        except (KeyError, IndexError, TypeError) as error:
            raise ImageError(
                f"{folder} is damaged (its multiscales metadata list no arrays): copy or export it again."
            ) from error
        if not any((folder / first / name).exists() for name in (".zarray", "zarr.json")):
            raise ImageError(
                f"{folder} is incomplete (its array {first} is missing): copy or export it again."
            )
        _require_few_chunks(folder, first)
    _require_all_chunks(folder, found)


def _require_few_chunks(folder: Path, name: str) -> None:
    """Raise `ImageError` if an array is cut into so many chunks that listing them takes minutes."""
    found = _metadata(folder / name)
    grid = as_dict(as_dict(found.get("chunk_grid")).get("configuration"))
    try:
        sizes = zip(found["shape"], found.get("chunks") or grid["chunk_shape"], strict=True)
        number = math.prod(-(-int(size) // int(chunk)) for size, chunk in sizes)
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return  # opening it says what is wrong
    if number > _MOST_CHUNKS:
        raise ImageError(
            f"{folder} is cut into {number:,} chunks, more than the {_MOST_CHUNKS:,} that can be read: save "
            "it with larger chunks."
        )


def _require_all_chunks(folder: Path, found: dict[str, Any]) -> None:
    """Raise `ImageError` if an image that Segloop wrote has lost chunks, which Zarr reads as zeros."""
    stored = as_dict(found.get(OWN_ATTRIBUTE)).get(STORED_CHUNKS)
    if not isinstance(stored, int):
        return
    lost = stored - count_chunks(folder / "0")
    if lost > 0:
        raise ImageError(
            f"{folder} is incomplete ({lost:,} of its {stored:,} chunks are missing): copy or make it again."
        )


def count_chunks(array: Path) -> int:
    """Return how many chunks of a Zarr array of format 3 are stored."""
    return sum(len(names) for _, _, names in os.walk(array / "c"))


def known_version(folder: Path) -> str:
    """Return the version of OME-Zarr that an image says it has, such as ``0.4``; empty if it says none.

    Raises
    ------
    ImageError
        If it is newer than the versions that can be read.
    """
    found = attributes(folder)
    multiscales = found.get("multiscales")
    first = as_dict(multiscales[0]) if isinstance(multiscales, list) and multiscales else {}
    stated = str(found.get("version") or first.get("version") or "")
    number = re.match(r"(\d+)\.(\d+)", stated)
    if number and (int(number[1]), int(number[2])) > _NEWEST:
        raise ImageError(
            f"{folder} has OME-Zarr version {stated}, but only the versions 0.1 to 0.5 can be read: "
            "save it as 0.5."
        )
    return number[0] if number else stated


def _metadata(array: Path) -> dict[str, Any]:
    """Return the metadata of a Zarr array of format 2 or 3; empty if they are damaged."""
    for name in ("zarr.json", ".zarray"):
        if (array / name).is_file():
            try:
                return as_dict(json.loads((array / name).read_text(encoding="utf-8")))
            except (OSError, ValueError, RecursionError):
                return {}
    return {}


def _images_below(folder: Path) -> Iterator[Path]:
    for child in sorted(folder.iterdir()):
        if child.is_dir() and is_zarr(child):
            if holds_image(child):
                yield child
            else:
                yield from _images_below(child)


def _plate_fields(plate: Path, metadata: dict[str, Any]) -> Iterator[str]:
    wells = metadata.get("wells")
    for well in wells if isinstance(wells, list) else []:
        name = as_dict(well).get("path")
        if isinstance(name, str) and _is_inside(plate, name):
            for field in _well_fields(plate / name, attributes(plate / name)):
                yield f"{name}/{field}"


def _well_fields(well: Path, found: dict[str, Any]) -> Iterator[str]:
    images = as_dict(found.get("well")).get("images")
    for image in images if isinstance(images, list) else []:
        name = as_dict(image).get("path")
        if isinstance(name, str) and _is_inside(well, name):
            yield name


def _series(folder: Path) -> tuple[str, ...]:
    listed = attributes(folder / "OME").get("series")
    if isinstance(listed, list) and listed and all(_is_inside(folder, str(name)) for name in listed):
        return tuple(str(name) for name in listed)
    numbered = [child.name for child in folder.iterdir() if child.is_dir() and child.name.isdecimal()]
    return tuple(sorted(numbered, key=int))


def _is_inside(folder: Path, name: str) -> bool:
    """Whether a name from a file is that of a folder below ``folder``."""
    parts = name.split("/")
    return (
        bool(name)
        and not any(part in ("", ".", "..") for part in parts)
        and "\\" not in name
        and ":" not in name
        and (folder / name).is_dir()
    )
