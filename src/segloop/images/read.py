"""Opening image files of any format."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from segloop.core.errors import ImageError
from segloop.core.paths import PathLike, is_unicode
from segloop.images.image import Image
from segloop.images.names import EXTRA_READERS, SUFFIXES
from segloop.images.ome_zarr import is_zarr
from segloop.images.refusals import guarded
from segloop.images.tiff import is_tiff, open_tiff, tiff_scenes


def open_image(path: PathLike, scene: str | int | None = None, *, axes: str | None = None) -> Image:
    """Open an image lazily; pixels are read when asked for.

    Parameters
    ----------
    path : path-like
        A file, or a ``.zarr`` folder.
    scene : str or int, optional
        Name of the scene, or its number from 0; the first by default. Of an OME-TIFF in several files, the
        first with pixels in this file.
    axes : str, optional
        What the axes of a TIFF mean, in the order in which they are stored, such as ``YXC``: for files that
        do not name them, or wrongly. What was guessed without it is in the notes of the image.

    Returns
    -------
    Image
        Axes ``TCZYX``; red, green and blue samples as channels of these names, without alpha.

    Raises
    ------
    ImageError
        If the image is missing, unreadable, empty, cut short, of a format whose reader package is not
        installed, or has no such scene.
    """
    file = _existing(path)
    choose = _chooser(file, scene)
    with_reader = _requires_reader(file)
    with guarded(file):
        if is_tiff(file):
            return open_tiff(file, choose, axes or None)
        if axes:
            raise ImageError(f"{file} names its axes itself: axes can be set for TIFF files only.")
        from segloop.images.bioio_files import open_with_bioio

        return open_with_bioio(file, choose, with_reader)


def scene_names(path: PathLike) -> tuple[str, ...]:
    """List the scenes of a file, in order; never empty.

    Raises
    ------
    ImageError
        As `open_image`.
    """
    file = _existing(path)
    with_reader = _requires_reader(file)
    with guarded(file):
        if is_tiff(file):
            return tiff_scenes(file)
        from segloop.images.bioio_files import bioio_scenes

        return bioio_scenes(file, with_reader)


def _existing(path: PathLike) -> Path:
    file = Path(path)
    if not is_unicode(file):
        shown = os.fspath(file).encode(errors="backslashreplace").decode()
        raise ImageError(f"{shown} has a name that is not valid Unicode: rename it.")
    with guarded(file):
        if not file.exists():
            raise ImageError(f"{file} does not exist; check its name and that its drive is connected.")
        if file.is_dir():
            if file.suffix.lower() != ".zarr" and not is_zarr(file):
                raise ImageError(f"{file} is a folder, not an image; choose an image in it.")
        elif file.suffix.lower() not in SUFFIXES:
            raise ImageError(
                f"The suffix of {file} is not that of an image: save it as TIFF or PNG, or correct its name."
            )
        elif not file.is_file():
            raise ImageError(f"{file} is a device or a pipe, not a file: choose another one.")
        elif file.stat().st_size == 0:
            raise ImageError(f"{file} is empty (0 bytes); copy or export it again.")
    return file


def _requires_reader(file: Path) -> str | None:
    """Return the module of the reader package a format needs; None where the base readers do."""
    package = EXTRA_READERS.get(file.suffix.lower())
    if package is None:
        return None
    module = package.replace("-", "_")
    if importlib.util.find_spec(module) is None:
        raise ImageError(
            f"{file} needs the reader package {package}, which is not installed; install it with "
            f"`pip install {package}`, then start again."
        )
    return module


def _chooser(file: Path, scene: str | int | None) -> Callable[[Sequence[str], int], int]:
    def choose(scenes: Sequence[str], default: int) -> int:
        if scene is None or scene == "":
            return default
        if isinstance(scene, str) and scene in scenes:
            return list(scenes).index(scene)
        try:
            index = int(scene)
        except ValueError:
            index = -1
        if not 0 <= index < len(scenes):
            listed = ", ".join(f"{i}: {name}" for i, name in enumerate(scenes))
            raise ImageError(f"{file} has no scene {scene}; choose one of its scenes ({listed}).")
        return index

    return choose
