"""With how many threads and in which number format the steps of a training are computed."""

from __future__ import annotations

import os
from typing import Literal, NamedTuple

import psutil
import torch

from segloop.config.device import Precision
from segloop.inference.device import ResolvedDevice


class StepPrecision(NamedTuple):
    """Number format of the training steps, as Lightning calls it, and why; empty where the device says it."""

    name: Literal["32-true", "16-mixed", "bf16-mixed"]
    note: str


def sensible_threads() -> int:
    """Return how many threads torch should compute with: the real cores this process may use."""
    if "OMP_NUM_THREADS" in os.environ:
        return torch.get_num_threads()
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(allowed, psutil.cpu_count(logical=False) or allowed))


def step_precision(device: ResolvedDevice, wanted: Precision, dims: int) -> StepPrecision:
    """Choose the number format of the training steps; weights are always kept in 32 bit.

    On a CPU, bfloat16 halves the time of a step where the processor has instructions for it, and costs time
    where it does not. Volumes are an exception: the weight gradient of torch 2.13's bfloat16 convolution in
    3D reads memory that was never written, and may return anything (small inputs crash the process).

    Parameters
    ----------
    device : ResolvedDevice
        Where the steps are computed.
    wanted : Precision
        What the config asks for.
    dims : {2, 3}
        Spatial dimensions of the network.
    """
    if device.device == "cuda" and device.mixed:
        bfloat = torch.cuda.get_device_capability()[0] >= 8
        return StepPrecision("bf16-mixed" if bfloat else "16-mixed", "")
    if device.device == "cpu" and dims == 2 and wanted is not Precision.full and cpu_has_bfloat16():
        return StepPrecision(
            "bf16-mixed", "Training steps in mixed precision: this processor has instructions for bfloat16."
        )
    return StepPrecision("32-true", "")


def cpu_has_bfloat16() -> bool:
    """Return whether the processor multiplies bfloat16 natively."""
    describe = getattr(torch.cpu, "get_capabilities", None)
    capabilities = describe() if describe is not None else {}
    return any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16"))
