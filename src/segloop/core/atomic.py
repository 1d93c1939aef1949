"""Files and folders that are either whole or not there: written under a temporary name, then renamed."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def _temporary_name(path: Path) -> Path:
    # The suffix stays last because writers choose their format by it.
    return path.with_name(f".{uuid.uuid4().hex[:8]}.partial-{path.name}")


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary sibling of ``path``; rename it to ``path`` on success, delete it on failure.

    Works for a file and for a folder (such as a Zarr store). An existing file is replaced in one step; an
    existing folder is moved aside first and deleted afterwards.

    Raises
    ------
    OSError
        If the parent folder is missing or not writable, or the disk is full; ``path`` is then unchanged.
    """
    target = Path(path)
    partial = _temporary_name(target)
    try:
        yield partial
        _replace(partial, target)
    finally:
        remove(partial)


def _replace(partial: Path, target: Path) -> None:
    if not target.is_dir() or target.is_symlink():
        partial.replace(target)
        return
    old = _temporary_name(target)
    target.replace(old)
    try:
        partial.replace(target)
    except OSError:
        old.replace(target)
        raise
    remove(old)


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


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write ``value`` as indented JSON, atomically; NaN and infinity are refused."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")
