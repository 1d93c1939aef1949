"""Matching raw images with their segmentations by name, never by order."""

from __future__ import annotations

import difflib
import os
import re
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from glob import has_magic
from operator import itemgetter
from pathlib import Path

from segloop.core.errors import ImageError, PairingError
from segloop.images.read import SUFFIXES, image_files, natural_key, split_pattern

Source = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]

# Names looked through, letter by letter, for similar ones: about half a second.
_MOST_COMPARED = 20_000


@dataclass(frozen=True)
class Pair:
    """A raw image and what belongs to it.

    Attributes
    ----------
    stem : str
        Subfolder and file stem that they share, with forward slashes: ``plate1/a01``.
    raw, seg : Path
        Raw image and segmentation.
    others : mapping of str to Path
        Further segmentations by name.
    name : str
        Name of the segmentation ``seg``.
    """

    stem: str
    raw: Path
    seg: Path
    others: Mapping[str, Path] = field(default_factory=dict)
    name: str = "seg"

    @property
    def segmentations(self) -> dict[str, Path]:
        """All segmentations by name, ``seg`` first."""
        return {self.name: self.seg, **self.others}


@dataclass(frozen=True)
class Pairing:
    """Outcome of matching.

    Attributes
    ----------
    pairs : tuple of Pair
        Sorted by stem as people count.
    problems : tuple of str
        One sentence for each file that found no partner or more than one.
    """

    pairs: tuple[Pair, ...]
    problems: tuple[str, ...] = ()


def stem_of(path: str | os.PathLike[str]) -> str:
    """File name without its image suffix: ``a.b`` for ``a.b.ome.tif``."""
    path = Path(path)
    stem = path.stem if path.suffix.lower() in SUFFIXES else path.name
    return stem[:-4] if stem.lower().endswith(".ome") and stem != path.name else stem


def pair_by_stem(
    raw: Source, seg: Source, others: Mapping[str, Source] | None = None, *, name: str = "seg"
) -> Pairing:
    """Match images by subfolder and stem.

    Parameters
    ----------
    raw, seg : path-like or sequence of path-like
        A folder (searched with its subfolders), a glob pattern, an image, or a list of images. Subfolders
        count from the folder given, the part of a pattern before its first wildcard, or what the paths of a
        list have in common.
    others : mapping of str to path-like or sequence of path-like, optional
        Further segmentations by name. Images that lack one of them are used without it.
    name : str, optional
        Name of the segmentation ``seg``.

    Returns
    -------
    Pairing
        The pairs, and a sentence for every image that is in none.

    Raises
    ------
    PairingError
        If there is no pair at all, or raw images and segmentations are the same files.
    ImageError
        If a folder is missing or empty.
    """
    problems: list[str] = []
    raws = _Side("raw images", raw, problems)
    segs = _Side("segmentations", seg, problems)
    further = {key: _Side(f"segmentations {key}", other, problems) for key, other in (others or {}).items()}
    _refuse_same_files(raws, segs, *further.values())
    pairs = []
    for stem in raws.stems():
        if stem in segs.files and stem in raws.files:
            found = {key: side.files[stem] for key, side in further.items() if stem in side.files}
            pairs.append(Pair(stem, raws.files[stem], segs.files[stem], found, name))
            problems += [
                _unmatched(raws.files[stem], stem, side, f"it is used without the segmentation {key}")
                for key, side in further.items()
                if stem not in side.known
            ]
    problems += _missing(raws, segs)
    problems += _missing(segs, raws)
    for side in further.values():
        problems += _missing(side, raws)
    if not pairs:
        raise PairingError(
            f"None of the {len(raws.known)} raw images in {raws.where} has a segmentation of the same name "
            f"in {segs.where}; rename them so that the stems are equal. First problem: {problems[0]}"
        )
    return Pairing(tuple(pairs), tuple(problems))


def files_by_stem(source: Source) -> dict[str, Path]:
    """List images by subfolder and stem, in natural order; those whose stem occurs twice are left out.

    Parameters
    ----------
    source : path-like or sequence of path-like
        As for `pair_by_stem`.

    Raises
    ------
    ImageError
        If a folder is missing or empty.
    """
    side = _Side("images", source, [])
    return {stem: side.files[stem] for stem in side.stems() if stem in side.files}


