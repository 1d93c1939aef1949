"""How long a brush stroke takes that is stored in a curated dataset, beside the same stroke in bare napari.

Both paint into labels of the same size in one viewer, in turns; ours also writes the stroke to disk so that
it survives a power cut and can be undone. Run it alone: ``python benchmarks/label_strokes.py``; with
``--tiny`` it is done in seconds.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from common.label_layers import open_side_by_side

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.images.pairing import Pair
from segloop.images.write import write_image

MOST_TIMES = 1.2
"""How much longer a stroke may take than in bare napari."""

DABS = 12


def make(folder: Path, shape: tuple[int, int, int]) -> CuratedDataset:
    """Make a dataset of one image of this size, with a grid of square objects."""
    labels = np.zeros(shape, np.uint16)
    number = 0
    for y in range(10, shape[1] - 30, 64):
        for x in range(10, shape[2] - 30, 64):
            number += 1
            labels[:, y : y + 30, x : x + 30] = number
    data, axes = (labels, "ZYX") if shape[0] > 1 else (labels[0], "YX")
    raw = write_image(folder / "raw" / "a.tif", data, axes=axes)
    seg = write_image(folder / "seg" / "a.tif", data, axes=axes)
    return CuratedDataset.create(folder / "dataset", [Pair("a", raw, seg)], label_kind="instances")


def stroke(layer: Any, at: int, application: Any) -> float:
    """Paint a stroke as the mouse does, dab by dab; return how long it took, in milliseconds."""
    height, width = layer.data.shape[-2:]
    z = (layer.data.shape[0] // 2,) if layer.data.ndim == 3 else ()
    y, x = 40 + (at * 37) % (height - 120), 40 + (at * 53) % (width - 240)
    started = time.perf_counter()
    with layer.block_history():
        for dab in range(DABS):
            layer.paint((*z, y + dab * 2, x + dab * 6), layer.selected_label)
            application.processEvents()
    application.processEvents()
    return 1000 * (time.perf_counter() - started)


def measure(shape: tuple[int, int, int], n_strokes: int) -> tuple[float, float, float, float]:
    """Return the median of a stroke in bare napari and of a stored one, their ratio, and MB on disk."""
    with tempfile.TemporaryDirectory() as folder:
        dataset = make(Path(folder), shape)
        layers = open_side_by_side(dataset)
        times: dict[str, list[float]] = {"bare": [], "stored": []}
        for at in range(n_strokes + 2):
            for name, layer in (("bare", layers.bare), ("stored", layers.ours)):
                layers.show(layer)
                times[name].append(stroke(layer, at, layers.application))
        stored = sum(file.stat().st_size for file in (dataset.path / "labels").rglob("*") if file.is_file())
        labels = layers.editor.labels
        assert labels is not None
        assert np.array_equal(dataset.labels(dataset.sample("a")), labels)
        layers.viewer.close()
    medians = [statistics.median(values[2:]) for values in times.values()]
    return medians[0], medians[1], medians[1] / medians[0], stored / 1e6


def main() -> int:
    """Print the table; exit with 1 if storing a stroke takes too long."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="small images and few strokes")
    tiny = parser.parse_args().tiny
    shapes = [(1, 256, 512), (4, 256, 256)] if tiny else [(1, 2048, 2048), (1, 8192, 8192), (64, 1024, 1024)]
    print(f"{'size':>18}{'bare napari':>14}{'stored':>10}{'ratio':>8}{'on disk':>10}")
    ratios = []
    for shape in shapes:
        bare, stored, ratio, size = measure(shape, 5 if tiny else 40)
        name = " x ".join(str(side) for side in shape if side > 1)
        print(f"{name:>18}{bare:>11.1f} ms{stored:>7.1f} ms{ratio:>8.2f}{size:>7.2f} MB")
        ratios.append(ratio)
    print(f"The limit is {MOST_TIMES} times bare napari.")
    return int(not tiny and max(ratios) > MOST_TIMES)


if __name__ == "__main__":
    raise SystemExit(main())
