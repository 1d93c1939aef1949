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


class Contrast(Enum):
    """Whether an image is inverted before the network."""

    auto = "auto"
    keep = "keep"
    invert = "invert"


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
        "Names or numbers of the channels for the model's inputs, in the model's order; empty matches "
        "them by name.",
    )
    tile_size: list[int] = knob(
        [],
        "Tile size",
        "Y, X (or Z, Y, X) of the part predicted at once; empty chooses by memory. The result is the same.",
        unit="px",
        lengths=(0, 2, 3),
        minimum=1,
        advanced=True,
    )
    diameter: float = knob(
        0.0,
        "Object diameter",
        "For models that know one size of objects: typical diameter of the objects in the image, which is "
        "resampled to suit; 0 measures it.",
        unit="px",
        minimum=0,
        maximum=10_000,
        zero="measured",
    )
    contrast: Contrast = knob(
        Contrast.auto,
        "Contrast",
        "auto inverts images with a bright background where the model learned from a dark one, and the other "
        "way round; keep takes images as they are; invert inverts all.",
        advanced=True,
    )
    slice_by_slice: bool = knob(
        False, "Slice by slice", "Apply a 2D model to each slice of a stack.", advanced=True
    )
    axes: str = knob(
        "",
        "Axes",
        "Axes of TIFFs that do not name them, in order, such as YXC or TYX; empty guesses them.",
        advanced=True,
    )
    float_probability: bool = knob(
        False, "16-bit probability", "Write probabilities as float16 instead of uint8.", advanced=True
    )
    again: bool = knob(
        False,
        "Predict again",
        "Predict again where the same model has predicted the same image with the same settings.",
        advanced=True,
    )
    threshold: dict[str, Any] = knob(
        {},
        "Thresholds",
        "Parameters of the model's target, such as `threshold.foreground=0.4`; empty uses the model's.",
    )
    device: DeviceConfig = knob(DeviceConfig, "Device", "Device and precision of the computation.")
