"""How a dataset remembers where its images are, so that a study still opens after it was moved."""

from __future__ import annotations

import os
from pathlib import Path

from segloop.artifacts.dataset.segmentation import (
    CorrectedCopy,
    ImportedSource,
    PredictionSource,
    SegmentationSource,
)
from segloop.core.paths import exists

_LEVELS_UP = 3


def to_reference(image: str | os.PathLike[str], folder: Path) -> str:
    """Return how ``folder`` should refer to an image.

    Parameters
    ----------
    image : path
        The image's file or folder.
    folder : Path
        The dataset's folder.

    Returns
    -------
    str
        With forward slashes; relative to ``folder`` if the image is in it, or near it (below a folder at
        most three levels up that isn't the root of the disk); otherwise absolute.
    """
    target, start = absolute(image), absolute(folder)
    for level, ancestor in enumerate([start, *start.parents]):
        if level > _LEVELS_UP or ancestor == Path(ancestor.anchor):
            break
        if target.is_relative_to(ancestor):
            return "/".join([".."] * level + list(target.relative_to(ancestor).parts))
    return target.as_posix()


def from_reference(reference: str, folder: Path, home: str) -> Path:
    """Return the absolute path that a reference stands for.

    Parameters
    ----------
    reference : str
        As returned by `to_reference`.
    folder : Path
        Where the dataset is now.
    home : str
        Where it was created; used if it was moved without its images.
    """
    path = absolute(folder / reference)
    if exists(path) or not home or Path(reference).is_absolute():
        return path
    at_home = absolute(Path(home) / reference)
    return at_home if exists(at_home) else path


def with_references(source: SegmentationSource, folder: Path) -> SegmentationSource:
    """Return a segmentation's source with the paths in it as ``folder`` should refer to them."""
    if isinstance(source, CorrectedCopy):
        return source
    changes: dict[str, object] = {
        "image": source.image.model_copy(update={"path": _reference(source.image.path, folder)})
    }
    if isinstance(source, PredictionSource) and source.record:
        changes["record"] = _reference(source.record, folder)
    if isinstance(source, ImportedSource):
        changes["original"] = _reference(source.original, folder)
    return source.model_copy(update=changes)


def _reference(path: str, folder: Path) -> str:
    return to_reference(path, folder) if Path(path).is_absolute() else path


def absolute(path: str | os.PathLike[str]) -> Path:
    """Return the absolute path without ``..``; symbolic links stay as the user named them."""
    return Path(os.path.abspath(path))  # noqa: PTH100


def short(path: str | os.PathLike[str]) -> str:
    """Return the last folder and the file name, for messages: raw and segmentation often share file names."""
    return "/".join(Path(path).parts[-2:])
