"""Every change of a dataset's samples, in an append-only file; undo and redo follow it.

Several programs may edit one dataset. Each line says which one wrote it, and undo takes back one's own
changes: those of this process, and those of processes of the same user on the same computer that have ended.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segloop.artifacts.dataset.author import Author
from segloop.artifacts.dataset.delta import checked, difference
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
        The changed fields as they were, see `delta.difference`; None for a sample that was added.
    after : dict
        The changed fields as they are; of a sample that was added, all fields as its file holds them.
    """

    sample_id: str
    before: dict[str, Any] | None
    after: dict[str, Any]

    @classmethod
    def between(cls, before: Sample | None, after: Sample) -> SampleChange:
        """Return what changed from one state of a sample to another."""
        if before is None:
            return cls(after.id, None, after.model_dump(mode="json"))
        return cls(after.id, *difference(before, after))


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
    author : Author or None
        The program that made it; None in older files.
    """

    time: float
    action: str
    changes: tuple[SampleChange, ...]
    takes_back: int | None = None
    author: Author | None = None

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
        line["by"] = Author.this_process().model_dump()
        append_line(self._path, line, durable=True)

    def entries(self) -> tuple[JournalEntry, ...]:
        """Return all entries, oldest first; incomplete lines are left out."""
        return tuple(read_entries(self._path)[0])

    def undoable(self) -> tuple[int, JournalEntry] | None:
        """Return the change that an undo would take back, after its offset in the file."""
        found = self.newest(own=True)
        while found is not None and found[1].action == UNDO:
            found = self.newest(found[1].takes_back, own=True)
        return found

    def redoable(self) -> tuple[int, JournalEntry] | None:
        """Return the undo that a redo would take back, after its offset in the file."""
        found = self.newest(own=True)
        while found is not None and found[1].action == REDO:
            found = self.newest(found[1].takes_back, own=True)
        return found if found is not None and found[1].action == UNDO else None

    def newest(self, end: int | None = None, own: bool = False) -> tuple[int, JournalEntry] | None:
        """Return the last change, of a sample that was there, before an offset; after its own offset.

        Parameters
        ----------
        end : int, optional
            The offset; by default the end of the file.
        own : bool, optional
            Whether to pass over what other programs changed, see `Author.is_own`.
        """
        for offset, line in read_lines_backwards(self._path, end):
            entry = _entry(line)
            if entry is None or entry.changes[0].before is None:
                continue
            if entry.takes_back is not None and not 0 <= entry.takes_back < offset:
                continue  # damaged: following it would never end
            if not own or entry.author is None or entry.author.is_own:
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
        changes = tuple(_change(each) for each in line["changes"])
        author = Author.model_validate(line["by"]) if "by" in line else None
        return JournalEntry(line["time"], line["action"], changes, takes_back, author) if changes else None
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def _change(value: dict[str, Any]) -> SampleChange:
    before, after = value["before"], value["after"]
    if before is None:
        return SampleChange(str(value["sample"]), None, dict(after))
    return SampleChange(str(value["sample"]), checked(before), checked(after))
