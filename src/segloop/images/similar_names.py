"""Similar file names, to be suggested where a file has no partner."""

from __future__ import annotations

import difflib
import re
from bisect import bisect_left
from collections.abc import Callable, Mapping
from functools import cached_property
from operator import itemgetter
from pathlib import Path

# Names compared letter by letter to find similar ones: about half a second.
_MOST_COMPARED = 20_000


class SimilarNames:
    """Finds a file of a similar name."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._files = files
        # Among thousands of names, looking for a similar one is worth the time for the first few only.
        self._guesses = _MOST_COMPARED // max(1, len(files))

    def nearest(self, stem: str) -> Path | None:
        """Find a name in other case or another folder, with numbers padded otherwise, or an addition."""
        for simplify, index in self._simplified:
            hits = index.get(simplify(stem), [])
            if len(hits) == 1:
                return hits[0]
        longer = self._longer(stem.rpartition("/")[2])
        if len(longer) == 1:
            return longer[0]
        self._guesses -= 1
        close = difflib.get_close_matches(stem, list(self._files), 1, 0.8) if self._guesses >= 0 else []
        return self._files[close[0]] if close else None

    def _longer(self, name: str) -> list[Path]:
        found = []
        for start in (f"{name}_", f"{name}-", f"{name}."):
            first = bisect_left(self._names, start, key=itemgetter(0))
            found += [file for each, file in self._names[first : first + 2] if each.startswith(start)]
        return found

    @cached_property
    def _names(self) -> list[tuple[str, Path]]:
        return sorted((stem.rpartition("/")[2], file) for stem, file in self._files.items())

    @cached_property
    def _simplified(self) -> list[tuple[Callable[[str], str], dict[str, list[Path]]]]:
        indices: list[tuple[Callable[[str], str], dict[str, list[Path]]]] = []
        for simplify in (_folded, _numbers, _name_only):
            index: dict[str, list[Path]] = {}
            for stem, file in self._files.items():
                index.setdefault(simplify(stem), []).append(file)
            indices.append((simplify, index))
        return indices


def _folded(stem: str) -> str:
    return stem.casefold()


def _numbers(stem: str) -> str:
    return re.sub(r"\d+", lambda found: str(int(found.group())), stem.casefold())


def _name_only(stem: str) -> str:
    return stem.rpartition("/")[2].casefold()
