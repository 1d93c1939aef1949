"""Labels to network targets and network outputs back to labels, one module a target."""

from __future__ import annotations

from segloop.core.errors import ModelError
from segloop.targets.instance import InstanceTarget
from segloop.targets.maps import Decoded, Encoded, MapSpec, Target, Thresholds, quantise, suggested_min_size
from segloop.targets.semantic import SemanticTarget

__all__ = [
    "Decoded",
    "Encoded",
    "InstanceTarget",
    "MapSpec",
    "SemanticTarget",
    "Target",
    "Thresholds",
    "make_target",
    "quantise",
    "suggested_min_size",
]


def make_target(
    kind: str, classes: int = 2, dims: int = 2, voxel_size: tuple[float | None, ...] | None = None
) -> Target:
    """Return the target of that kind.

    Parameters
    ----------
    kind : {"instance", "semantic"}
        What the network learns.
    classes : int
        Number of classes including background, semantic only; 2 gives one foreground map.
    dims : {2, 3}
        Whether objects live in planes (a stack is then taken slice by slice) or in volumes.
    voxel_size : tuple of (float or None), optional
        Z, Y, X in micrometres, for distances in anisotropic volumes.

    Raises
    ------
    ModelError
        If there is no such target.
    """
    if kind == "instance":
        return InstanceTarget(dims=dims, voxel_size=voxel_size)
    if kind == "semantic":
        return SemanticTarget(classes=max(2, classes), dims=dims)
    raise ModelError(f"There is no target '{kind}'; choose 'instance' or 'semantic'.")
