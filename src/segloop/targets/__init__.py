"""Targets: what a network learns, one module each; labels to maps and maps back to outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from segloop.config import registries
from segloop.config.parameters import NoParameters, ParameterField, ParameterSet, parameter
from segloop.core.registry import Registry
from segloop.targets.maps import Decoded, quantise, suggested_min_size
from segloop.targets.output import CLASSES, LABELS, MASK, PROBABILITY, Output
from segloop.targets.target import (
    Choice,
    Encoded,
    LabelFacts,
    LossTerm,
    MapSpec,
    Metric,
    Score,
    Target,
)

__all__ = [
    "CLASSES",
    "LABELS",
    "MASK",
    "PROBABILITY",
    "TARGETS",
    "Choice",
    "Decoded",
    "Encoded",
    "LabelFacts",
    "LossTerm",
    "MapSpec",
    "Metric",
    "NoParameters",
    "Output",
    "ParameterField",
    "ParameterSet",
    "Score",
    "Target",
    "make_target",
    "parameter",
    "quantise",
    "suggested_min_size",
]

TARGETS: Registry[type[Target]] = registries.TARGETS
"""The targets by name: our own, those registered by a script, and those of installed packages."""


def make_target(
    name: str,
    options: Mapping[str, Any] | ParameterSet | None = None,
    *,
    dims: int = 2,
    voxel_size: tuple[float | None, ...] | None = None,
) -> Target:
    """Return the target of a name.

    Parameters
    ----------
    name : str
        In the registry, such as ``"instance"`` or ``"semantic"``.
    options : mapping of str to plain value, optional
        Such as ``{"classes": 3}``; defaults for those left out.
    dims : {2, 3}
        Whether objects lie in planes (a stack is then taken slice by slice) or in volumes.
    voxel_size : tuple of (float or None), optional
        Z, Y, X in micrometres, for distances in anisotropic volumes.

    Raises
    ------
    ModelError
        If there is no such target.
    ConfigError
        If it has no such option, or a value is not valid.
    """
    target_type = TARGETS.get(name)
    values = options.values() if isinstance(options, ParameterSet) else options or {}
    chosen = target_type.options_type.from_values(values, "target")
    return target_type(name, chosen, dims, voxel_size)
