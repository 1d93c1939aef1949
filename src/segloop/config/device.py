"""Where the work runs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from segloop.config.knob import knob


class DeviceKind(Enum):
    """A kind of processor."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"
    mps = "mps"


class Precision(Enum):
    """Number format of the network's arithmetic."""

    auto = "auto"
    full = "full"
    mixed = "mixed"


@dataclass
class DeviceConfig:
    """Where the work runs."""

    kind: DeviceKind = knob(
        DeviceKind.auto, "Device", "auto takes CUDA where there is a GPU, else Apple's MPS, else the CPU."
    )
    precision: Precision = knob(
        Precision.auto,
        "Precision",
        "full is 32 bit; mixed is 16 bit where it is safe; auto takes mixed on CUDA, and for training steps "
        "in 2D on CPUs with native bfloat16.",
        advanced=True,
    )
