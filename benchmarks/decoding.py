"""Decoding of 10,000 nuclei in 4096 x 4096 pixels: its share of a prediction, and beside scikit-image.

The bundled model computes the maps of an image of drawn nuclei; then its target turns them into objects. The
peer is the same with scikit-image alone: seeds by ``h_maxima``, then ``watershed``.

Run it alone: ``python benchmarks/decoding.py``; with ``--tiny`` it is done in seconds.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from skimage.measure import label
from skimage.morphology import h_maxima
from skimage.segmentation import watershed

from segloop import Model
from segloop.artifacts.model.bundled import bundled_folder
from segloop.inference.engine import Engine
from segloop.targets import quantise


def main() -> None:
    """Measure at a size fit to quote, or tiny."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="finish in seconds")
    side = 512 if parser.parse_args().tiny else 4096
    image, drawn = nuclei(side)
    model = Model.load(bundled_folder() / "nuclei-2d")
    target, parameters = model.target(), model.parameters
    engine = Engine(model.network(), target, "cpu")

    print(f"{side} x {side} pixels, {drawn} nuclei, {torch.get_num_threads()} threads")
    maps, network_seconds = measure(
        lambda: quantise(engine.maps(lambda at: image[(slice(None), *at)], image.shape[1:]))
    )
    decoded, seconds = measure(lambda: target.decode(maps, parameters))
    found = int(decoded.labels.max())
    print(f"{'network':24s}{network_seconds:10.2f} s")
    print(f"{'decoding':24s}{seconds:10.2f} s{found:10d} objects")
    print(f"Decoding takes {100 * seconds / (seconds + network_seconds):.0f} % of both.")
    objects, peer_seconds = measure(lambda: by_scikit_image(maps, parameters))
    print(f"{'scikit-image':24s}{peer_seconds:10.2f} s{objects.max():10d} objects")
    print(f"scikit-image takes {peer_seconds / seconds:.2f} times as long as Segloop.")


def nuclei(side: int) -> tuple[np.ndarray, int]:
    """Return an image (1, 1, Y, X) of touching bright ellipses on a jittered grid, and their number."""
    rng = np.random.default_rng(0)
    image = np.zeros((side, side), np.float32)
    pitch = 41
    places = [(y, x) for y in range(20, side - 20, pitch) for x in range(20, side - 20, pitch)]
    dy, dx = np.mgrid[-20:21, -20:21]
    for y, x in places:
        angle, long, short = rng.uniform(0, np.pi), rng.uniform(12, 19), rng.uniform(9, 12)
        along = (dx * np.cos(angle) + dy * np.sin(angle)) / long
        across = (dy * np.cos(angle) - dx * np.sin(angle)) / short
        drawn = rng.uniform(0.5, 1) * (along**2 + across**2 < 1)
        part = image[y - 20 : y + 21, x - 20 : x + 21]
        part[:] = np.maximum(part, drawn[: part.shape[0], : part.shape[1]])
    noisy = gaussian_filter(image, 1.2) + rng.normal(0, 0.03, image.shape)
    return noisy.astype(np.float32)[None, None], len(places)


def by_scikit_image(maps: np.ndarray, parameters: Any) -> np.ndarray:
    """Return the objects (Y, X) of maps (2, 1, Y, X) uint8."""
    mask = maps[0, 0] >= 255 * parameters.foreground
    height = gaussian_filter(maps[1, 0].astype(np.float32) / 255, 1)
    seeds = label(h_maxima(np.where(mask, height, 0), parameters.splitting))
    return np.asarray(watershed(-height, seeds, np.ones((3, 3)), mask=mask))


def measure(run: Callable[[], Any]) -> tuple[Any, float]:
    """Return the result and the better time of two runs, in seconds."""
    times = []
    for _ in range(2):
        started = time.perf_counter()
        result = run()
        times.append(time.perf_counter() - started)
    return result, min(times)


if __name__ == "__main__":
    main()
