"""Does one of `saved_results.CHANGES` in processes that are killed at random moments.

Run as a script with: the folder before the change, the folder for the outcomes (one per kill, named by its
seed), the name of the change, and the number of kills. torch is loaded once, then the process forks.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

from saved_results import CHANGES, MODEL, MODELS, copied
from segloop.config.device import DeviceConfig, DeviceKind


def forked(act: Callable[[Path], object], folder: Path, kill_after_s: float | None = None) -> float:
    """Do something in a forked process, and kill that after a while; return the seconds it took."""
    begun = time.perf_counter()
    pid = os.fork()
    if pid == 0:
        try:
            act(folder)
        finally:
            os._exit(0)
    if kill_after_s is not None:
        time.sleep(kill_after_s)
        os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return time.perf_counter() - begun


def main(before: Path, outcomes: Path, name: str, n_kills: int) -> None:
    """Kill the change so many times, each time in a new copy of ``before``."""
    (change,) = (each for each in CHANGES if each.name == name)
    torch.set_num_threads(1)  # threads of a computation don't survive a fork
    MODELS.get(str(before / MODEL), DeviceConfig(kind=DeviceKind.cpu))
    whole = min(forked(change.act, copied(before, outcomes / f"whole{number}")) for number in range(2))
    for seed in range(n_kills):
        moment = random.Random(f"{name} {seed}").uniform(0, 1.1 * whole)
        forked(change.act, copied(before, outcomes / str(seed)), moment)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
