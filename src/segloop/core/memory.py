"""How much memory this process can still get."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_GROUPS = Path("/sys/fs/cgroup")
_OWN_GROUPS = Path("/proc/self/cgroup")


def free_memory() -> int:
    """Return the bytes that this process can still get.

    That is the least of what the system has free, what the limits of containers and of a cluster's jobs
    leave (control groups of Linux), and what the limit of the process leaves (``ulimit -v``).
    """
    import psutil

    free = psutil.virtual_memory().available
    return max(0, min([int(free), *_left_in_groups(_OWN_GROUPS, _GROUPS), *_left_of_address_space()]))


def _left_in_groups(own: Path, root: Path) -> Iterator[int]:
    """Yield what each memory limit of the process's control groups leaves; ``own`` lists the groups."""
    try:
        lines = own.read_text().splitlines()
    except OSError:  # another system
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            names = ("memory.max", "memory.current", "")
            mounts = [root, root / "unified"]
        elif "memory" in controllers.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_")
            mounts = [root / "memory"]
        else:
            continue
        for mount in mounts:
            group = mount / path.lstrip("/")
            # A limit of any group above holds too. Inside a container the path may be that of the host.
            for folder in (group, *group.parents):
                if folder.is_relative_to(mount):
                    yield from _left_in_group(folder, *names)


def _left_in_group(group: Path, limit_name: str, usage_name: str, prefix: str) -> Iterator[int]:
    # No such file: no limit. "max" is no number: no limit either.
    with suppress(OSError, ValueError):
        limit = int((group / limit_name).read_text())
        used = int((group / usage_name).read_text())
        statistics = dict(line.split(" ", 1) for line in (group / "memory.stat").read_text().splitlines())
        # Files that were read or written are dropped from memory when it is needed.
        cached = sum(int(statistics.get(f"{prefix}{kind}_file", 0)) for kind in ("inactive", "active"))
        yield limit - used + cached


def _left_of_address_space() -> Iterator[int]:
    if sys.platform != "linux":
        return
    import resource

    import psutil

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY:
        yield limit - int(psutil.Process().memory_info().vms)
