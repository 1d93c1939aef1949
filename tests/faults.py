"""Failing system calls, in this process: every n-th call that changes something below a folder is refused."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.truncate")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Faults:
    """Counts calls that change something, and refuses one of them.

    Opening for writing, renaming, deleting, linking and making folders are seen through Python's audit hooks;
    `os.fsync` is wrapped, as that is where a full disk reports what it did not store.
    """

    def __init__(self) -> None:
        self.count = 0
        self._folder = ""
        self._fail_at = 0
        self._errno = 0
        self._fsync: Callable[[Any], None] = os.fsync
        sys.addaudithook(self._on_event)

    @contextmanager
    def at(self, number: int, code: int, folder: Path) -> Iterator[None]:
        """Refuse the ``number``-th change below ``folder`` with an error of this code."""
        self.count, self._fail_at, self._errno = 0, number, code
        self._folder = str(folder)
        os.fsync = self._on_fsync
        try:
            yield
        finally:
            self._folder = ""
            os.fsync = self._fsync

    def _on_event(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._folder:
            return
        if event == "open":
            path, _, flags = arguments
            if isinstance(flags, int) and flags & WRITING and isinstance(path, str | os.PathLike):
                self._change(path)
        elif event in CHANGES:
            self._change(_named(*arguments))

    def _on_fsync(self, descriptor: Any) -> None:
        self._change(self._folder)
        self._fsync(descriptor)

    def _change(self, path: Any) -> None:
        if isinstance(path, int) or not os.fsdecode(path).startswith(self._folder):
            return
        self.count += 1
        if self.count == self._fail_at:
            raise OSError(self._errno, os.strerror(self._errno), os.fspath(path))


def _named(path: Any, *arguments: Any) -> Any:
    """Return the path of a call; one below an open folder, as `shutil.rmtree` deletes files, is looked up."""
    folder = arguments[0] if arguments and isinstance(arguments[0], int) else -1
    if folder < 0 or not isinstance(path, str) or Path(path).is_absolute():
        return path
    try:
        return str(Path(f"/proc/self/fd/{folder}").readlink() / path)
    except OSError:  # not on this system
        return path


FAULTS = Faults()
"""Audit hooks stay as long as the process lives, so there is one."""

CODES = (errno.ENOSPC, errno.EIO)