class _Side:
    """The images of one side by stem; those whose stem occurs twice are known but not usable."""

    def __init__(self, kind: str, source: Source, problems: list[str]) -> None:
        self.kind = kind
        files, root = _list(source)
        self.where = str(root)
        self.known: dict[str, list[Path]] = {}
        for file in files:
            folder = _relative(file.parent, root)
            stem = stem_of(file) if folder == "." else f"{folder}/{stem_of(file)}"
            self.known.setdefault(stem, []).append(file)
        self.files = {stem: found[0] for stem, found in self.known.items() if len(found) == 1}
        for stem, found in self.known.items():
            if len(found) > 1:
                names = ", ".join(str(file) for file in found)
                problems.append(f"{len(found)} {kind} are named {stem} ({names}); keep one of them.")

        # Among thousands of names, looking for a similar one is worth the time for the first few only.
        self._guesses = _MOST_COMPARED // max(1, len(self.known))

    def stems(self) -> list[str]:
        return sorted(self.known, key=lambda stem: natural_key(Path(stem)))

    def nearest(self, stem: str) -> Path | None:
        """Find what was meant: the name in other case or elsewhere, numbers padded otherwise, an affix."""
        for simplify, index in self._simplified:
            hits = index.get(simplify(stem), [])
            if len(hits) == 1:
                return hits[0]
        affixed = self._affixed(stem.rpartition("/")[2])
        if len(affixed) == 1:
            return affixed[0]
        self._guesses -= 1
        close = difflib.get_close_matches(stem, list(self.known), 1, 0.8) if self._guesses >= 0 else []
        return self.known[close[0]][0] if close else None

    def _affixed(self, name: str) -> list[Path]:
        found = []
        for start in (f"{name}_", f"{name}-", f"{name}."):
            first = bisect_left(self._names, start, key=itemgetter(0))
            found += [file for each, file in self._names[first : first + 2] if each.startswith(start)]
        return found

    @cached_property
    def _names(self) -> list[tuple[str, Path]]:
        return sorted((stem.rpartition("/")[2], found[0]) for stem, found in self.known.items())

    @cached_property
    def _simplified(self) -> list[tuple[Callable[[str], str], dict[str, list[Path]]]]:
        indices: list[tuple[Callable[[str], str], dict[str, list[Path]]]] = []
        for simplify in (_folded, _numbers, _name_only):
            index: dict[str, list[Path]] = {}
            for stem, found in self.known.items():
                index.setdefault(simplify(stem), []).append(found[0])
            indices.append((simplify, index))
        return indices


def _list(source: Source) -> tuple[list[Path], Path]:
    if isinstance(source, str | os.PathLike):
        files = image_files(source)
        return files, _root(Path(source), files)
    files = [Path(file) for file in source]
    if not files:
        raise ImageError("The list of images is empty; name at least one.")
    missing = [file for file in files if not file.exists()]
    if missing:
        raise ImageError(f"{missing[0]} does not exist; check its name and that its drive is connected.")
    return files, _common_folder([_absolute(file.parent) for file in files])


def _common_folder(folders: Sequence[Path]) -> Path:
    try:
        return Path(os.path.commonpath(folders))
    except ValueError:  # on Windows, those of several drives have none
        return Path()


def _relative(folder: Path, root: Path) -> str:
    """Return the subfolders from ``root`` on, with forward slashes; ``.`` for none and outside of it."""
    inside, absolute = _absolute(folder), _absolute(root)
    return inside.relative_to(absolute).as_posix() if inside.is_relative_to(absolute) else "."


def _absolute(path: Path) -> Path:
    return Path(os.path.normpath(path.absolute()))


def _root(source: Path, files: list[Path]) -> Path:
    if source in files:
        return source.parent
    if source.is_dir() or not has_magic(str(source)):
        return source
    return split_pattern(source)[0]


def _refuse_same_files(raws: _Side, *segmentations: _Side) -> None:
    for side in segmentations:
        ours = {file.absolute() for found in side.known.values() for file in found}
        theirs = {file.absolute() for found in raws.known.values() for file in found}
        if ours & theirs:
            raise PairingError(
                f"{sorted(ours & theirs)[0]} is given both among the raw images and the {side.kind}; "
                "choose different folders or patterns."
            )


def _missing(side: _Side, other: _Side) -> list[str]:
    return [
        _unmatched(side.files[stem], stem, other, "it is left out")
        for stem in side.stems()
        if stem in side.files and stem not in other.known
    ]


def _unmatched(file: Path, stem: str, other: _Side, consequence: str) -> str:
    near = other.nearest(stem)
    hint = f"; the nearest is {near}, rename one of them if they belong together" if near else ""
    return f"{file} has none of its name among the {other.kind} in {other.where}, so {consequence}{hint}."


def _folded(stem: str) -> str:
    return stem.casefold()


def _numbers(stem: str) -> str:
    return re.sub(r"\d+", lambda found: str(int(found.group())), stem.casefold())


def _name_only(stem: str) -> str:
    return stem.rpartition("/")[2].casefold()
