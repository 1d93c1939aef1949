"""Nuclei of an embryo in 3D: each half found by a model that has seen only the other half.

The volume ``nuclei3d_embryo`` is cut in the middle of X. A model is trained on each half, with the default
settings but a number of steps, and predicts the other one. Counted are the nuclei that lie wholly in a half
and are found with an IoU of at least 0.5. The peer is smoothed Otsu thresholding with connected components.

Needs the larger test data: the environment variable ``SEGLOOP_TEST_DATA`` names their folder. Run it alone:
``python benchmarks/embryo_halves.py``; with ``--tiny`` it is done in seconds, and finds little.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import segloop
from segloop.evaluation.baseline import otsu_labels

STEPS = 1000


def main() -> None:
    """Train on each half and score on the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="finish in seconds")
    parser.add_argument("--steps", type=int, default=STEPS, help="training steps for each half")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    steps = 3 if arguments.tiny else arguments.steps
    data = os.environ.get("SEGLOOP_TEST_DATA")
    if not data:
        print("Left out: set SEGLOOP_TEST_DATA to the folder of the larger test data.")
        return
    folder = Path(data) / "nuclei3d_embryo" / "train"
    image = segloop.open_image(folder / "raw" / "08_cell_stage.tif")
    raw = np.asarray(image.data[0, 0])
    truth = np.asarray(segloop.open_image(folder / "seg" / "08_cell_stage.tif").data[0, 0])
    middle = raw.shape[2] // 2
    halves = {"left": slice(None, middle), "right": slice(middle, None)}

    print(f"{'half':8s}{'nuclei':>8s}{'Segloop':>10s}{'Otsu':>8s}{'lowest IoU':>12s}{'training':>12s}")
    with tempfile.TemporaryDirectory() as work:
        for name, other in (("left", "right"), ("right", "left")):
            seen, half = halves[other], halves[name]
            for kind, pixels in (("raw", raw), ("seg", truth)):
                segloop.write_image(
                    Path(work) / name / kind / f"{other}.tif",
                    pixels[..., seen],
                    axes="ZYX",
                    pixel_size_um=image.pixel_size_um,
                )
            started = time.perf_counter()
            run = segloop.train(
                Path(work) / name / "raw",
                labels=Path(work) / name / "seg",
                out=Path(work) / name / "run",
                overrides=[f"stop.max_steps={steps}", "stop.max_minutes=120", f"seed={arguments.seed}"],
            )
            seconds = time.perf_counter() - started
            found = run.model().predict(raw[..., half], axes="ZYX")["labels"]
            ious = best_ious(found, truth, half)
            peer = best_ious(otsu_labels(raw[..., half]), truth, half)
            print(
                f"{name:8s}{len(ious):8d}{(ious >= 0.5).sum():10d}{(peer >= 0.5).sum():8d}"
                f"{ious.min():12.2f}{seconds:10.0f} s"
            )


def best_ious(found: NDArray[np.integer], truth: NDArray[np.integer], half: slice) -> NDArray[np.floating]:
    """Return the best IoU of each true object that lies wholly in a half of X.

    Parameters
    ----------
    found : (Z, Y, X) array
        Objects predicted in the half.
    truth : (Z, Y, X) array
        True objects of the whole volume.
    half : slice
        The half, along X.
    """
    here = truth[..., half]
    numbers = np.unique(here[here > 0])
    ious = []
    for number in numbers:
        object_ = here == number
        if object_.sum() < (truth == number).sum():
            continue  # cut in two
        touching = [each for each in np.unique(found[object_]) if each]
        shared = [(object_ & (found == each)).sum() / (object_ | (found == each)).sum() for each in touching]
        ious.append(max(shared, default=0.0))
    return np.array(ious)


if __name__ == "__main__":
    main()
