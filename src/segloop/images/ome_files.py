"""OME-TIFFs whose planes are in several files, and those that lack planes which they declare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from segloop.core.errors import ImageError
from segloop.core.paths import is_file
from segloop.images.image import AXES, Image, pixel_dtype
from segloop.images.ome_xml import (
    DeclaredImage,
    Plane,
    declared_files,
    declared_images,
    metadata_file,
    names_files,
    parse_header,
)
from segloop.images.tiff_file import parsed

if TYPE_CHECKING:
    from tifffile import TiffFile

_CHUNK_PIXELS = 1 << 20


def images_in_files(tiff: TiffFile, path: Path) -> tuple[DeclaredImage, ...]:
    """Return the images that the OME header of a TIFF places into several files; empty for other TIFFs.

    Raises
    ------
    ImageError
        If a file name leads out of the folder, or the companion file with the metadata is missing or damaged.
    """
    xml = tiff.ome_metadata if tiff.is_ome else None
    if not xml or not names_files(xml):
        return ()
    root = parse_header(xml, path)
    if root is None:
        return ()
    companion = metadata_file(root, path)
    if companion is not None:
        root = _companion(path, companion)
    images = declared_images(root, path.name, path)
    return images if any(file is not None for image in images for file in image.files()) else ()


def images_beyond_series(tiff: TiffFile, path: Path) -> tuple[DeclaredImage, ...]:
    """Return all images that an OME header declares if tifffile leaves some of them out; empty else.

    tifffile leaves out an image of which no plane exists.
    """
    xml = tiff.ome_metadata if tiff.series[0].kind == "ome" else None
    if not xml or xml.count("DimensionOrder=") <= len(tiff.series):
        return ()
    declared = declared_of(tiff, path)
    return declared if len(declared) > len(tiff.series) else ()


def declared_of(tiff: TiffFile, path: Path) -> tuple[DeclaredImage, ...]:
    """Return all images that the OME header of a TIFF declares."""
    root = parse_header(tiff.ome_metadata or "", path)
    return () if root is None else declared_images(root, path.name, path)


def images_of_set(path: Path) -> tuple[frozenset[str], ...]:
    """Return the file names of each image of the OME-TIFF in several files to which a file belongs.

    Empty if the file stands alone, and if it can't be read: opening it says what is wrong.
    """
    try:
        with parsed(path) as (tiff, _):
            xml = tiff.ome_metadata if tiff.is_ome else None
            if not xml or not names_files(xml):
                return ()
            root = parse_header(xml, path)
            companion = None if root is None else metadata_file(root, path)
            if companion is not None:
                root = _companion(path, companion)
            if root is None or len(declared_files(root)) < 2:
                return ()
            return tuple(
                frozenset(path.name if file is None else file for file in image.files())
                for image in declared_images(root, path.name, path)
            )
    except (ImageError, OSError):
        return ()


def own_scene(images: Sequence[DeclaredImage]) -> int:
    """Return the number of the first image with a plane in the file itself; 0 if there is none."""
    return next((i for i, image in enumerate(images) if None in image.files()), 0)


def require_planes(image: DeclaredImage, path: Path) -> None:
    """Make sure that every plane of an image exists.

    Raises
    ------
    ImageError
        Naming the files that are missing, or the first plane that no file holds.
    """
    files = [file for file in image.files() if file is not None]
    missing = [file for file in files if not is_file(path.parent / file)]
    if missing:
        listed = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
        raise ImageError(
            f"{path} is one of several files of an image, of which {listed} "
            f"{'is' if len(missing) == 1 else 'are'} missing: copy all of them into {path.parent}, "
            "or export the image again."
        )
    n_pages = {file: _count_pages(path if file is None else path.parent / file) for file in image.files()}
    for number, plane in enumerate(image.planes):
        if plane is None or plane.ifd >= n_pages[plane.file]:
            held = sum(one is not None and one.ifd < n_pages[one.file] for one in image.planes)
            raise ImageError(
                f"{path} is incomplete: its OME metadata declares {len(image.planes)} planes, of which "
                f"{held} exist; the first missing one is {_place(number, image.shape)}. Export it again."
            )


def open_declared(
    path: Path, images: Sequence[DeclaredImage], index: int, names: Sequence[str], pixel_size: Any
) -> Image:
    """Open one of the images that a header places into several files.

    Raises
    ------
    ImageError
        If a plane is missing, or planes differ in size or type from what the header says.
    """
    import dask.array as da

    image = images[index]
    require_planes(image, path)
    pixels = OmePixels(path, image.shape, image.samples, image.size, image.planes, _dtype(path, image))
    data = da.from_array(  # type: ignore[no-untyped-call]
        pixels, chunks=pixels.chunks, name=False, asarray=False, meta=np.empty((0,) * 5, pixels.dtype)
    )
    scenes = scene_names_of(images)
    return Image(path.name, data, tuple(names), pixel_size, path, scenes[index], scenes)


def scene_names_of(images: Sequence[DeclaredImage]) -> tuple[str, ...]:
    """Return the names of the images; ``Image <number>`` unless all have a name of their own."""
    names = tuple(image.name.strip() for image in images)
    if all(names) and len(set(names)) == len(names):
        return names
    return tuple(f"Image {i}" for i in range(len(names)))


@dataclass(frozen=True)
class OmePixels:
    """Pixels of an image in several files as an array-like with axes ``TCZYX``, read plane by plane.

    Attributes
    ----------
    path : Path
        The file that was opened.
    planes_shape : (T, C, Z)
        Number of planes along each axis.
    samples : int
        Samples a pixel within a plane.
    size : (Y, X)
        Of a plane.
    planes : tuple of Plane
        Z fastest, then C, then T.
    dtype : numpy.dtype
        Of a pixel, in native byte order.
    """

    path: Path
    planes_shape: tuple[int, int, int]
    samples: int
    size: tuple[int, int]
    planes: tuple[Plane | None, ...]
    dtype: np.dtype[Any]

    ndim = len(AXES)

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes along (T, C, Z, Y, X)."""
        t, c, z = self.planes_shape
        return (t, c * self.samples, z, *self.size)

    @property
    def chunks(self) -> tuple[int, ...]:
        """Whole planes, several along Z where they are small."""
        y, x = self.size
        return 1, self.samples, min(self.planes_shape[2], max(1, _CHUNK_PIXELS // (y * x))), y, x

    def __getitem__(self, key: tuple[Any, ...]) -> np.ndarray:
        """Read a block; one slice, integer or list of integers for each axis of ``TCZYX``."""
        wanted = [np.arange(n)[part] for part, n in zip(key, self.shape, strict=True)]
        t, c, z = (np.atleast_1d(each) for each in wanted[:3])
        block = np.empty((t.size, c.size, z.size, *self.size), self.dtype)
        places = [(i, j, k) for i in range(t.size) for j in range(c.size) for k in range(z.size)]
        by_plane: dict[Plane, list[tuple[int, int, int]]] = {}
        for i, j, k in places:
            plane = self._plane(int(t[i]), int(c[j]) // self.samples, int(z[k]))
            by_plane.setdefault(plane, []).append((i, j, k))
        for file in dict.fromkeys(plane.file for plane in by_plane):
            source = self.path if file is None else self.path.parent / file
            with parsed(source) as (tiff, _):
                for plane, targets in by_plane.items():
                    if plane.file == file:
                        stored = self._read(tiff, source, plane)
                        for i, j, k in targets:
                            block[i, j, k] = stored[int(c[j]) % self.samples]
        picked = block[..., key[3], :][..., key[4]]
        for axis in (2, 1, 0):
            if np.ndim(wanted[axis]) == 0:
                picked = picked[(slice(None),) * axis + (0,)]
        return picked

    def _plane(self, t: int, c: int, z: int) -> Plane:
        _, n_c, n_z = self.planes_shape
        plane = self.planes[(t * n_c + c) * n_z + z]
        assert plane is not None, "require_planes has checked this"
        return plane

    def _read(self, tiff: TiffFile, source: Path, plane: Plane) -> np.ndarray:
        """Read one plane as (S, Y, X)."""
        pixels = tiff.pages[plane.ifd].asarray()
        if pixels.ndim == 3 and pixels.shape[-1] == self.samples:
            pixels = np.moveaxis(pixels, -1, 0)
        elif pixels.ndim == 2:
            pixels = pixels[None]
        if pixels.shape != (self.samples, *self.size):
            raise ImageError(
                f"Plane {plane.ifd + 1} of {source} has the shape {pixels.shape}, but {self.path} says "
                f"{(self.samples, *self.size)}: export the image again."
            )
        return pixels.astype(self.dtype, copy=False)


def _companion(path: Path, name: str) -> Any:
    file = path.parent / name
    if not is_file(file):
        raise ImageError(
            f"{path} needs the file {name}, which is missing: copy it into {path.parent}, "
            "or export the image again."
        )
    root = parse_header(file.read_text(encoding="utf-8", errors="replace"), file)
    if root is None:
        raise ImageError(f"{file}, the metadata of {path}, is damaged: copy or export it again.")
    return root


def _count_pages(path: Path) -> int:
    with parsed(path) as (tiff, _):
        return len(tiff.pages)


def _dtype(path: Path, image: DeclaredImage) -> np.dtype[Any]:
    first = next(plane for plane in image.planes if plane is not None)
    source = path if first.file is None else path.parent / first.file
    with parsed(source) as (tiff, _):
        page = tiff.pages[first.ifd]
        return pixel_dtype(np.dtype(page.dtype), str(source))


def _place(number: int, shape: tuple[int, int, int]) -> str:
    """Name a plane by its place along the axes that have several, counted from 1."""
    t, rest = divmod(number, shape[1] * shape[2])
    c, z = divmod(rest, shape[2])
    places = [f"{axis} {i + 1}" for axis, i, n in zip("TCZ", (t, c, z), shape, strict=True) if n > 1]
    return ", ".join(places) or "its only plane"
