"""How long an edit of a curated dataset takes, at 10 and at 10,000 samples.

Run it alone: ``python benchmarks/dataset_edit.py``; with ``--tiny`` it is done in seconds.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from common.datasets import sample_dataset

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.manifest import Region, Verdict

MOST_TIMES = 5.0
"""How much longer an edit may take in the larger dataset than in the smaller one."""


def milliseconds(action: Callable[[], object], repeats: int = 1) -> tuple[float, float]:
    """Return median and longest duration of an action."""
    durations = []
    for _ in range(repeats):
        started = time.perf_counter()
        action()
        durations.append(1000 * (time.perf_counter() - started))
    return statistics.median(durations), max(durations)


def measure(n_samples: int, n_edits: int, folder: Path) -> list[tuple[str, float, float]]:
    """Return a row (what, median ms, longest ms) for each thing one does to a dataset."""
    dataset = sample_dataset(folder, n_samples)
    outline = tuple((20.0 + y % 17, y / 2) for y in range(200))
    region = Region(id="r", kind="exclude", shape="path", vertices=outline)
    edits = iter(range(n_edits))

    def edit() -> None:
        number = next(edits)
        sample = dataset.sample(dataset.sample_ids[number * 7 % n_samples])
        verdict = Verdict.accepted if number % 2 else Verdict.rejected
        dataset.save(sample.edit(verdict=verdict, regions=[region], note=str(number)), "edit")

    def list_verdicts() -> None:
        CuratedDataset.open(folder).counts()

    listed = milliseconds(list_verdicts, 3)
    edited = milliseconds(edit, n_edits)
    dataset.counts()
    return [
        ("open and list all verdicts", *listed),
        ("edit", *edited),
        ("count again after an edit", *milliseconds(dataset.counts, 20)),
        ("undo", *milliseconds(dataset.undo, n_edits // 2)),
    ]


def many_regions(folder: Path) -> tuple[float, float, float]:
    """Draw 200 regions of 200 corners; return ms of the first and the last five, and MB of journal."""
    dataset = sample_dataset(folder, 3)
    durations = []
    for number in range(200):
        corners = tuple((round(number + y % 17 / 7, 3), round(y / 3, 3)) for y in range(200))
        region = Region(id=f"r{number}", kind="exclude", shape="path", vertices=corners)

        def draw(added: Region = region) -> None:
            dataset.edit(dataset.sample_ids[0], lambda now: now.edit(regions=[*now.regions, added]), "draw")

        durations.append(milliseconds(draw)[0])
    size = (folder / "journal.jsonl").stat().st_size / 1e6
    return statistics.median(durations[:5]), statistics.median(durations[-5:]), size


def main() -> int:
    """Print the table; exit with 1 if an edit takes much longer in a larger dataset."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="10 and 100 samples instead of 10 and 10,000")
    tiny = parser.parse_args().tiny
    edits = []
    print(f"{'samples':>8}  {'action':<28}{'median ms':>10}{'longest ms':>12}")
    for n_samples in (10, 100) if tiny else (10, 10_000):
        with tempfile.TemporaryDirectory() as folder:
            for what, median, longest in measure(n_samples, 20 if tiny else 300, Path(folder) / "dataset"):
                print(f"{n_samples:>8}  {what:<28}{median:>10.2f}{longest:>12.2f}")
                edits += [median] if what == "edit" else []
    with tempfile.TemporaryDirectory() as folder:
        first, last, size = many_regions(Path(folder) / "dataset")
    print(
        f"200 regions of 200 corners on one sample: {first:.2f} ms for the first, {last:.2f} ms for the last"
    )
    print(f"({last / first:.1f} times as long); the journal holds {size:.2f} MB.")
    times = edits[1] / edits[0]
    print(
        f"An edit takes {times:.1f} times as long in the larger dataset; the limit is {MOST_TIMES:.0f} times."
    )
    return int(times > MOST_TIMES)


if __name__ == "__main__":
    raise SystemExit(main())
