"""Files and folders that are either whole or not there: written under a temporary name, then renamed."""

from __future__ import annotations

import errno
import json
import logging
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

logger = logging.getLogger("segloop.core")

_PARTIAL, _REPLACED = "partial", "replaced"
_LEFTOVER = re.compile(rf"\.([0-9a-f]{{8}})\.({_PARTIAL}|{_REPLACED})-(.+)", re.DOTALL)
_PATIENCE_S = 2.0
_LONGEST_NAME = 255  # bytes
_ABANDONED_S = 3600.0  # seconds without a change, after which nobody is writing any more


def _temporary_name(path: Path, token: str, role: str = _PARTIAL) -> Path:
    # The suffix stays last because writers choose their format by it.
    prefix = f".{token}.{role}-"
    # Where a name leaves no room for more, that of the old version, by which it is found again, stays whole.
    room = _LONGEST_NAME - len(prefix) if role == _PARTIAL else _LONGEST_NAME
    name = path.name
    while len(name.encode(errors="surrogateescape")) > room:
        name = name[1:]
    return path.with_name(prefix + name)


def _token() -> str:
    return uuid.uuid4().hex[:8]


@contextmanager
def atomic_path(
    path: str | os.PathLike[str], *, exclusive: bool = False, durable: bool = True
) -> Iterator[Path]:
    """Yield a temporary sibling of ``path``; rename it to ``path`` on success, delete it on failure.

    Works for a file and for a folder (such as a Zarr store). An existing file is replaced in one step; an
    existing folder is moved aside first and deleted afterwards. A kill between the two leaves no folder of
    that name until `clear_leftovers` brings one back.

    Parameters
    ----------
    path : path-like
        File or folder to write.
    exclusive : bool, optional
        Whether ``path`` must be new: what another program put there in the meantime stays.
    durable : bool, optional
        Whether to wait until the disk has stored the new content before the old one is given up, so that
        a power cut leaves one of them. False is for what can be made again.

    Raises
    ------
    FileExistsError
        If ``exclusive`` is set and ``path`` exists when the content is complete.
    OSError
        If the parent folder is missing or not writable, or the disk is full; ``path`` is then unchanged.
    """
    target = Path(path)
    token = _token()
    partial = _temporary_name(target, token)
    try:
        yield partial
        if durable:
            sync(partial)
        if exclusive:
            _create(partial, target)
        else:
            _replace(partial, target, _temporary_name(target, token, _REPLACED))
    except BaseException:
        with suppress(OSError):
            remove(partial)
        raise
    # From here on the new content counts, and nothing may say otherwise.
    if durable:
        _try(sync_folder, target.parent)


def _try(action: Callable[[Path], None], path: Path) -> None:
    try:
        action(path)
    except OSError as error:
        logger.warning("%s: %s", path, error)


def _create(partial: Path, target: Path) -> None:
    """Rename a file or folder to a name that must be free."""
    if partial.is_dir():
        # A rename replaces an empty folder, and nothing else that is there.
        if target.is_dir() and not target.is_symlink() and not any(target.iterdir()):
            target.rmdir()
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
        partial.rename(target)
        return
    try:
        os.link(partial, target)  # unlike a rename, this never replaces a file
    except FileExistsError:
        raise
    except OSError:  # the file system has no hard links
        target.touch(exist_ok=False)
        rename(partial, target)
    else:
        _try(Path.unlink, partial)


def sync(path: Path) -> None:
    """Wait until the disk has stored a file, or a folder with all that is in it.

    Raises
    ------
    OSError
        If the disk reports that it could not.
    """
    if path.is_dir() and not path.is_symlink():
        for parent, _, names in os.walk(path):
            for name in names:
                _sync(Path(parent) / name)
            sync_folder(Path(parent))
    elif path.is_file():
        _sync(path)


def _sync(file: Path) -> None:
    descriptor = os.open(file, os.O_RDWR | getattr(os, "O_BINARY", 0))
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Wait until the disk has stored which names are in a folder; Windows does this by itself."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _replace(partial: Path, target: Path, aside: Path) -> None:
    if not target.is_dir() or target.is_symlink():
        rename(partial, target)
        return
    rename(target, aside)
    try:
        rename(partial, target)
    except BaseException:
        rename(aside, target)
        raise
    _try(remove, aside)


def rename(source: Path, target: Path) -> None:
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


def has_leftovers(folder: Path) -> bool:
    """Whether there is anything for `clear_leftovers`, or another process is writing in the folder."""
    try:
        return any(_LEFTOVER.fullmatch(name) for name in os.listdir(folder))  # noqa: PTH208 - half the time
    except OSError:
        return False


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
            rename(partial if partial.exists() else aside, target)
    for path, _ in found:
        remove(path)


def clear_abandoned(folder: Path, is_ours: Callable[[Path, str], bool]) -> None:
    """Delete what a killed process was writing by `atomic_path` in a folder in which others may be writing.

    Only what has not changed for an hour is deleted. What can't be deleted stays.

    Parameters
    ----------
    folder : Path
        Where to look; it may be missing.
    is_ours : callable
        Whether to delete a file or folder, by its path and the name that it would have got.
    """
    with suppress(OSError):
        for path in list(folder.iterdir()):
            match = _LEFTOVER.fullmatch(path.name)
            if match is None or match[2] != _PARTIAL or path.is_symlink():
                continue
            with suppress(OSError):
                if time.time() - _last_change(path) > _ABANDONED_S and is_ours(path, match[3]):
                    remove(path)


def _last_change(path: Path) -> float:
    """Return when a file, or anything in a folder, was last changed."""
    paths = [path]
    for parent, folders, files in os.walk(path):
        paths += [Path(parent) / name for name in (*folders, *files)]
    return max(each.lstat().st_mtime for each in paths)


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
        _keep(target, former)
        write_text(target, text)
        try:
            yield
        except Exception:
            rename(former, target)
            raise
    finally:
        _try(remove, former)


def _keep(file: Path, copy: Path) -> None:
    """Give a file a second name that survives its replacement; a copy where there are no hard links."""
    try:
        os.link(file, copy, follow_symlinks=False)
    except (OSError, NotImplementedError):
        shutil.copyfile(file, copy)


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write ``value`` as indented JSON, atomically; NaN and infinity are refused."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")
