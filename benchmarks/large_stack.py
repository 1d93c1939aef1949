"""Stepping through one stack that is too large for memory, beside bare napari with lazy arrays.

A stack of 8 GB and its labels, as the Curation dock shows them (image, ground truth, exclusions, the outlines
of the segmentation), and as two lazy layers of bare napari. Run it alone:
``python benchmarks/large_stack.py``; with ``--tiny`` it is done in seconds.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import tifffile
from dask.array import Array
from skimage.data import binary_blobs
from skimage.measure import label

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.manifest import Region
from segloop.curation import pixels
from segloop.curation.pixel_cache import PixelCache
from segloop.curation.snapshot import load_snapshot
from segloop.images.pairing import Pair
from segloop.images.read import open_image

MOST_GROWTH = 1.1
"""How much memory may grow from the tenth step to the last."""


def make(folder: Path, shape: tuple[int, int, int]) -> CuratedDataset:
    """Write a stack and its labels, and make a dataset of them with an excluded region."""
    plane = binary_blobs(shape[2], 0.1, volume_fraction=0.3, rng=0)[: shape[1]]
    labels = label(plane).astype(np.uint16)
    image = (plane * 500).astype(np.uint16)
    for name, array in (("raw", image), ("seg", labels)):
        with tifffile.TiffWriter(folder / f"{name}.ome.tif", bigtiff=True) as file:
            file.write(
                (np.roll(array, z, axis=1) for z in range(shape[0])),
                shape=shape,
                dtype=array.dtype,
                metadata={"axes": "ZYX"},
            )
    pair = Pair("a", folder / "raw.ome.tif", folder / "seg.ome.tif")
    dataset = CuratedDataset.create(folder / "dataset", [pair], label_kind="instances")
    corners = tuple((y * shape[1] / 4, x * shape[2] / 4) for y, x in ((1, 1), (1, 3), (3, 3), (3, 1)))
    region = Region(id="a", kind="exclude", shape="polygon", vertices=corners)
    dataset.edit("a", lambda sample: sample.edit(regions=(region,)), "draw")
    return dataset


def step_through(viewer: Any, application: Any, slices: range) -> tuple[list[float], list[float]]:
    """Show one slice after another; returns milliseconds and megabytes in use after each."""
    times, memory = [], []
    for z in slices:
        started = time.perf_counter()
        viewer.dims.set_current_step(0, z)
        application.processEvents()
        times.append(1000 * (time.perf_counter() - started))
        memory.append(megabytes())
    return times, memory


def megabytes() -> float:
    """Return the memory of this process."""
    return float(psutil.Process().memory_info().rss) / 1e6


def timed(action: Callable[[], object]) -> float:
    """Return the seconds that an action takes."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def lazy(path: Path) -> Array:
    """Return a stack as a lazy array."""
    data: Array = open_image(path).data[0, 0]
    return data


def main() -> int:
    """Print the table; exit with 1 if memory grows with the slices that were looked at."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="a stack of 40 x 128 x 128 pixels")
    tiny = parser.parse_args().tiny
    shape = (40, 128, 128) if tiny else (1000, 2048, 2048)
    if tiny:
        pixels.LAZY_FROM = 0
    import napari
    from qtpy.QtWidgets import QApplication

    from segloop.ui.curation.layers import SampleLayers

    with tempfile.TemporaryDirectory() as folder:
        before = megabytes()
        made: list[CuratedDataset] = []
        seconds = timed(lambda: made.append(make(Path(folder), shape)))
        dataset = made[0]
        print(f"{shape} pixels, {2 * np.prod(shape) / 1e9:.1f} GB and labels of the same size")
        print(f"written and made a dataset in {seconds:.0f} s, {megabytes() - before:.0f} MB more in use")
        viewer = napari.Viewer(show=True)
        application = QApplication.instance()
        before = megabytes()

        def show() -> None:
            snapshot = load_snapshot(dataset, dataset.sample("a"), PixelCache())
            SampleLayers(viewer, lambda layer: None).show(snapshot)
            application.processEvents()

        print(f"shown in {timed(show):.2f} s, {megabytes() - before:.0f} MB more in use")
        slices = range(0, shape[0], max(1, shape[0] // 40))
        ours, memory = step_through(viewer, application, slices)
        for layer in viewer.layers:
            layer.visible = False
        viewer.add_image(lazy(Path(folder) / "raw.ome.tif"), contrast_limits=(0, 500))
        viewer.add_labels(lazy(Path(folder) / "seg.ome.tif"))
        bare, _ = step_through(viewer, application, slices)
        viewer.close()
    ratio = statistics.median(ours) / statistics.median(bare)
    growth = memory[-1] / memory[9]
    print(f"a step: {statistics.median(ours):.0f} ms (longest {max(ours):.0f})")
    print(f"with two layers of bare napari: {statistics.median(bare):.0f} ms; ratio {ratio:.1f}")
    print(f"memory after the last of {len(ours)} steps: {growth:.2f} times that after the tenth")
    return int(growth > MOST_GROWTH and not tiny)


if __name__ == "__main__":
    raise SystemExit(main())
