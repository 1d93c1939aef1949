"""The planes that an OME-XML header declares: which image, where in it, in which file."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any
from xml.etree import ElementTree

from segloop.core.errors import ImageError

# No real image has as many planes; a header that says so must not fill the memory.
MOST_PLANES = 1_000_000

_PIXELS = re.compile(r"<(?:\w+:)?Pixels\b[^>]{0,10000}>")
_PLANE_SIZE = re.compile(r"\bSize[CTZ]\s*=\s*[\"'](\d{1,18})[\"']")


@dataclass(frozen=True)
class Plane:
    """Where one plane is stored.

    Attributes
    ----------
    file : str or None
        Path relative to the folder of the file that holds the XML; None for that file itself.
    ifd : int
        Number of the plane in that file, from 0.
    """

    file: str | None
    ifd: int


@dataclass(frozen=True)
class DeclaredImage:
    """One image (scene) of an OME-XML header.

    Attributes
    ----------
    name : str
        As the header says; may be empty.
    shape : (T, C, Z)
        Number of planes along each axis; an RGB plane counts as one along C.
    samples : int
        Samples a pixel within a plane: 3 for RGB.
    size : (Y, X)
        Of a plane, in pixels.
    planes : tuple of Plane or None
        In the order of ``shape``, Z fastest; None for a plane that the header places nowhere.
    pixels : xml element
        Its ``Pixels``.
    """

    name: str
    shape: tuple[int, int, int]
    samples: int
    size: tuple[int, int]
    planes: tuple[Plane | None, ...]
    pixels: Any

    def files(self) -> tuple[str | None, ...]:
        """Return the files that hold its planes, each once, in the order of the planes."""
        return tuple(dict.fromkeys(plane.file for plane in self.planes if plane is not None))


def names_files(xml: str) -> bool:
    """Whether a header may place planes into other files; quick, without parsing it."""
    return "FileName" in xml or "BinaryOnly" in xml


def most_planes(xml: str) -> int:
    """Return how many planes the largest image of a header declares; quick, without parsing it."""
    sizes = (_PLANE_SIZE.findall(pixels) for pixels in _PIXELS.findall(xml))
    return max((math.prod(map(int, each)) for each in sizes), default=0)


def parse_header(xml: str, path: object) -> Any | None:
    """Parse the text of a header; None if it is not XML."""
    try:
        return ElementTree.fromstring(xml)
    except (ElementTree.ParseError, ValueError):
        return None


def metadata_file(root: Any, path: object) -> str | None:
    """Return the companion file that a header refers to instead of describing its images itself.

    Raises
    ------
    ImageError
        If the companion is outside the folder of the image.
    """
    reference = root.find("{*}BinaryOnly")
    return None if reference is None else _inside(reference.get("MetadataFile") or "", path)


def declared_files(root: Any) -> frozenset[str]:
    """Return the names of all files that a header names."""
    return frozenset(name for name, _ in _named(root) if name)


def declared_images(root: Any, own_name: str, path: object) -> tuple[DeclaredImage, ...]:
    """Read which images a header declares, and where their planes are.

    Parameters
    ----------
    root : xml element
        The parsed header.
    own_name : str
        Name of the file that the header was read from (with a companion: of the image that refers to it).
    path : path-like
        Used in messages.

    Raises
    ------
    ImageError
        If a size is not a number, or a file name leads out of the folder.
    """
    named = frozenset(_named(root))
    own = _OwnFile(own_name, str(root.get("UUID") or ""), named)
    elements = root.findall("{*}Image")
    if len(elements) > 1:  # those without any data are descriptions only
        elements = [each for each in elements if each.find("{*}Pixels/{*}TiffData") is not None]
    return tuple(_image(element, own, path) for element in elements)


@dataclass(frozen=True)
class _OwnFile:
    """Tells the file that holds the header from the others, even if it was renamed."""

    name: str
    uuid: str
    named: frozenset[tuple[str, str]]

    def source(self, name: str, uuid: str) -> str | None:
        """Return ``name``, or None if it means the file itself."""
        if not name or _same(name, self.name):
            return None
        if uuid in ("", self.uuid) and len({each for each, _ in self.named}) == 1:
            return None
        # A file is known by its UUID after renaming, unless a careless writer gave one UUID to several files.
        shared = {each for each, other in self.named if other == uuid}
        return None if uuid and uuid == self.uuid and len(shared) == 1 else name


def _image(element: Any, own: _OwnFile, path: object) -> DeclaredImage:
    pixels = element.find("{*}Pixels")
    if pixels is None:
        raise ImageError(f"{path} has damaged OME metadata (an image without pixels): export it again.")
    try:
        t, c, z, y, x = (int(pixels.get(f"Size{axis}", "1")) for axis in "TCZYX")
        samples = max(int(each.get("SamplesPerPixel") or 1) for each in [*pixels.findall("{*}Channel"), {}])
    except ValueError as error:
        raise ImageError(f"{path} has damaged OME metadata ({error}): export it again.") from error
    shape = (t, max(1, c // max(1, samples)), z)
    if min(t, c, z, y, x) < 1 or shape[0] * shape[1] * shape[2] > MOST_PLANES:
        raise ImageError(
            f"{path} has damaged OME metadata (sizes T {t}, C {c}, Z {z}, Y {y}, X {x}): export it again."
        )
    return DeclaredImage(
        element.get("Name") or "", shape, samples, (y, x), _planes(pixels, shape, own, path), pixels
    )


def _planes(
    pixels: Any, shape: tuple[int, int, int], own: _OwnFile, path: object
) -> tuple[Plane | None, ...]:
    n_t, n_c, n_z = shape
    total = n_t * n_c * n_z
    sizes = {"T": n_t, "C": n_c, "Z": n_z}
    order = [axis for axis in str(pixels.get("DimensionOrder") or "XYCZT") if axis in sizes]
    order += [axis for axis in "CZT" if axis not in order]
    stored: list[Plane | None] = [None] * total
    for data in pixels.findall("{*}TiffData"):
        uuid = data.find("{*}UUID")
        name = "" if uuid is None else uuid.get("FileName") or ""
        file = own.source(name, "" if uuid is None else (uuid.text or "").strip())
        if file is not None:
            file = _inside(file, path)
        where = {axis: int(data.get(f"First{axis}") or 0) for axis in sizes}
        placed = any(data.get(key) is not None for key in ("IFD", "FirstT", "FirstC", "FirstZ"))
        count = int(data.get("PlaneCount") or data.get("NumPlanes") or (1 if placed else total))
        first, step = 0, 1
        for axis in order:
            first += where[axis] * step
            step *= sizes[axis]
        ifd = int(data.get("IFD") or 0)
        for offset in range(max(0, min(count, total - first))):
            stored[first + offset] = Plane(file, ifd + offset)
    if not pixels.findall("{*}TiffData"):
        stored = [Plane(None, ifd) for ifd in range(total)]
    strides, step = {}, 1
    for axis in order:
        strides[axis] = step
        step *= sizes[axis]
    return tuple(
        stored[t * strides["T"] + c * strides["C"] + z * strides["Z"]]
        for t in range(n_t)
        for c in range(n_c)
        for z in range(n_z)
    )


def _named(root: Any) -> Iterator[tuple[str, str]]:
    for uuid in root.iterfind("{*}Image/{*}Pixels/{*}TiffData/{*}UUID"):
        if uuid.get("FileName"):
            yield uuid.get("FileName"), (uuid.text or "").strip()


def _inside(name: str, path: object) -> str:
    """Return a file name with forward slashes, if it stays inside the folder."""
    windows = PureWindowsPath(name)
    if not name or windows.drive or windows.root or ".." in windows.parts or "\0" in name:
        raise ImageError(
            f"{path} refers to the file {name!r} outside its own folder, which is not followed: "
            "put the files of the image into one folder and export it again."
        )
    return PurePosixPath(*windows.parts).as_posix()


def _same(name: str, other: str) -> bool:
    first, second = (unicodedata.normalize("NFC", each).casefold() for each in (name, other))
    return first == second
