"""Append-only files with one JSON object per line, readable even if the writer was killed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from segloop.core.own_files import open_own, open_own_to_append

_BLOCK = 1 << 16
_HEAD = 512  # bytes of the first line; times in it differ from file to file


def append_line(path: Path, value: dict[str, Any], durable: bool = False) -> None:
    """Append one object as a line, in a single write, so that the lines of several writers do not mix.

    If a killed writer left an incomplete last line, it is ended first, so that only that line is lost. A
    link is not followed: the file may come from a stranger.

    Parameters
    ----------
    path : Path
        The file; created if it is missing.
    value : dict
        The object.
    durable : bool, optional
        Whether to wait until the disk has stored the line.

    Raises
    ------
    OSError
        If the file can't be written, or the disk is full.
    NotReadableError
        If it is a link, a pipe or a device.
    ValueError
        If ``value`` holds NaN or infinity.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    line = text.encode(errors="backslashreplace") + b"\n"  # of a file name that is not UTF-8
    descriptor = open_own_to_append(path)
    try:
        if _is_torn(descriptor):
            line = b"\n" + line
        while line:
            line = line[os.write(descriptor, line) :]
        if durable:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_torn(descriptor: int) -> bool:
    if os.lseek(descriptor, 0, os.SEEK_END) == 0:
        return False
    os.lseek(descriptor, -1, os.SEEK_END)
    return os.read(descriptor, 1) != b"\n"


def read_lines(path: Path, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
    """Read the objects in all complete lines after a byte offset.

    Parameters
    ----------
    path : Path
        The file; a missing file counts as empty.
    offset : int, optional
        Where the last call ended, in bytes. If the file has become shorter, reading starts at its beginning.

    Returns
    -------
    objects : list of dict
        Lines that are not JSON objects, such as incomplete ones, are left out.
    offset : int
        Where the next call should start; an incomplete last line is read again then.
    """
    try:
        with open_own(path) as file:
            if offset > os.fstat(file.fileno()).st_size:
                offset = 0
            file.seek(offset)
            data = file.read()
    except FileNotFoundError:
        return [], 0
    end = data.rfind(b"\n") + 1
    parsed = (_parse(line) for line in data[:end].splitlines())
    return [value for value in parsed if value is not None], offset + end


def read_line(path: Path, offset: int) -> dict[str, Any] | None:
    """Return the object in the complete line that starts at a byte offset; None if there is none.

    Raises
    ------
    OSError
        If the file is missing or can't be read.
    """
    with open_own(path) as file:
        file.seek(offset)
        line = file.readline()
    return _parse(line) if line.endswith(b"\n") else None


def size_of_complete_lines(path: Path) -> int:
    """Return where the line that is appended next will start, in bytes.

    Raises
    ------
    OSError
        If the file can't be read.
    """
    try:
        with open_own(path) as file:
            size = file.seek(0, os.SEEK_END)
            if size == 0:
                return 0
            file.seek(-1, os.SEEK_END)
            return size + int(file.read(1) != b"\n")  # an incomplete line is ended first
    except FileNotFoundError:
        return 0


class LineReader:
    """Reads what is new in a file each time, and all of it after another file has taken its place.

    Parameters
    ----------
    path : Path
        The file; a missing file counts as empty.
    offset : int, optional
        Where to begin, in bytes.

    Attributes
    ----------
    replaced : bool
        Whether the last `read` found another file than the one before.
    """

    def __init__(self, path: Path, offset: int = 0) -> None:
        self._path = path
        self._offset = offset
        self._head = _head(path) if offset else b""
        self.replaced = False

    def read(self) -> list[dict[str, Any]]:
        """Return the objects in the lines that were completed since the last call; see `read_lines`."""
        head = _head(self._path)
        replaced = not head.startswith(self._head)
        lines, offset = read_lines(self._path, 0 if replaced else self._offset)
        self._head, self._offset, self.replaced = head, offset, replaced
        return lines


def _head(path: Path) -> bytes:
    try:
        with open_own(path) as file:
            return file.read(_HEAD).partition(b"\n")[0]
    except FileNotFoundError:
        return b""


def read_lines_backwards(path: Path, end: int | None = None) -> Iterator[tuple[int, dict[str, Any]]]:
    """Read complete lines from the end of a file to its beginning, as far as the caller needs them.

    Parameters
    ----------
    path : Path
        The file; a missing file counts as empty.
    end : int, optional
        Byte offset of the start of a line; only lines before it are read. By default the end of the file.

    Yields
    ------
    offset : int
        Where the line starts, in bytes.
    object : dict
        Its content; lines that are not JSON objects, such as incomplete ones, are left out.
    """
    try:
        with open_own(path) as file:
            position = file.seek(0, os.SEEK_END) if end is None else end
            rest = b""  # of the line whose beginning isn't read yet
            while position > 0:
                size = min(_BLOCK, position)
                position -= size
                file.seek(position)
                rest, *lines = (file.read(size) + rest).split(b"\n")
                offset = position + len(rest) + 1 + sum(len(line) + 1 for line in lines)
                for line in reversed(lines):
                    offset -= len(line) + 1
                    if (value := _parse(line)) is not None:
                        yield offset, value
            if (value := _parse(rest)) is not None:
                yield 0, value
    except FileNotFoundError:
        return


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
