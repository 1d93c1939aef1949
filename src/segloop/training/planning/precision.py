"""In which number format the steps of a training are computed."""

from __future__ import annotations

from typing import Literal, NamedTuple

from segloop.config.device import Precision
from segloop.training.planning.hardware import Hardware


class StepPrecision(NamedTuple):
    """Number format of the training steps, as Lightning calls it, and why; empty where the device says it."""

    name: Literal["32-true", "16-mixed", "bf16-mixed"]
    note: str


def step_precision(hardware: Hardware, wanted: Precision, dims: int) -> StepPrecision:
    """Choose the number format of the training steps; weights are always kept in 32 bit.

    On a CPU, bfloat16 halves the time of a step where the processor has instructions for it, and costs time
    where it does not. Volumes are an exception: the weight gradient of torch 2.13's bfloat16 convolution in
    3D reads memory that was never written, and may return anything (small inputs crash the process).

    Parameters
    ----------
    hardware : Hardware
        Where the steps are computed.
    wanted : Precision
        What the config asks for.
    dims : {2, 3}
        Spatial dimensions of the network.
    """
    if hardware.device == "cuda" and hardware.mixed:
        return StepPrecision("bf16-mixed" if hardware.bfloat16 else "16-mixed", "")
    if hardware.device == "cpu" and dims == 2 and wanted is not Precision.full and hardware.bfloat16:
        return StepPrecision(
            "bf16-mixed", "Training steps in mixed precision: this processor has instructions for bfloat16."
        )
    return StepPrecision("32-true", "")
