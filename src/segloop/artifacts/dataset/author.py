"""Which program made a change, so that undo takes back one's own changes only."""

from __future__ import annotations

import getpass
import os
from functools import cache

from pydantic import Field

from segloop.core.lock import Owner, ProcessIdentity


class Author(ProcessIdentity):
    """A user's process on a computer.

    Attributes
    ----------
    user : str
        Name of the account.
    """

    user: str = Field(max_length=255)

    @classmethod
    def this_process(cls) -> Author:
        """Return this process as an author."""
        return _author_of(os.getpid())

    @property
    def is_own(self) -> bool:
        """Whether it is this process, or one of the same user on this computer that has ended."""
        me = Author.this_process()
        if (self.user, self.host) != (me.user, me.host):
            return False
        return self == me or self.is_gone


@cache
def _author_of(pid: int) -> Author:
    owner = Owner.this_process()
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):  # an account without a name, as in some containers
        user = ""
    return Author(pid=pid, started=owner.started, host=owner.host, user=user)
