"""Segmentations of other tools that are no label images, and the door for further ones.

An importer turns them into label arrays. These are written as label images when a dataset is created, so that
nothing else has to know where they came from.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from glob import has_magic
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from segloop.config import registries
from segloop.core.errors import SegloopError
from segloop.core.paths import exists
from segloop.core.registry import Registry
from segloop.images.listing import split_pattern
from segloop.images.names import natural_key

logger = logging.getLogger("segloop.images")

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class LabelItem:
    """The segmentation of one image.

    Attributes
    ----------
    stem : str
        Subfolder and stem by which it is paired with a raw image, with forward slashes: ``plate1/a01``.
    origin : Path
        The file it comes from.
    read : callable
        Given the shape (Z, Y, X) of the raw image, returns its labels, an array of integers (Z, Y, X) or, for
        a single slice, (Y, X); 0 is background. Raises `ImageError` if it can't.
    """

    stem: str
    origin: Path
    read: Callable[[Shape], NDArray[Any]]


class Importer(Protocol):
    """Reads the segmentations of another tool."""

    def recognises(self, path: Path) -> bool:
        """Return whether a file or folder holds such segmentations; looks at names and first bytes only.

        A folder of label images is not to be recognised: these are read as they are.
        """
        ...

    def describe(self, path: Path) -> str:
        """Say in a few words what a recognised path holds, such as ``"12 ImageJ ROI sets"``."""
        ...

    def items(self, path: Path) -> Sequence[LabelItem]:
        """List the segmentations of a recognised path; their pixels are read later.

        Raises
        ------
        ImageError
            If they can't be imported; says in one sentence what to do instead.
        """
        ...


IMPORTERS: Registry[Importer] = registries.IMPORTERS
"""The importers by name: our own, those registered by a script, and those of installed packages."""


@dataclass(frozen=True)
class Import:
    """Segmentations that an importer has recognised.

    Attributes
    ----------
    importer : str
        Its name.
    description : str
        What was found, in a few words.
    items : tuple of LabelItem
        The segmentations.
    """

    importer: str
    description: str
    items: tuple[LabelItem, ...]


def find_import(source: str | os.PathLike[str]) -> Import | None:
    """Return what an importer makes of a file, a folder or the files of a glob pattern.

    Returns
    -------
    Import or None
        None if no importer recognises it, as for label images.

    Raises
    ------
    ImageError
        If one does, but can't import it.
    """
    path = Path(source)
    paths = [path]
    if not exists(path):
        root, pattern = split_pattern(source)
        paths = sorted(root.glob(pattern), key=natural_key) if has_magic(pattern) else []
    for name in IMPORTERS.names():
        try:
            importer = IMPORTERS.get(name)
        except SegloopError:
            logger.exception("The importer %s is left out", name)
            continue
        if paths and all(importer.recognises(each) for each in paths):
            items = tuple(item for each in paths for item in importer.items(each))
            described = importer.describe(paths[0]) if len(paths) == 1 else f"{len(paths)} files for {name}"
            return Import(name, described, items)
    return None
