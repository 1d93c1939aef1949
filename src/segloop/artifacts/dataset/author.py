"""Which program made a change, so that undo takes back one's own changes only."""

from __future__ import annotations

import getpass
import os
import platform
from dataclasses import dataclass
from functools import cache
from typing import Any

from segloop.core.lock import Owner


@dataclass(frozen=True)
class Author:
    """A user's process on a computer.

    Attributes
    ----------
    user : str
        Name of the account.
    host : str
        Name of the computer.
    pid : int
        Number of the process.
    started : float
        When it was created, in seconds since the epoch.
    """

    user: str
    host: str
    pid: int
    started: float

    @classmethod
    def this_process(cls) -> Author:
        """Return this process as an author."""
        return _author_of(os.getpid())

    @classmethod
    def from_json(cls, value: Any) -> Author:
        """Return what `as_json` wrote.

        Raises
        ------
        KeyError, TypeError, ValueError
            If it is something else.
        """
        return cls(str(value["user"]), str(value["host"]), int(value["pid"]), float(value["started"]))

    def as_json(self) -> dict[str, Any]:
        """Return it as a value for JSON."""
        return {"user": self.user, "host": self.host, "pid": self.pid, "started": self.started}

    @property
    def is_own(self) -> bool:
        """Whether it is this process, or one of the same user on this computer that has ended."""
        me = Author.this_process()
        if (self.user, self.host) != (me.user, me.host):
            return False
        return self == me or Owner(self.pid, self.started, self.host, "").is_gone


@cache
def _author_of(pid: int) -> Author:
    owner = Owner.this_process()
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):  # an account without a name, as in some containers
        user = ""
    return Author(user, platform.node(), pid, owner.started)
