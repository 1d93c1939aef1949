"""How long Segloop takes to be there: the import, the command line, and each dock in a running napari.

The peers are bare Python, and napari alone. Run it alone: ``python benchmarks/startup.py``; with ``--tiny``
each figure is taken once. The docks are left out where napari is not installed or there is no screen.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec

DOCKS = ("Curation", "Training", "Prediction")

_OPEN_DOCKS = """
import sys, time
import napari
from qtpy.QtWidgets import QApplication

started = time.perf_counter()
viewer = napari.Viewer()
QApplication.processEvents()
print("napari window", time.perf_counter() - started)
for name in sys.argv[1:]:
    started = time.perf_counter()
    _, dock = viewer.window.add_plugin_dock_widget("napari-segloop", name)
    dock.repaint()
    QApplication.processEvents()
    print(name, "dock", time.perf_counter() - started)
viewer.close()
"""


def seconds(*command: str) -> float:
    """Return how long a process takes from its start to its end."""
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def dock_seconds(folder: str, docks: tuple[str, ...]) -> dict[str, float]:
    """Return how long napari's window and then each dock take to be shown, in an empty workspace."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _OPEN_DOCKS, *docks],
        env={**os.environ, "SEGLOOP_HOME": folder},
        check=True,
        capture_output=True,
        text=True,
    )
    rows = (line.rsplit(" ", 1) for line in done.stdout.splitlines() if " " in line)
    return {name: float(value) for name, value in rows if name.endswith((" dock", " window"))}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tiny", action="store_true", help="take each figure once")
    repeats = 1 if parser.parse_args().tiny else 7

    def best(*command: str) -> tuple[float, float]:
        taken = [seconds(*command) for _ in range(repeats)]
        return min(taken), statistics.median(taken)

    bare = best(sys.executable, "-c", "pass")
    rows = [
        ("python, bare", bare, None),
        ("import segloop", best(sys.executable, "-c", "import segloop"), 0.3),
        ("segloop --help", best(sys.executable, "-m", "segloop", "--help"), 0.5),
    ]
    print(f"{'what':24s} {'best':>8s} {'median':>8s} {'to bare':>8s} {'promise':>9s}   (seconds)")
    for name, (low, median), promise in rows:
        told = "" if promise is None else f"< {promise}"
        print(f"{name:24s} {low:8.3f} {median:8.3f} {low / bare[0]:8.1f} {told:>9s}")

    if find_spec("napari") is None or (sys.platform == "linux" and not os.environ.get("DISPLAY")):
        print("Docks: left out, as there is no napari or no screen (xvfb-run gives one).")
        return
    with tempfile.TemporaryDirectory() as folder:
        for name in DOCKS:
            # Each dock is the first one in a process of its own, so that it pays for all it imports.
            taken = [dock_seconds(folder, (name,)) for _ in range(repeats)]
            window = statistics.median(run["napari window"] for run in taken)
            own = [run[f"{name} dock"] for run in taken]
            print(
                f"{name + ' dock':24s} {min(own):8.3f} {statistics.median(own):8.3f} {'':8s} {'< 1.5':>9s}"
                f"   {statistics.median(own) / window:.2f} of napari's own window"
            )


if __name__ == "__main__":
    main()
