"""Tiled prediction of one image: Segloop's engine beside MONAI's sliding window, same network, same weights.

Prints the time of each and how far its maps are from one pass over the whole image. MONAI blends windows that
overlap, so that its maps differ where they meet; Segloop's tiles read just the halo that the network sees.

Run it alone: ``python benchmarks/tiled_inference.py``; with ``--tiny`` it is done in seconds.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from monai.inferers import sliding_window_inference

from segloop.config.train import NetworkConfig
from segloop.inference.engine import Engine
from segloop.networks import build_network, plan_network
from segloop.networks.activation import activate
from segloop.targets import make_target


def main() -> None:
    """Compare both at a size fit to quote, or tiny."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="finish in seconds")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments = parser.parse_args()
    size, tile = (256, 128) if arguments.tiny else (4000, 1024)

    torch.manual_seed(0)
    target = make_target("instance")
    network = build_network(plan_network(NetworkConfig(), 2, 1, len(target.maps))).eval()
    image = np.random.default_rng(0).normal(size=(1, 1, size, size)).astype(np.float32)
    engine = Engine(network, target, arguments.device)
    reference = engine.run_whole(image)

    def segloop() -> np.ndarray:
        maps = np.empty_like(reference)
        pieces = engine.run(
            lambda where: image[(slice(None), *where)], image.shape[1:], tile_size=(tile, tile)
        )
        for where, piece in pieces:
            maps[(slice(None), *where)] = piece
        return maps

    on_device = network.to(arguments.device)
    batch = torch.from_numpy(image[:, 0][None])

    @torch.inference_mode()
    def monai() -> np.ndarray:
        logits = sliding_window_inference(
            batch,
            (tile, tile),
            1,
            on_device,
            overlap=0.25,
            mode="gaussian",
            sw_device=arguments.device,
            device="cpu",
        )
        assert isinstance(logits, torch.Tensor)
        return activate(logits, target.activation)[0].numpy()[:, None]

    print(f"{size} x {size} pixels, parts of {tile}, {arguments.device}, {torch.get_num_threads()} threads")
    print(f"{'':24s}{'seconds':>10s}{'largest error':>16s}")
    ours, seconds = measure(segloop)
    print(f"{'Segloop':24s}{seconds:10.2f}{np.abs(ours - reference).max():16.1e}")
    theirs, their_seconds = measure(monai)
    print(f"{'MONAI, overlap 0.25':24s}{their_seconds:10.2f}{np.abs(theirs - reference).max():16.1e}")
    print(f"MONAI takes {their_seconds / seconds:.2f} times as long as Segloop.")


def measure(run: Callable[[], np.ndarray]) -> tuple[np.ndarray, float]:
    """Return the result and the best time of three runs, in seconds."""
    times = []
    for _ in range(3):
        started = time.perf_counter()
        result = run()
        times.append(time.perf_counter() - started)
    return result, min(times)


if __name__ == "__main__":
    main()
