"""Targets for separate objects, compared: same data, network, patches and number of steps, several seeds.

The built-in target ``instance`` (foreground and distance to the edge) against foreground and boundary,
foreground and a field of directions to the centre, and star-convex polygons, which are in ``other_targets``.
Each is trained on ``dsb2018_fluo/train``, calibrated on a part of it, and scored on ``dsb2018_fluo/val``.

Needs the larger test data: the environment variable ``SEGLOOP_TEST_DATA`` names their folder; without it, and
with ``--tiny``, the bundled sample images are used. Run it alone: ``python benchmarks/targets.py``.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from other_targets.boundary import BoundaryTarget
from other_targets.flow import FlowTarget
from other_targets.losses import flow, rays
from other_targets.star import StarTarget

import segloop
from segloop.app.sample import sample_folder
from segloop.targets import TARGETS
from segloop.training.losses import LOSSES

NAMES = ("instance", "boundary", "flow", "star")
THRESHOLDS = ("0.50", "0.70", "0.90")


def main() -> None:
    """Train, predict, score, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="finish in seconds")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, help="keep runs and scores here, and skip those that are there")
    arguments = parser.parse_args()
    register()
    data = os.environ.get("SEGLOOP_TEST_DATA")
    if arguments.tiny or not data:
        train, val = sample_folder(), sample_folder()
    else:
        train, val = (Path(data) / "dsb2018_fluo" / split for split in ("train", "val"))
    steps, seeds = (3, 1) if arguments.tiny else (arguments.steps, arguments.seeds)
    with tempfile.TemporaryDirectory() as temporary:
        work = arguments.out or Path(temporary)
        if not (work / "dataset").exists():
            pairing = segloop.pair_by_stem(train / "raw", train / "seg")
            segloop.CuratedDataset.create(work / "dataset", pairing.pairs, val=0.1, seed=0, accept_all=True)
        rows: dict[str, list[dict[str, Any]]] = {}
        for seed in range(seeds):
            for name in NAMES:
                folder = work / f"{name}-{seed}"
                result = folder / "result.json"
                if not result.exists():
                    result.parent.mkdir(parents=True, exist_ok=True)
                    result.write_text(json.dumps(measure(name, seed, steps, work / "dataset", val, folder)))
                rows.setdefault(name, []).append(json.loads(result.read_text()))
                if not arguments.tiny:
                    print(name, seed, rows[name][-1], flush=True)
    print(f"{steps} steps, {seeds} seeds: mean and standard deviation")
    print(
        f"{'target':10s}"
        + "".join(f"{'AP ' + each:>16s}" for each in (*THRESHOLDS, ".50-.90"))
        + "   training"
    )
    for name, results in rows.items():
        cells = [f"{np.mean(column):9.3f} ± {np.std(column):.3f}" for column in columns(results)]
        print(f"{name:10s}{''.join(cells)}{np.mean([each['seconds'] for each in results]):8.0f} s")


def register() -> None:
    """Make the compared targets and their losses known by name."""
    for name, target in {"boundary": BoundaryTarget, "flow": FlowTarget, "star": StarTarget}.items():
        TARGETS.register(name, target)
    for loss in (flow, rays):
        LOSSES.register(loss.__name__, loss)


def measure(name: str, seed: int, steps: int, dataset: Path, val: Path, folder: Path) -> dict[str, Any]:
    """Train a target with a seed and score it."""
    started = time.perf_counter()
    settings = [
        f"target={name}",
        f"seed={seed}",
        f"stop.max_steps={steps}",
        "stop.max_minutes=600",
        "stop.patience=0",
        "network.features=16",
        "patch.size=[192,192]",
        "patch.batch_size=4",
    ]
    try:
        run = segloop.train(dataset, out=folder / "run", overrides=settings)
    except segloop.RunError as error:  # after a few steps it finds nothing
        print(error)
        return {"ap": dict.fromkeys(THRESHOLDS, 0.0), "mean": 0.0, "seconds": time.perf_counter() - started}
    seconds = time.perf_counter() - started
    model = run.model()
    for path in sorted((val / "raw").iterdir())[: 2 if steps < 10 else None]:
        labels = model.predict(path)["labels"]
        segloop.write_image(folder / "labels" / f"{path.stem}.tif", labels, axes="YX")
    scores = segloop.evaluate(
        folder / "labels", val / "seg", out=folder / "scores", only_predicted=True
    ).metrics["instance"]
    return {
        "ap": {each: scores["ap"][each] for each in THRESHOLDS},
        "mean": scores["mean_ap_50_90"],
        "seconds": seconds,
    }


def columns(results: list[dict[str, Any]]) -> list[list[float]]:
    """Return the scores of all seeds, column by column."""
    return [
        *([each["ap"][threshold] for each in results] for threshold in THRESHOLDS),
        [each["mean"] for each in results],
    ]


if __name__ == "__main__":
    main()
