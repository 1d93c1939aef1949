"""Everything that was ever done to a dataset's samples, in an append-only file; what undo and redo go by."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from segloop.artifacts.dataset.manifest import Sample
from segloop.core.jsonl import append_line, read_lines, read_lines_backwards

UNDO, REDO = "undo", "redo"

Change = tuple[Sample | None, Sample]
"""A sample before and after."""


@dataclass(frozen=True)
class JournalEntry:
    """One change, of one sample or of several together.

    Attributes
    ----------
    time : float
        When, in seconds since the epoch.
    action : str
        What was done, such as ``"accept"``; ``"undo"`` and ``"redo"`` are changes too.
    sample_id : str
        Whose change it is.
    before, after : dict
        All that the sample's file said before and afterwards; ``before`` is None for a sample that was added.
    others : tuple of (before, after)
        The same of the samples that were changed together with it.
    takes_back : int or None
        Of an undo or a redo, where in the file the entry starts that it takes back, in bytes.
    """

    time: float
    action: str
    sample_id: str
    before: dict[str, Any] | None
    after: dict[str, Any]
    others: tuple[tuple[dict[str, Any], dict[str, Any]], ...] = ()
    takes_back: int | None = None

    def samples(self, side: Literal["before", "after"]) -> tuple[Sample, ...]:
        """Return the samples as they were before or after the change, that of ``sample_id`` first."""
        pairs = ((self.before, self.after), *self.others)
        return tuple(Sample.model_validate(before if side == "before" else after) for before, after in pairs)


class Journal:
    """The file. What can be undone and redone follows from it alone, so it outlives the process that edits.

    An undo takes back the newest change that isn't taken back already, a redo takes back the newest undo, and
    a new change ends redoing. Undo and redo are changes too, and say which line they take back: what can be
    undone after them is what could be undone before that line, so it is found in a few steps from the end.

    Parameters
    ----------
    path : Path
        The file; made by the first entry.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, action: str, changes: Sequence[Change], takes_back: int | None = None) -> None:
        """Write down a change of one or several samples; of an undo or a redo, also what it takes back.

        Parameters
        ----------
        action : str
            What was done.
        changes : sequence of (before, after)
            Of each sample; ``before`` is None for one that was added.
        takes_back : int, optional
            Of an undo or a redo, the offset of the entry that it takes back.

        Raises
        ------
        OSError
            If the file can't be written.
        """
        first, *others = (
            {
                "before": None if before is None else before.model_dump(mode="json"),
                "after": after.model_dump(mode="json"),
            }
            for before, after in changes
        )
        line: dict[str, Any] = {"time": time.time(), "action": action, "sample": changes[0][1].id, **first}
        if others:
            line["others"] = others
        if takes_back is not None:
            line["takes_back"] = takes_back
        append_line(self._path, line)

    def entries(self) -> tuple[JournalEntry, ...]:
        """Return all entries, oldest first; lines that a kill has torn are left out."""
        return tuple(read_entries(self._path)[0])

    def undoable(self) -> tuple[int, JournalEntry] | None:
        """Return the change that an undo would take back, after its offset in the file."""
        found = self.newest()
        while found is not None and found[1].action == UNDO:
            found = self.newest(found[1].takes_back)
        return found

    def redoable(self) -> tuple[int, JournalEntry] | None:
        """Return the undo that a redo would take back, after its offset in the file."""
        found = self.newest()
        while found is not None and found[1].action == REDO:
            found = self.newest(found[1].takes_back)
        return found if found is not None and found[1].action == UNDO else None

    def newest(self, end: int | None = None) -> tuple[int, JournalEntry] | None:
        """Return the last change, of a sample that was there, before an offset; after its own offset."""
        for offset, line in read_lines_backwards(self._path, end):
            entry = _entry(line)
            if entry is not None and entry.before is not None:
                return offset, entry
        return None


def read_entries(path: Path, offset: int = 0) -> tuple[list[JournalEntry], int]:
    """Return the entries from a byte offset on, and the offset to go on from next time."""
    lines, offset = read_lines(path, offset)
    return [entry for entry in map(_entry, lines) if entry is not None], offset


def _entry(line: dict[str, Any]) -> JournalEntry | None:
    try:
        takes_back = int(line["takes_back"]) if line["action"] in (UNDO, REDO) else None
        others = tuple((other["before"], other["after"]) for other in line.get("others", ()))
        return JournalEntry(
            line["time"], line["action"], line["sample"], line["before"], line["after"], others, takes_back
        )
    except (KeyError, TypeError):
        return None
