"""A lock that says who holds it, so that two programs never write the same thing at once."""

from __future__ import annotations

import os
import platform
import random
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

import psutil
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from segloop.core.errors import SegloopError
from segloop.core.file_errors import cannot_write
from segloop.core.own_files import read_own_json

_CLOCK_TOLERANCE = 2.0  # seconds; a process's creation time shifts when the system clock is set
_WRITTEN_WITHIN = 10.0  # seconds; a lock without an owner is older only if its process died writing it
_TRIES = 3
_NAMED_WITHIN = 0.5  # seconds; a process that has created a lock writes its name into it at once
_POLL = (0.001, 0.005)  # seconds between two looks at a lock that is held; random, so that none starves


class ProcessIdentity(BaseModel):
    """A process; a later one of the same number is another.

    Attributes
    ----------
    pid : int
        Its number.
    started : float
        When it was created, in seconds since the epoch.
    host : str
        Name of its computer.
    """

    model_config = ConfigDict(frozen=True)

    pid: int = Field(ge=1, lt=2**31)
    started: FiniteFloat = Field(ge=0)
    host: str = Field(max_length=255)

    @property
    def is_gone(self) -> bool:
        """Whether the process has ended; never known of another computer."""
        if self.host != platform.node():
            return False
        try:
            process = psutil.Process(self.pid)
            is_another = abs(float(process.create_time()) - self.started) > _CLOCK_TOLERANCE
            return is_another or process.status() == str(psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return True
        except psutil.AccessDenied:  # it lives, but belongs to someone else
            return False


class Owner(ProcessIdentity):
    """The process that holds a lock.

    Attributes
    ----------
    since : str
        When it took the lock, ISO 8601 in UTC.
    """

    since: str = Field(max_length=64)

    @classmethod
    def this_process(cls) -> Owner:
        """Return this process as an owner."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        started = psutil.Process().create_time()
        return cls(pid=os.getpid(), started=started, host=platform.node(), since=now)

    @property
    def is_this_process(self) -> bool:
        """Whether it is the process that asks."""
        mine = Owner.this_process()
        return (self.pid, self.started, self.host) == (mine.pid, mine.started, mine.host)

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {self.since}"


class FileLock:
    """A lock as a small file beside what it protects; created exclusively, removed in the end.

    A lock whose process has ended is taken over. One that a process on another computer left behind can't be
    told from one in use: its file has to be deleted by hand, and the message says so.

    Parameters
    ----------
    path : Path
        The lock's file.
    noun : str
        What it protects, as in "the dataset cells".
    error : type of SegloopError
        Raised if another process holds the lock, or the file can't be written.
    wait : float, optional
        How long to wait for the lock while it is held, in seconds.
    """

    _held_here: ClassVar[set[str]] = set()
    """Paths of the locks that this process holds."""

    def __init__(self, path: Path, noun: str, error: type[SegloopError], wait: float = 0.0) -> None:
        self.path = path
        self._wait = wait
        self._noun = noun
        self._error = error
        self._held: Owner | None = None
        self._key = os.path.abspath(path)  # noqa: PTH100

    def acquire(self) -> None:
        """Take the lock, as soon as it is free.

        Raises
        ------
        SegloopError
            Of the lock's kind, if another process holds it, or the file can't be written.
        """
        deadline = time.monotonic() + self._wait
        tries = 0
        while tries < _TRIES:
            try:
                self._create()
            except FileExistsError:
                owner = self.owner()
                waits = time.monotonic() < deadline
                if owner is None and not os.path.lexists(self.path):  # it was just given back
                    tries += not waits
                elif self._is_abandoned(owner):
                    self._remove_abandoned(owner)
                    tries += 1
                elif waits:
                    time.sleep(random.uniform(*_POLL))
                else:
                    raise self._error(self._in_use(owner or self._named_soon())) from None
            except OSError as error:
                raise self._error(cannot_write(self.path, error)) from error
            else:
                return
        raise self._error(self._in_use(self.owner()))

    def _create(self) -> None:
        mine = Owner.this_process()
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            os.write(descriptor, mine.model_dump_json().encode())
        except OSError:
            with suppress(OSError):
                self.path.unlink()
            raise
        finally:
            os.close(descriptor)
        self._held = mine
        self._held_here.add(self._key)

    def release(self) -> None:
        """Give the lock back, if this object holds it."""
        if self._held is not None:
            if self.owner() == self._held:
                with suppress(OSError):  # it is then taken for abandoned, see `_is_abandoned`
                    self.path.unlink()
            self._held_here.discard(self._key)
            self._held = None

    def owner(self) -> Owner | None:
        """Return who holds the lock; None if nobody does, or the file is damaged."""
        try:
            return Owner.model_validate(read_own_json(self.path, 1 << 16))
        except (OSError, ValueError):
            return None

    def _named_soon(self) -> Owner | None:
        """Return the owner of a lock that is just being written; None if it is not named in time."""
        deadline = time.monotonic() + _NAMED_WITHIN
        while (owner := self.owner()) is None and time.monotonic() < deadline:
            time.sleep(random.uniform(*_POLL))
        return owner

    def _is_abandoned(self, owner: Owner | None) -> bool:
        if owner is not None:
            # One of this process that no object here holds could not be deleted when it was released.
            return owner.is_gone or (owner.is_this_process and self._key not in self._held_here)
        return self._is_old()

    def _is_old(self) -> bool:
        """Whether a lock without an owner was damaged by a power cut, and is not just being written."""
        try:
            return time.time() - self.path.lstat().st_mtime > _WRITTEN_WITHIN
        except OSError:  # it was just given back
            return False

    def _remove_abandoned(self, owner: Owner | None) -> None:
        if self.owner() != owner:
            return
        # Renamed first, since another process may have replaced it by a lock of its own in the meantime.
        aside = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        with suppress(OSError):
            self.path.rename(aside)
            found = FileLock(aside, self._noun, self._error)
            if found.owner() != owner or (owner is None and not found._is_old()):
                with suppress(FileExistsError):
                    os.link(aside, self.path)
            aside.unlink()

    def _in_use(self, owner: Owner | None) -> str:
        if owner is None:
            return f"{self._noun} is in use by another process: close it there first."
        remedy = "close it there first"
        if owner.host != platform.node():
            remedy += f", or delete {self.path} if that process no longer runs"
        return f"{self._noun} is in use by {owner}: {remedy}."

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
