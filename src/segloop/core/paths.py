"""Questions about paths that a user or a file names, which may be of any form; none of them raises."""

from __future__ import annotations

import os

PathLike = str | os.PathLike[str]

# pathlib raises for names that are too long, and before Python 3.12 for some others.


def exists(path: PathLike) -> bool:
    """Whether there is a file or folder of this name; no for a name that the system refuses."""
    return os.path.exists(path)  # noqa: PTH110


def is_file(path: PathLike) -> bool:
    """Whether there is a file of this name; no for a name that the system refuses."""
    return os.path.isfile(path)  # noqa: PTH113


def is_folder(path: PathLike) -> bool:
    """Whether there is a folder of this name; no for a name that the system refuses."""
    return os.path.isdir(path)  # noqa: PTH112


def is_unicode(name: PathLike) -> bool:
    """Whether a name can be written into files and shown; one from a disk may not be UTF-8."""
    try:
        os.fspath(name).encode()
    except UnicodeEncodeError:
        return False
    return True
