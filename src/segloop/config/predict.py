"""The config of a prediction."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from segloop.config.device import DeviceConfig
from segloop.config.knob import knob


class OutputFormat(Enum):
    """File format of a prediction."""

    auto = "auto"
    tiff = "tiff"
    zarr = "zarr"


@dataclass
class PredictConfig:
    """Everything that decides what a prediction does; saved in its provenance."""

    outputs: list[str] = knob(
        [],
        "Output",
        "What to write for each image; empty gives what the model learned: labels, mask or classes.",
    )
    format: OutputFormat = knob(
        OutputFormat.auto, "Format", "auto writes TIFF up to 2 GB of output unless the input was Zarr."
    )
    channels: list[str] = knob(
        [],
        "Channels",
        "Names or numbers of the channels to feed the model's inputs, in its order; empty matches by name.",
    )
    tile_size: list[int] = knob(
        [],
        "Tile size",
        "Y, X (or Z, Y, X) of the part computed at once; empty chooses by memory. The result is the same.",
        unit="px",
        lengths=(0, 2, 3),
        minimum=1,
        advanced=True,
    )
    slice_by_slice: bool = knob(
        False, "Slice by slice", "Apply a 2D model to each slice of a stack.", advanced=True
    )
    axes: str = knob(
        "",
        "Axes",
        "What the axes of TIFFs that do not name them mean, in order, such as YXC or TYX; empty guesses.",
        advanced=True,
    )
    float_probability: bool = knob(
        False, "16-bit probability", "Write probabilities as float16 instead of uint8.", advanced=True
    )
    threshold: dict[str, Any] = knob(
        {},
        "Thresholds",
        "Parameters of the model's target, such as `threshold.foreground=0.4`; empty takes the model's own.",
    )
    device: DeviceConfig = knob(DeviceConfig, "Device", "Where the work runs.")
