"""Files and folders that are either whole or not there: written under a temporary name, then renamed."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_PARTIAL, _REPLACED = "partial", "replaced"
_LEFTOVER = re.compile(rf"\.([0-9a-f]{{8}})\.({_PARTIAL}|{_REPLACED})-(.+)", re.DOTALL)
_PATIENCE_S = 2.0


def _temporary_name(path: Path, token: str, role: str = _PARTIAL) -> Path:
    # The suffix stays last because writers choose their format by it.
    return path.with_name(f".{token}.{role}-{path.name}")


def _token() -> str:
    return uuid.uuid4().hex[:8]


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary sibling of ``path``; rename it to ``path`` on success, delete it on failure.

    Works for a file and for a folder (such as a Zarr store). An existing file is replaced in one step; an
    existing folder is moved aside first and deleted afterwards. A kill between the two leaves no folder of
    that name until `clear_leftovers` brings one back.

    Raises
    ------
    OSError
        If the parent folder is missing or not writable, or the disk is full; ``path`` is then unchanged.
    """
    target = Path(path)
    token = _token()
    partial = _temporary_name(target, token)
    try:
        yield partial
        _replace(partial, target, _temporary_name(target, token, _REPLACED))
    finally:
        remove(partial)


def _replace(partial: Path, target: Path, aside: Path) -> None:
    if not target.is_dir() or target.is_symlink():
        _rename(partial, target)
        return
    _rename(target, aside)
    try:
        _rename(partial, target)
    except BaseException:
        _rename(aside, target)
        raise
    remove(aside)


def _rename(source: Path, target: Path) -> None:
    """Rename; on Windows, wait up to two seconds for virus scanners and readers to let go of either."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            source.replace(target)
            return
        except PermissionError:
            if os.name != "nt" or time.monotonic() > deadline:
                raise
        time.sleep(0.05)


def clear_leftovers(folder: Path) -> None:
    """End what a killed process was writing in a folder by `atomic_path`: no temporary names remain.

    A folder that was just being replaced is there again afterwards: the new one, which is whole once the
    old one is moved aside, or else the old one. Not for folders in which another process may be writing.
    """
    found = [(path, match) for path in folder.iterdir() if (match := _LEFTOVER.fullmatch(path.name))]
    for aside, match in found:
        token, role, name = match.groups()
        target = folder / name
        if role == _REPLACED and not target.exists():
            partial = _temporary_name(target, token)
            _rename(partial if partial.exists() else aside, target)
    for path, _ in found:
        remove(path)


def remove(path: Path) -> None:
    """Delete a file or a folder with its contents, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write ``text`` as UTF-8, atomically."""
    with atomic_path(path) as partial:
        partial.write_text(text, encoding="utf-8")


@contextmanager
def text_replaced(path: str | os.PathLike[str], text: str) -> Iterator[None]:
    """Replace the text of a file for what follows; if that fails, the file is put back, even on a full disk.

    Raises
    ------
    OSError
        If ``text`` or a copy of the file can't be written; the file is then unchanged.
    """
    target = Path(path)
    former = _temporary_name(target, _token())
    try:
        shutil.copyfile(target, former)
        write_text(target, text)
        try:
            yield
        except Exception:
            _rename(former, target)
            raise
    finally:
        remove(former)


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write ``value`` as indented JSON, atomically; NaN and infinity are refused."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")
