"""Every change of a dataset's samples, in an append-only file; undo and redo follow it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segloop.artifacts.dataset.manifest import Sample
from segloop.artifacts.dataset.upgrade import upgrade_line
from segloop.core.jsonl import append_line, read_lines, read_lines_backwards

UNDO, REDO = "undo", "redo"


@dataclass(frozen=True)
class SampleChange:
    """What changed of one sample.

    Attributes
    ----------
    sample_id : str
        Which sample.
    before : dict or None
        The changed fields as they were; None for a sample that was added.
    after : dict
        The changed fields as they are; of a sample that was added, all fields.
    """

    sample_id: str
    before: dict[str, Any] | None
    after: dict[str, Any]

    @classmethod
    def between(cls, before: Sample | None, after: Sample) -> SampleChange:
        """Return what changed from one state of a sample to another."""
        new = after.model_dump(mode="json")
        if before is None:
            return cls(after.id, None, new)
        old = before.model_dump(mode="json")
        changed = [key for key in new if old[key] != new[key]]
        return cls(after.id, {key: old[key] for key in changed}, {key: new[key] for key in changed})


@dataclass(frozen=True)
class JournalEntry:
    """One change, of one sample or of several together.

    Attributes
    ----------
    time : float
        When, in seconds since the epoch.
    action : str
        What was done, such as ``"accept"``; ``"undo"`` and ``"redo"`` are changes too.
    changes : tuple of SampleChange
        At least one; first that of the sample on which the action was taken.
    takes_back : int or None
        Of an undo or a redo, where in the file the entry starts that it takes back, in bytes.
    """

    time: float
    action: str
    changes: tuple[SampleChange, ...]
    takes_back: int | None = None

    @property
    def sample_id(self) -> str:
        """The sample on which the action was taken."""
        return self.changes[0].sample_id


class Journal:
    """The file. What can be undone and redone follows from it alone, so it outlives the process that edits.

    An undo takes back the newest change that isn't taken back already, a redo takes back the newest undo, and
    a new change ends redoing. Undo and redo are changes too, and say which line they take back: what can be
    undone after them is what could be undone before that line, so it is found in a few steps from the end.

    Parameters
    ----------
    path : Path
        The file; created by the first entry.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, action: str, changes: Sequence[SampleChange], takes_back: int | None = None) -> None:
        """Append a change of one or several samples.

        Parameters
        ----------
        action : str
            What was done.
        changes : sequence of SampleChange
            What changed.
        takes_back : int, optional
            Of an undo or a redo, the offset of the entry that it takes back.

        Raises
        ------
        OSError
            If the file can't be written.
        """
        line: dict[str, Any] = {
            "time": time.time(),
            "action": action,
            "changes": [
                {"sample": each.sample_id, "before": each.before, "after": each.after} for each in changes
            ],
        }
        if takes_back is not None:
            line["takes_back"] = takes_back
        append_line(self._path, line)

    def entries(self) -> tuple[JournalEntry, ...]:
        """Return all entries, oldest first; incomplete lines are left out."""
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
            if entry is not None and entry.changes[0].before is not None:
                return offset, entry
        return None


def read_entries(path: Path, offset: int = 0) -> tuple[list[JournalEntry], int]:
    """Return the entries from a byte offset on, and the offset to go on from next time."""
    lines, offset = read_lines(path, offset)
    return [entry for entry in map(_entry, lines) if entry is not None], offset


def _entry(line: dict[str, Any]) -> JournalEntry | None:
    try:
        line = upgrade_line(line)
        takes_back = int(line["takes_back"]) if line["action"] in (UNDO, REDO) else None
        changes = tuple(
            SampleChange(str(each["sample"]), _fields(each["before"]), dict(each["after"]))
            for each in line["changes"]
        )
        return JournalEntry(line["time"], line["action"], changes, takes_back) if changes else None
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def _fields(value: Any) -> dict[str, Any] | None:
    return None if value is None else dict(value)
