"""The levels of a U-Net, read from its description and checked."""

from __future__ import annotations

from segloop.core.errors import ModelError
from segloop.networks.spec import NetworkSpec

Axes = tuple[int, ...]
"""One number per spatial axis."""


def levels(spec: NetworkSpec) -> tuple[list[int], list[Axes], list[Axes]]:
    """Return filters, strides and kernels of each level of a U-Net.

    Raises
    ------
    ModelError
        If they are incomplete or do not fit.
    """
    problem = None
    unknown = set(spec.kwargs) - {"filters", "strides", "kernels"}
    try:
        filters = [int(value) for value in spec.kwargs["filters"]]
        strides = [tuple(int(value) for value in level) for level in spec.kwargs["strides"]]
        kernels = [tuple(int(value) for value in level) for level in spec.kwargs["kernels"]]
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"The description of the U-Net is incomplete: it needs filters, strides and kernels ({error})."
        ) from error
    if unknown:
        problem = f"it does not know {', '.join(sorted(unknown))}"
    elif not 3 <= len(filters) <= 9 or not len(filters) == len(strides) == len(kernels):
        problem = "it needs three to nine levels, each with filters, strides and a kernel"
    elif not all(0 < value <= 4096 for value in filters):
        problem = "the number of filters of each level must be between 1 and 4096"
    elif any(len(level) != spec.dims for level in [*strides, *kernels]):
        problem = f"each level needs {spec.dims} strides and kernel sizes"
    elif any(value not in (1, 2) for level in strides for value in level) or set(strides[0]) != {1}:
        problem = "strides are 1 or 2, and 1 in the first level"
    elif any(value not in (1, 3) for level in kernels for value in level):
        problem = "kernel sizes are 1 or 3"
    if problem:
        raise ModelError(f"The U-Net can't be built: {problem}.")
    return filters, strides, kernels
