"""Run every benchmark in ``benchmarks/``, one after the other; arguments such as ``--tiny`` go to each.

A benchmark is a script that runs alone and prints a table. Where there is no screen, Xvfb pretends to be one.
The exit status is 1 if any of them failed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


def main() -> int:
    """Run them all; return the exit status."""
    without_screen = sys.platform.startswith("linux") and not os.environ.get("DISPLAY")
    screen = ["xvfb-run", "--auto-servernum"] if without_screen and shutil.which("xvfb-run") else []
    failed = []
    for script in sorted(BENCHMARKS.glob("*.py")):
        print(f"== {script.name} {' '.join(sys.argv[1:])}", flush=True)
        started = time.monotonic()
        if subprocess.run([*screen, sys.executable, str(script), *sys.argv[1:]]).returncode != 0:
            failed.append(script.name)
        print(f"   {time.monotonic() - started:.1f} s\n", flush=True)
    if failed:
        print(f"Failed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
