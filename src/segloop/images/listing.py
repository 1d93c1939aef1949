"""Finding images: in folders, by glob patterns, and inside OME-Zarr stores."""

from __future__ import annotations

import os
from collections.abc import Sequence
from glob import has_magic
from pathlib import Path

from segloop.core.errors import ImageError
from segloop.core.paths import PathLike, exists, is_folder
from segloop.images.names import SUFFIXES, natural_key
from segloop.images.ome_zarr import holds_image, is_zarr, listed_labels


def image_files(source: PathLike, *, fields_apart: bool = False) -> list[Path]:
    """List images in natural order (2 before 10).

    Parameters
    ----------
    source : path-like
        A folder, searched with its subfolders, linked ones too; a glob pattern (``**`` spans subfolders); or
        one image. A path that exists is never read as a pattern. An OME-Zarr folder counts as one image,
        whatever its name, and so does an OME-TIFF in several files, of which the first is listed. Hidden
        files and those without a known image suffix are left out.
    fields_apart : bool, optional
        List each image of an OME-TIFF in several files, where it has files of its own: a file with a single
        field opens as that field.

    Raises
    ------
    ImageError
        If there is none, or ``**`` doesn't stand alone in a pattern.
    """
    path = Path(source)
    if exists(path) and is_image(path):
        return [path]
    if is_folder(path):
        found = _walk(path)
        if not found:
            raise ImageError(
                f"The folder {path} holds no images: choose one that holds files such as .tif, .png or .zarr."
            )
    elif exists(path):
        raise ImageError(
            f"The suffix of {path} is not that of an image: choose a file such as .tif, .png or .zarr."
        )
    else:
        root, pattern = split_pattern(source)
        if not has_magic(pattern):
            raise ImageError(f"{path} does not exist; check its name and that its drive is connected.")
        _require_lone_stars(source)
        matching = set(root.glob(pattern))
        stores = {each for each in matching if each.is_dir() and is_image(each)}
        found = [each for each in matching if not stores.intersection(each.parents) and is_image(each)]
        if not found:
            raise ImageError(f"No image matches {source}; correct the pattern or the folder in it.")
    return _without_repeated_sets(sorted(found, key=natural_key), fields_apart)


def _without_repeated_sets(files: Sequence[Path], fields_apart: bool) -> list[Path]:
    """Keep one file, the first, of each OME-TIFF in several files, or of each image in it.

    Only files whose names end in ``.ome.tif`` or ``.ome.tiff`` are looked into.
    """
    from segloop.images.ome_files import images_of_set

    named = [file for file in files if file.name.lower().endswith((".ome.tif", ".ome.tiff"))]
    if len(named) < 2:
        return list(files)
    dropped: set[Path] = set()
    seen: set[Path] = set()
    for file in named:
        if file in seen:
            continue
        images = [{file.parent / name for name in names} for names in images_of_set(file)]
        seen = seen.union(*images)
        for members in _joined(images) if fields_apart else [set().union(*images)]:
            dropped.update([each for each in named if each in members][1:])
    return [file for file in files if file not in dropped]


def _joined(groups: Sequence[set[Path]]) -> list[set[Path]]:
    """Join groups that have a file in common."""
    joined: list[set[Path]] = []
    for group in groups:
        touching = [other for other in joined if other & group]
        joined = [other for other in joined if not other & group]
        joined.append(group.union(*touching))
    return joined


def is_image(path: Path) -> bool:
    """Whether a path looks like an image that `open_image` reads.

    It does if its name ends in a known image suffix, or if it is a folder with an OME-Zarr image, plate or
    well in it. Hidden files and folders are not images.
    """
    if path.name.startswith("."):
        return False
    if is_folder(path):
        return path.suffix.lower() == ".zarr" or (is_zarr(path) and holds_image(path))
    return path.suffix.lower() in SUFFIXES


def label_groups(path: Path) -> list[Path]:
    """Return the label images stored inside an OME-Zarr image, in its group ``labels``."""
    return listed_labels(path) if is_folder(path) else []


def is_pattern(source: PathLike) -> bool:
    """Whether a text is a glob pattern; what exists under that very name is not."""
    return has_magic(str(source)) and not exists(source)


def split_pattern(source: PathLike) -> tuple[Path, str]:
    """Split a glob pattern into the folder before its first wildcard and the rest.

    Folders that exist are taken literally, such as ``plate [1]``.
    """
    root = Path()
    parts = Path(source).parts
    for number, part in enumerate(parts):
        if has_magic(part) and not exists(root / part):
            return root, str(Path(*parts[number:]))
        root = root / part
    return root.parent, root.name


def root_of(source: PathLike, files: Sequence[Path]) -> Path:
    """Return the folder from which the subfolders of listed files count."""
    path = Path(source)
    if path in files:
        return path.parent
    return split_pattern(source)[0] if is_pattern(source) else path


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
    linked = _LinkedFolders(folder)
    for root, folders, files in os.walk(folder, followlinks=True):
        found += [
            Path(root, name)
            for name in files
            if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES
        ]
        stores = {name for name in folders if is_image(Path(root, name))}
        found += [Path(root, name) for name in stores]
        folders[:] = [
            name
            for name in folders
            if name not in stores and not name.startswith(".") and linked.is_new(Path(root, name))
        ]
    return found


class _LinkedFolders:
    """The folders that links lead to, so that each is searched once, however the links cross.

    Parameters
    ----------
    root : Path
        The folder that is searched; its contents are found without links.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._seen: set[Path] = set()

    def is_new(self, folder: Path) -> bool:
        """Whether a folder is to be searched: it is no link, or one to where nothing was searched yet."""
        if not folder.is_symlink():
            return True
        try:
            target = folder.resolve(strict=True)
        except (OSError, RuntimeError):  # links that lead to each other
            return False
        if target.is_relative_to(self._root) or self._root.is_relative_to(target) or target in self._seen:
            return False
        self._seen.add(target)
        return True


def common_folder(folders: Sequence[Path]) -> Path:
    """Return the deepest folder that holds all of these; the empty path if there is none."""
    try:
        return Path(os.path.commonpath(folders))
    except ValueError:  # on Windows, those of several drives have none
        return Path()
