"""Everything that was ever done to a dataset's samples, in an append-only file; what undo and redo go by."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from segloop.artifacts.jsonl import append_line, read_lines, read_lines_backwards
from segloop.artifacts.manifest import Sample

UNDO, REDO = "undo", "redo"


@dataclass(frozen=True)
class JournalEntry:
    """One change of one sample.

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
    """

    time: float
    action: str
    sample_id: str
    before: dict[str, Any] | None
    after: dict[str, Any]

    def sample(self, side: Literal["before", "after"]) -> Sample:
        """Return the sample as it was before or after the change."""
        return Sample.model_validate(self.before if side == "before" else self.after)


class Journal:
    """The file. What can be undone and redone follows from it alone, so it outlives the process that edits.

    An undo takes back the newest change that is not taken back already, a redo takes back the newest undo, and a
    new change ends redoing. Either is found from the end of the file, however long that is.

    Parameters
    ----------
    path : Path
        The file; made by the first entry.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, action: str, before: Sample | None, after: Sample) -> None:
        """Write down a change.

        Raises
        ------
        OSError
            If the file can't be written.
        """
        append_line(
            self._path,
            {
                "time": time.time(),
                "action": action,
                "sample": after.id,
                "before": None if before is None else before.model_dump(mode="json"),
                "after": after.model_dump(mode="json"),
            },
        )

    def entries(self) -> tuple[JournalEntry, ...]:
        """Return all entries, oldest first; lines that a kill has torn are left out."""
        return tuple(read_entries(self._path)[0])

    def undoable(self) -> JournalEntry | None:
        """Return the change that an undo would take back."""
        taken_back = 0
        for entry in self._newest_first():
            if entry.action == UNDO:
                taken_back += 1
            elif taken_back == 0:
                return entry
            else:
                taken_back -= 1
        return None

    def redoable(self) -> JournalEntry | None:
        """Return the undo that a redo would take back."""
        taken_back = 0
        for entry in self._newest_first():
            if entry.action == REDO:
                taken_back += 1
            elif entry.action != UNDO:
                return None
            elif taken_back == 0:
                return entry
            else:
                taken_back -= 1
        return None

    def _newest_first(self) -> Iterator[JournalEntry]:
        """Yield the changes of samples that were there before."""
        for line in read_lines_backwards(self._path):
            entry = _entry(line)
            if entry is not None and entry.before is not None:
                yield entry


def read_entries(path: Path, offset: int = 0) -> tuple[list[JournalEntry], int]:
    """Return the entries from a byte offset on, and the offset to go on from next time."""
    lines, offset = read_lines(path, offset)
    return [entry for entry in map(_entry, lines) if entry is not None], offset


def _entry(line: dict[str, Any]) -> JournalEntry | None:
    try:
        return JournalEntry(line["time"], line["action"], line["sample"], line["before"], line["after"])
    except KeyError:
        return None
