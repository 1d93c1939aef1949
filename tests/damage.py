"""What a power cut, a failing disk or a careless copy leaves of a file."""

from __future__ import annotations

from pathlib import Path


def missing(file: Path) -> None:
    """Delete it."""
    file.unlink()


def emptied(file: Path) -> None:
    """Leave its name alone."""
    file.write_bytes(b"")


def zeroed(file: Path) -> None:
    """Leave its size alone."""
    file.write_bytes(b"\0" * file.stat().st_size)


def truncated(file: Path) -> None:
    """Leave the first half."""
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


POWER_CUT = (emptied, zeroed, truncated)
DAMAGES = (missing, *POWER_CUT)
