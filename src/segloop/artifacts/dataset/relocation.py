"""Finding images again that were moved: where a dataset refers to missing files, below another folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segloop.artifacts.dataset.manifest import Sample
from segloop.artifacts.dataset.references import from_reference, to_reference
from segloop.artifacts.dataset.segmentation import ImportedSource, PredictionSource, Segmentation
from segloop.core.errors import DatasetError
from segloop.core.paths import exists, is_folder


@dataclass(frozen=True)
class Relocation:
    """Where files are now.

    Attributes
    ----------
    old, new : Path or None
        What was below ``old`` is below ``new`` now; None if nothing was found.
    found : mapping of Path to Path
        Files that exist at their new place, by where they were.
    missing : tuple of Path
        Files that exist neither here nor there.
    """

    old: Path | None
    new: Path | None
    found: Mapping[Path, Path]
    missing: tuple[Path, ...]


def find_moved(files: Iterable[Path], folder: Path) -> Relocation:
    """Find missing files below another folder, where they kept their places among each other.

    Of all folders that the files may have been below, that one counts with which most of them are found; of
    several, the one whose name, and those of the folders above, is kept, then the lowest. If that leaves
    several, nothing is found.

    Parameters
    ----------
    files : iterable of Path
        Absolute; those that exist are not looked for.
    folder : Path
        Where they may be now, at any depth in common.
    """
    lost = [path for path in dict.fromkeys(files) if not exists(path)]
    votes: Counter[Path] = Counter()
    for path in lost:
        votes.update(parent for parent in path.parents if exists(folder / path.relative_to(parent)))
    ranks = {parent: (votes[parent], _names_in_common(parent, folder), len(parent.parts)) for parent in votes}
    best = max(ranks.values(), default=None)
    chosen = [parent for parent, rank in ranks.items() if rank == best]
    if len(chosen) != 1:  # of equally named files in several folders, the wrong ones would be taken
        return Relocation(None, None, {}, tuple(lost))
    (old,) = chosen
    moved = {path: folder / path.relative_to(old) for path in lost if path.is_relative_to(old)}
    found = {path: place for path, place in moved.items() if exists(place)}
    return Relocation(old, folder, found, tuple(path for path in lost if path not in found))


def _names_in_common(one: Path, other: Path) -> int:
    """Return how many names two paths share at their ends."""
    number = 0
    for first, second in zip(reversed(one.parts), reversed(other.parts), strict=False):
        if first != second:
            break
        number += 1
    return number


class References:
    """Reads and replaces the references to files in samples.

    Parameters
    ----------
    folder : Path
        Of the dataset.
    home : str
        Where it was created.
    """

    def __init__(self, folder: Path, home: str) -> None:
        self._folder, self._home = folder, home

    def files(self, sample: Sample) -> list[Path]:
        """Return the files that a sample refers to, corrected labels left out."""
        paths = (path for each in sample.segmentations for path in _paths(each))
        return [self._path(each) for each in (sample.raw.path, *paths)]

    def relocated(
        self, samples: Sequence[Sample], folder: Path
    ) -> tuple[Relocation, list[tuple[Sample, Sample]]]:
        """Find the missing files of samples below a folder.

        Returns
        -------
        Relocation
            What was found and what is still missing.
        list of (before, after)
            The samples whose files were found.

        Raises
        ------
        DatasetError
            If there is no such folder.
        """
        if not is_folder(folder):
            raise DatasetError(f"There is no folder {folder}: choose the one that the images were moved to.")
        relocation = find_moved((path for each in samples for path in self.files(each)), folder)
        changed = [(each, self._changed(each, relocation.found)) for each in samples]
        return relocation, [(before, after) for before, after in changed if after != before]

    def rebased(self, sample: Sample, folder: Path) -> Sample:
        """Return a sample as a dataset in another folder should refer to the same files."""
        return _with_paths(sample, lambda reference: to_reference(self._path(reference), folder))

    def _changed(self, sample: Sample, moved: Mapping[Path, Path]) -> Sample:
        return _with_paths(sample, lambda reference: self._moved(reference, moved))

    def _moved(self, reference: str, moved: Mapping[Path, Path]) -> str:
        place = moved.get(self._path(reference))
        return reference if place is None else to_reference(place, self._folder)

    def _path(self, reference: str) -> Path:
        return from_reference(reference, self._folder, self._home)


def _paths(segmentation: Segmentation) -> Iterable[str]:
    source = segmentation.source
    if (image := getattr(source, "image", None)) is not None:
        yield image.path
    if isinstance(source, PredictionSource) and source.record:
        yield source.record
    if isinstance(source, ImportedSource):
        yield source.original


def _with_paths(sample: Sample, change: Callable[[str], str]) -> Sample:
    """Return a sample with each reference to a file replaced."""

    def changed(segmentation: Segmentation) -> Segmentation:
        source = segmentation.source
        update: dict[str, Any] = {}
        if (image := getattr(source, "image", None)) is not None:
            update["image"] = image.model_copy(update={"path": change(image.path)})
        if isinstance(source, PredictionSource) and source.record:
            update["record"] = change(source.record)
        if isinstance(source, ImportedSource):
            update["original"] = change(source.original)
        return segmentation.model_copy(update={"source": source.model_copy(update=update)})

    raw = sample.raw.model_copy(update={"path": change(sample.raw.path)})
    return sample.edit(raw=raw, segmentations=tuple(map(changed, sample.segmentations)))
