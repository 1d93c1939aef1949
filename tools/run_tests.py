"""Run the tests as ``tox`` does: first those that measure time, alone, then the others in two processes.

With arguments, they go to one ordinary ``pytest``. The exit status is that of the first part that failed.
"""

from __future__ import annotations

import os
import subprocess
import sys

PYTEST = (sys.executable, "-m", "pytest", "--durations=15")
PROCESSES = 2


def main(arguments: list[str]) -> int:
    """Run the tests; return the exit status."""
    if arguments:
        return subprocess.run([*PYTEST, *arguments]).returncode
    alone = subprocess.run([*PYTEST, "-m", "alone"]).returncode
    # A file's tests stay in one process, since they share what took long to make. Two computations with two
    # threads each would be slower on two cores. A crash ends the run: what it left disturbs other tests.
    together = ["-m", "not alone", "-n", str(PROCESSES), "--dist", "loadfile", "--no-loadscope-reorder"]
    together += ["--max-worker-restart", "0"]
    environment = {"OMP_NUM_THREADS": "1", **os.environ}
    others = subprocess.run([*PYTEST, *together], env=environment).returncode
    return alone or others


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
