"""Bring the system libraries that Qt, OpenGL and a screen without a monitor (Xvfb) need.

On Debian-like Linux as root, the missing packages are installed with apt; elsewhere on Linux they are only
named; macOS and Windows need none. The exit status is 1 only if no window could be opened afterwards: on
Linux with neither a display nor Xvfb.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

PACKAGES = (
    "libdbus-1-3",
    "libegl1",
    "libfontconfig1",
    "libgl1",
    "libgl1-mesa-dri",
    "libglib2.0-0",
    "libgssapi-krb5-2",
    "libxcb-cursor0",
    "libxcb-icccm4",
    "libxcb-image0",
    "libxcb-keysyms1",
    "libxcb-randr0",
    "libxcb-render-util0",
    "libxcb-shape0",
    "libxcb-xinerama0",
    "libxkbcommon-x11-0",
    "x11-utils",
    "xauth",
    "xvfb",
)


def missing_packages() -> list[str]:
    """Return those of `PACKAGES` that dpkg does not know as installed, or as provided by an installed one."""
    query = ["dpkg-query", "--show", "--showformat", "${db:Status-Status},${Package},${Provides}\n"]
    lines = subprocess.run(query, capture_output=True, text=True, check=True).stdout.splitlines()
    # Newer releases rename some packages (libglib2.0-0t64) and let them provide the old name.
    installed = [line.split(",")[1:] for line in lines if line.startswith("installed,")]
    names = {name.split()[0] for line in installed for name in line if name.strip()}
    return [package for package in PACKAGES if package not in names]


def install(packages: list[str]) -> bool:
    """Install ``packages`` with apt; return whether that worked."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    steps = (["apt-get", "update"], ["apt-get", "install", "--yes", "--no-install-recommends", *packages])
    return all(subprocess.run(step, env=environment).returncode == 0 for step in steps)


def has_screen() -> bool:
    """Return whether a window can be opened: on a display, or on one that Xvfb pretends to have."""
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or shutil.which("Xvfb"))


def main() -> int:
    """Check, install or name what is missing; return the exit status."""
    if not sys.platform.startswith("linux"):
        print("System libraries: nothing to do on this system.")
        return 0
    debian = shutil.which("dpkg-query") is not None and shutil.which("apt-get") is not None
    missing = missing_packages() if debian else []
    if missing and os.geteuid() == 0:
        print(f"System libraries: installing {' '.join(missing)}", flush=True)
        if not install(missing):
            print("System libraries: apt could not install them; see its message above.")
    elif missing:
        print(f"System libraries: please run  sudo apt-get install {' '.join(missing)}")
    elif not debian:
        print(f"System libraries: make sure that your Linux has what Debian calls {' '.join(PACKAGES)}")
    if has_screen():
        return 0
    print("There is neither a display nor Xvfb, so no window can be opened: install the package xvfb.")
    return 1


if __name__ == "__main__":
    sys.exit(main())
