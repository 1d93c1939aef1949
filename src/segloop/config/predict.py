"""The config of a prediction."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, EnumMeta
from typing import Any

from segloop.config.device import DeviceConfig
from segloop.config.knob import knob


class _OpenEnumMeta(EnumMeta):
    def __getitem__(cls, name: str) -> Any:
        return cls(name)


class OutputKind(Enum, metaclass=_OpenEnumMeta):
    """Names of what a prediction writes: those of the built-in targets, and any that other targets bring.

    ``OutputKind("boundary")`` is a member like the built-in ones, and the same object each time. Whether a
    model can predict it is known once the model's target is.
    """

    labels = "labels"
    mask = "mask"
    classes = "classes"
    probability = "probability"

    @classmethod
    def _missing_(cls, value: object) -> OutputKind | None:
        if not isinstance(value, str) or not value.isidentifier():
            return None
        member = object.__new__(cls)
        member._name_ = member._value_ = value
        # As for the composite members of enum.Flag: known by its value, not listed among the members.
        return cls._value2member_map_.setdefault(value, member)  # type: ignore[return-value]


class OutputFormat(Enum):
    """File format of a prediction."""

    auto = "auto"
    tiff = "tiff"
    zarr = "zarr"


@dataclass
class PredictConfig:
    """Everything that decides what a prediction does; saved in its provenance."""

    outputs: list[OutputKind] = knob(
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
