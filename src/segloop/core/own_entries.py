"""What a folder of ours may hold: plain files and folders, no links that lead out of it."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable
from pathlib import Path

from segloop.core.errors import SegloopError

_LINK_REMEDY = "put what it points to in its place, or delete it"


def require_own_entries(
    folder: Path, files: Iterable[str], folders: Iterable[str], error: type[SegloopError]
) -> None:
    """Refuse a folder in which a link, or anything unexpected, has a name that Segloop gives.

    Parameters
    ----------
    folder : Path
        The folder; it may be a link itself, since its user has named it.
    files, folders : iterable of str
        Names of the files and folders that may be there, with forward slashes below ``folder``. A folder
        comes before its contents.
    error : type of SegloopError
        What is raised.

    Raises
    ------
    SegloopError
        Of the given type, with the path and the remedy.
    """
    for name in folders:
        _require(folder / name, stat.S_ISDIR, "a folder", error)
    for name in files:
        _require(folder / name, stat.S_ISREG, "a plain file", error)


def is_link(path: Path) -> bool:
    """Whether a file or folder is a link, or on Windows a junction."""
    if path.is_symlink():
        return True
    try:
        tag = getattr(path.lstat(), "st_reparse_tag", 0)
    except OSError:
        return False
    return bool(tag == getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", None))


def _require(path: Path, is_expected: Callable[[int], bool], noun: str, error: type[SegloopError]) -> None:
    try:
        mode = os.lstat(path).st_mode
    except OSError:  # missing, or not readable, which its reader says
        return
    if is_link(path):
        raise error(f"{path} is a link, and links in this folder are not followed: {_LINK_REMEDY}.")
    if not is_expected(mode):
        raise error(f"{path} is not {noun}: move it away.")
