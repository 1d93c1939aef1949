"""Several files and folders that change together: all of them, or none.

Each is written into a hidden folder first. Then a small file there, the commit, says what is put in place and
what is deleted. Once it is on the disk the new version counts: what a kill or a power cut leaves undone,
`recover` finishes. Without it the old version counts, and `recover` removes the hidden folder.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from segloop.core.atomic import remove, rename, sync, sync_folder, write_text
from segloop.core.own_files import NotReadableError, read_own_bytes

IsOwn = Callable[[str], bool]
"""Whether a name is one that Segloop gives, so that a file or folder of that name may be replaced."""

_COMMIT_FILE = "commit.json"
_NEW, _OLD = "new", "old"
_LONGEST = 200  # bytes; file systems allow a name 255


class _CommitFile(BaseModel):
    """What is put in place, in this order, and what is deleted."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    format: Literal["segloop-commit"] = "segloop-commit"
    version: Literal[1] = 1
    replace: list[str]
    delete: list[str]


class Commit:
    """Files and folders of one folder that are replaced or deleted together.

    The caller makes sure that no other process writes under the same name, for example by a `FileLock`, and
    has called `recover` before.

    Parameters
    ----------
    folder : Path
        Where they are.
    name : str
        Names this group of files in the folder.
    is_own : callable
        Whether a file name may belong to the group; others are neither replaced nor deleted.
    """

    def __init__(self, folder: Path, name: str, is_own: IsOwn) -> None:
        self.folder = folder
        self._name = name
        self._is_own = is_own
        self._hidden = hidden_folder(folder, name)
        self._staged: list[str] = []
        self._deleted: list[str] = []

    def stage(self, name: str) -> Path:
        """Return the hidden path at which to write what becomes ``name``.

        Raises
        ------
        OSError
            If the hidden folder can't be made.
        """
        self._require_own(name)
        if name not in self._staged:
            (self._hidden / _NEW).mkdir(parents=True, exist_ok=True)
            self._staged.append(name)
        return self._hidden / _NEW / name

    def delete(self, name: str) -> None:
        """Have ``name`` deleted with the commit."""
        self._require_own(name)
        self._deleted.append(name)

    def commit(self) -> None:
        """Put everything in place, in the order in which it was staged.

        Raises
        ------
        OSError
            If it can't be stored: all is then as before. Or if it is stored but can't be put in place: then
            the new version counts, and the next `recover` puts it there.
        """
        for name in self._staged:
            sync(self._hidden / _NEW / name)
        sync_folder(self._hidden / _NEW)
        content = _CommitFile(replace=self._staged, delete=self._deleted)
        write_text(self._hidden / _COMMIT_FILE, content.model_dump_json() + "\n")
        recover(self.folder, self._name, self._is_own)

    def discard(self) -> None:
        """Remove what was staged, unless it was committed."""
        if not needs_recovery(self.folder, self._name):
            with suppress(OSError):  # `recover` removes it next time
                remove(self._hidden)

    def _require_own(self, name: str) -> None:
        if not self._is_own(name):
            raise ValueError(f"{name} is not a name of this group of files")


def recover(folder: Path, name: str, is_own: IsOwn) -> None:
    """Finish a commit that was interrupted, or remove what was written without one.

    Parameters
    ----------
    folder, name, is_own
        As in `Commit`. No other process may be writing under this name.

    Raises
    ------
    OSError
        If a file can't be renamed or deleted.
    """
    hidden = hidden_folder(folder, name)
    if not os.path.lexists(hidden):
        return
    # A folder from a stranger may hold links where we made folders.
    linked = any(each.is_symlink() for each in (hidden, hidden / _NEW, hidden / _OLD))
    content = None if linked else _read(hidden / _COMMIT_FILE)
    if content is not None and all(map(is_own, [*content.replace, *content.delete])):
        for each in content.replace:
            _put_in_place(hidden, folder / each)
        for each in content.delete:
            if each not in content.replace and os.path.lexists(folder / each):
                _set_aside(hidden, folder / each)
        sync_folder(folder)
        # Last of all, so that it is found again as long as anything is left to do.
        remove(hidden / _NEW)
        remove(hidden / _OLD)
    remove(hidden)


def needs_recovery(folder: Path, name: str) -> bool:
    """Whether a commit of this name was decided, and interrupted before everything was in place."""
    return os.path.lexists(hidden_folder(folder, name) / _COMMIT_FILE)


def hidden_folder(folder: Path, name: str) -> Path:
    """Return the folder in which a group of files is written before it is put in place."""
    return folder / hidden_name(name, "writing")


def hidden_name(name: str, role: str) -> str:
    """Return the name of a hidden companion of ``name``, short enough for any name that a file can have."""
    if len(name.encode(errors="surrogateescape")) > _LONGEST:
        digest = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:16]
        name = f"{name[: _LONGEST // 8]}-{digest}"
    return f".{name}.{role}"


def _put_in_place(hidden: Path, target: Path) -> None:
    staged = hidden / _NEW / target.name
    if not staged.exists() or staged.is_symlink():
        return  # done before the interruption, or not ours
    if target.is_dir() and not target.is_symlink():
        _set_aside(hidden, target)
    rename(staged, target)


def _set_aside(hidden: Path, target: Path) -> None:
    # A folder is not deleted where it is, since that takes several steps.
    aside = hidden / _OLD / target.name
    aside.parent.mkdir(exist_ok=True)
    remove(aside)
    rename(target, aside)


def _read(path: Path) -> _CommitFile | None:
    try:
        return _CommitFile.model_validate_json(read_own_bytes(path))
    except (FileNotFoundError, NotADirectoryError, NotReadableError, ValidationError):
        return None
