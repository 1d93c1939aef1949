"""How long a review takes to open and to step from sample to sample, and what memory it takes.

The dataset refers to the bundled images again and again. The peer reads the same files with tifffile, and
keeps nothing. Run it alone: ``python benchmarks/review_steps.py``; with ``--tiny`` it is done in seconds.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psutil
import tifffile
from common.datasets import sample_dataset

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.curation.pixel_cache import PixelCache
from segloop.curation.session import ReviewSession
from segloop.curation.snapshot import load_snapshot

CACHE_BYTES = 50 * 2**20
"""Less than the docks keep, so that memory would be seen to grow within a thousand small images."""

MOST_GROWTH = 1.2
"""How much more memory the process may have after all steps than after the first tenth of them."""


def seconds(action: Callable[[], object]) -> float:
    """Return how long an action takes."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def megabytes() -> float:
    """Return the memory of this process."""
    return float(psutil.Process().memory_info().rss) / 2**20


def measure(n_samples: int, folder: Path) -> tuple[list[float], float]:
    """Return a row of the table, and how many times as much memory there is after all steps."""
    dataset = sample_dataset(folder, n_samples)
    opened = seconds(lambda: ReviewSession(CuratedDataset.open(folder)))
    session = ReviewSession(CuratedDataset.open(folder))
    cache = PixelCache(CACHE_BYTES)
    ours, bare = [], []
    early = 0.0
    for number in range(n_samples):
        sample = session.current
        paths = [dataset.resolve(sample.raw), dataset.label_file(sample, sample.base).path]
        bare.append(seconds(partial(list, map(tifffile.imread, paths))))
        ours.append(seconds(partial(load_snapshot, dataset, sample, cache)))
        session.next()
        if number == n_samples // 10:
            early = megabytes()
    late = megabytes()
    middle, middle_bare = statistics.median(ours), statistics.median(bare)
    row = [1000 * opened, 1000 * middle, 1000 * max(ours), middle / middle_bare, early, late]
    return row, late / early


def main() -> int:
    """Print the table; exit with 1 if memory grows with the samples that were looked at."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="10 and 50 samples instead of 100 and 1,000")
    tiny = parser.parse_args().tiny
    titles = ("open ms", "step ms", "longest", "/ tifffile", "MB early", "MB late")
    print(f"{'samples':>8}" + "".join(f"{title:>12}" for title in titles))
    growth = 0.0
    for n_samples in (10, 50) if tiny else (100, 1000):
        with tempfile.TemporaryDirectory() as folder:
            row, growth = measure(n_samples, Path(folder) / "dataset")
        print(f"{n_samples:>8}" + "".join(f"{value:>12.1f}" for value in row))
    print(
        f"Memory after all steps: {growth:.2f} times that after the first tenth; the limit is {MOST_GROWTH}."
    )
    return int(growth > MOST_GROWTH and not tiny)


if __name__ == "__main__":
    raise SystemExit(main())
