"""What it costs to wait until the disk has stored an edit, a checkpoint and a prediction.

Each is done with and without waiting (``fsync``), in turn, in one run. Run it alone:
``python benchmarks/durability.py``; with ``--tiny`` it is done in seconds.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from common.datasets import sample_dataset

from segloop.artifacts.dataset.manifest import Verdict
from segloop.core.atomic import atomic_path
from segloop.images.write import write_image

CHECKPOINT_VALUES = 1_500_000  # about those of the small network, with the optimiser's
SIDE = 1024


@contextmanager
def without_waiting() -> Iterator[None]:
    """Let the operating system store files when it likes."""
    with patch("os.fsync", lambda _: None):
        yield


def compare(action: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Return the median milliseconds with and without waiting for the disk."""
    waiting, free = [], []
    for _ in range(repeats):
        started = time.perf_counter()
        action()
        waiting.append(time.perf_counter() - started)
        with without_waiting():
            started = time.perf_counter()
            action()
            free.append(time.perf_counter() - started)
    return 1000 * statistics.median(waiting), 1000 * statistics.median(free)


def edits(folder: Path) -> Callable[[], object]:
    """Return an edit of a dataset: a verdict."""
    dataset = sample_dataset(folder / "dataset", 10)
    verdicts = (Verdict.accepted, Verdict.rejected)
    count = iter(range(10**9))

    def edit() -> None:
        verdict = verdicts[next(count) % 2]
        dataset.edit(dataset.sample_ids[0], lambda now: now.edit(verdict=verdict), "verdict")

    return edit


def checkpoints(folder: Path) -> Callable[[], object]:
    """Return the saving of a checkpoint as a training does it."""
    state = {"weights": torch.zeros(CHECKPOINT_VALUES)}

    def save() -> None:
        with atomic_path(folder / "last.ckpt") as partial:
            torch.save(state, partial)

    return save


def predictions(folder: Path) -> Callable[[], object]:
    """Return the writing of labels, as a prediction does it."""
    labels = np.random.default_rng(0).integers(0, 500, (SIDE, SIDE), np.uint16)

    def write() -> None:
        (folder / "a.tif").unlink(missing_ok=True)
        write_image(folder / "a.tif", labels, axes="YX")

    return write


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="5 repeats instead of 100")
    repeats = 5 if parser.parse_args().tiny else 100
    print(f"{'what':<16}{'durable, ms':>12}{'else, ms':>12}{'ratio':>8}")
    for what, prepare in (("edit", edits), ("checkpoint", checkpoints), ("labels, 1024²", predictions)):
        with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
            durable, free = compare(prepare(Path(folder)), repeats)
        print(f"{what:<16}{durable:>12.2f}{free:>12.2f}{durable / free:>8.1f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
