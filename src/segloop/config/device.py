"""Device and precision of the computation."""

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
    """Device and precision of the computation."""

    kind: DeviceKind = knob(
        DeviceKind.auto,
        "Device",
        "auto chooses CUDA if there is a GPU, otherwise Apple's MPS, otherwise the CPU.",
    )
    precision: Precision = knob(
        Precision.auto,
        "Precision",
        "full is 32 bit; mixed is 16 bit where that is safe; auto chooses mixed on CUDA, and for 2D "
        "training steps on CPUs with native bfloat16.",
        advanced=True,
    )
