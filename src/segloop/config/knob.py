"""One knob: a dataclass field that carries its label, help, unit and bounds."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from enum import Enum
from typing import Any

from segloop.core.errors import ConfigError


def knob(
    default: Any,
    label: str,
    help: str,
    *,
    unit: str = "",
    minimum: float | None = None,
    maximum: float | None = None,
    lengths: tuple[int, ...] = (),
    zero: str = "",
    advanced: bool = False,
) -> Any:
    """Declare a dataclass field that forms, documentation and validation can read.

    Parameters
    ----------
    default : Any
        The value used when nothing else is said; lists, dicts and dataclass types are created per instance.
    label, help : str
        What a form shows, and its tooltip; ``help`` is one or two plain sentences.
    unit : str, optional
        Unit of the value, such as ``"px"`` or ``"min"``.
    minimum, maximum : float, optional
        Inclusive bounds of a number, or of each number in a list.
    lengths : tuple of int, optional
        How many numbers a list may have; any number by default.
    zero : str, optional
        What a form shows in place of 0.0, such as ``"measured"``; for numbers whose smallest value is 0.
    advanced : bool, optional
        True for what a form folds away.
    """
    metadata = {
        "label": label,
        "help": help,
        "unit": unit,
        "min": minimum,
        "max": maximum,
        "lengths": lengths,
        "zero": zero,
        "advanced": advanced,
    }
    if isinstance(default, type):
        return dataclasses.field(default_factory=default, metadata=metadata)
    if isinstance(default, list | dict):
        return dataclasses.field(default_factory=default.copy, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True)
class Knob:
    """A knob found in a config tree: its dotted path, field and present value."""

    path: str
    field: dataclasses.Field[Any]
    value: Any


def knobs(config: Any, prefix: str = "") -> Iterator[Knob]:
    """Yield every leaf knob of a config object, depth first, with its dotted path."""
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        path = f"{prefix}{field.name}"
        if dataclasses.is_dataclass(value):
            yield from knobs(value, f"{path}.")
        else:
            yield Knob(path, field, value)


def validate(config: Any) -> None:
    """Check all numbers, and lists of them, of a config object against their bounds.

    Raises
    ------
    ConfigError
        Naming the first knob that is out of bounds, its value and the allowed range.
    """
    for found in knobs(config):
        values = found.value if isinstance(found.value, list) else [found.value]
        lengths = found.field.metadata.get("lengths")
        if lengths and len(values) not in lengths:
            expected = " or ".join(str(length) for length in lengths if length)
            raise ConfigError(f"{found.path} has {len(values)} numbers: give {expected}, or none.")
        for value in values:
            if isinstance(value, bool | Enum) or not isinstance(value, int | float):
                continue
            low, high = found.field.metadata.get("min"), found.field.metadata.get("max")
            if (
                not math.isfinite(value)
                or (low is not None and value < low)
                or (high is not None and value > high)
            ):
                span = f"between {low} and {high}" if high is not None else f"at least {low}"
                raise ConfigError(f"{found.path}={value} is out of bounds: choose a value {span}.")
