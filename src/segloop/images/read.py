"""Opening image files: one door for every format."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Callable, Sequence
from glob import has_magic
from pathlib import Path

from segloop.core.errors import ImageError
from segloop.images.image import Image
from segloop.images.tiff import is_tiff, open_tiff, tiff_scenes

PathLike = str | os.PathLike[str]

# Formats that need a reader package beyond the base installation.
_EXTRA_READERS = {
    ".czi": "bioio-czi",
    ".nd2": "bioio-nd2",
    ".lif": "bioio-lif",
    ".dv": "bioio-dv",
    ".r3d": "bioio-dv",
    ".sldy": "bioio-sldy",
    ".ims": "bioio-bioformats",
    ".oib": "bioio-bioformats",
    ".oif": "bioio-bioformats",
    ".oir": "bioio-bioformats",
    ".vsi": "bioio-bioformats",
    ".mrc": "bioio-bioformats",
    ".ics": "bioio-bioformats",
    ".zvi": "bioio-bioformats",
}
_PLAIN = (".tif", ".tiff", ".lsm", ".btf", ".tf8", ".png", ".jpg", ".jpeg", ".bmp", ".gif")
SUFFIXES = frozenset((*_PLAIN, ".zarr", *_EXTRA_READERS))


def open_image(path: PathLike, scene: str | int | None = None) -> Image:
    """Open an image lazily; pixels are read when asked for.

    Parameters
    ----------
    path : path-like
        A file, or a ``.zarr`` folder.
    scene : str or int, optional
        Name of the scene, or its number from 0; the first by default. Of an OME-TIFF in several files, the
        first with pixels in this file.

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
    try:
        if is_tiff(file):
            return open_tiff(file, choose)
        from segloop.images.bioio_files import open_with_bioio

        return open_with_bioio(file, choose, with_reader)
    except OSError as error:
        raise _not_readable(file, error) from error


def scene_names(path: PathLike) -> tuple[str, ...]:
    """List the scenes of a file, in order; never empty.

    Raises
    ------
    ImageError
        As `open_image`.
    """
    file = _existing(path)
    with_reader = _requires_reader(file)
    try:
        if is_tiff(file):
            return tiff_scenes(file)
        from segloop.images.bioio_files import bioio_scenes

        return bioio_scenes(file, with_reader)
    except OSError as error:
        raise _not_readable(file, error) from error


def image_files(source: PathLike) -> list[Path]:
    """List images, sorted as people count (2 before 10).

    Parameters
    ----------
    source : path-like
        A folder, searched with its subfolders, linked ones too; a glob pattern (``**`` spans subfolders); or
        one image. A ``.zarr`` folder counts as one image, and so does an OME-TIFF in several files, of which
        the first is listed. Hidden files and those without a known image suffix
        are left out.

    Raises
    ------
    ImageError
        If there is none, or ``**`` doesn't stand alone in a pattern.
    """
    path = Path(source)
    if is_image(path) and path.exists():
        return [path]
    if path.is_dir():
        found = [file for file in _walk(path) if is_image(file)]
        if not found:
            raise ImageError(
                f"The folder {path} holds no images; choose one with files such as .tif, .png or .zarr."
            )
    elif path.exists():
        raise ImageError(f"{path} is not an image by its suffix; choose a file such as .tif, .png or .zarr.")
    elif has_magic(str(source)):
        _require_lone_stars(source)
        root, pattern = split_pattern(source)
        found = list(root.glob(pattern))
        inside = [parent for parent in found if parent.suffix.lower() == ".zarr"]
        found = [file for file in found if is_image(file) and not set(file.parents).intersection(inside)]
        if not found:
            raise ImageError(f"No image matches {source}; correct the pattern or the folder in it.")
    else:
        raise ImageError(f"{path} does not exist; check its name and that its drive is connected.")
    return without_repeated_sets(sorted(found, key=natural_key))


def without_repeated_sets(files: Sequence[Path]) -> list[Path]:
    """Keep one file, the first, of each OME-TIFF that lies in several files.

    Only files whose names end in ``.ome.tif`` or ``.ome.tiff`` are looked into.
    """
    from segloop.images.ome_files import set_members

    named = [file for file in files if file.name.lower().endswith((".ome.tif", ".ome.tiff"))]
    if len(named) < 2:
        return list(files)
    dropped: set[Path] = set()
    for file in named:
        if file not in dropped:
            members = {file.parent / name for name in set_members(file)}
            dropped |= {each for each in named if each in members and each != file}
    return [file for file in files if file not in dropped]


def is_image(path: Path) -> bool:
    """Whether a visible file's or folder's name ends as an image's does."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def natural_key(path: Path) -> list[tuple[int, int, str]]:
    """Sort key by which ``a2`` comes before ``a10``, folder by folder."""
    pieces = re.split(r"(\d+)", path.as_posix().casefold())
    return [(0, int(piece), "") if piece.isdecimal() else (1, 0, piece) for piece in pieces]


def split_pattern(source: PathLike) -> tuple[Path, str]:
    """Split a glob pattern into the folder before its first wildcard and the rest."""
    path = Path(source)
    first = next(i for i, part in enumerate(path.parts) if has_magic(part))
    return Path(*path.parts[:first]), str(Path(*path.parts[first:]))


def _require_lone_stars(source: PathLike) -> None:
    """Refuse ``**.tif``, which Python's versions read differently."""
    parts = Path(source).parts
    meant = ["**/" + part.replace("**", "*") if "**" in part and part != "**" else part for part in parts]
    if meant != list(parts):
        raise ImageError(
            f"The ** in {source} stands for folders and must stand alone: write {Path(*meant).as_posix()}."
        )


def _walk(folder: Path) -> list[Path]:
    found: list[Path] = []
    for root, folders, files in os.walk(folder, followlinks=True):
        found += [Path(root, name) for name in files]
        found += [Path(root, name) for name in folders if name.lower().endswith(".zarr")]
        folders[:] = [
            name
            for name in folders
            if not name.lower().endswith(".zarr")
            and not name.startswith(".")
            and not _is_loop(Path(root, name))
        ]
    return found


def _is_loop(folder: Path) -> bool:
    """Whether a folder is a link to one of those that it was reached through."""
    return folder.is_symlink() and any(folder.samefile(parent) for parent in folder.absolute().parents)


def _existing(path: PathLike) -> Path:
    file = Path(path)
    try:
        if not file.exists():
            raise ImageError(f"{file} does not exist; check its name and that its drive is connected.")
        if file.is_dir():
            if file.suffix.lower() != ".zarr" and not any(
                (file / name).exists() for name in (".zgroup", ".zarray", "zarr.json")
            ):
                raise ImageError(f"{file} is a folder, not an image; choose an image in it.")
        elif file.stat().st_size == 0:
            raise ImageError(f"{file} is empty (0 bytes); copy or export it again.")
    except OSError as error:
        raise _not_readable(file, error) from error
    return file


def _not_readable(file: Path, error: OSError) -> ImageError:
    return ImageError(
        f"{file} can't be read ({error.strerror or error}); check that you may read it and that its drive "
        "is connected."
    )


def _requires_reader(file: Path) -> str | None:
    """Return the module of the reader package a format needs; None where the base readers do."""
    package = _EXTRA_READERS.get(file.suffix.lower())
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
