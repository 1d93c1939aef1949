"""The image that a package of the zoo takes, and the one that it gives: axes, sizes, channels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segloop.core.units import micrometres
from segloop.exchange.zoo_package import RefusalError
from segloop.images.image import default_names

_SPACE = "zyx"


@dataclass(frozen=True)
class Tensor:
    """One tensor of a package.

    Attributes
    ----------
    name : str
        Of the tensor.
    axes : str
        A letter (b, c, z, y, x) for each axis, in order.
    letters : mapping of str to str
        The letters by the names of the axes.
    channels : tuple of str
        Names of the channels, one if there is no such axis.
    minimum, step : list of int
        Per spatial axis in the order z, y, x: sizes can be ``minimum + n * step``. Only of an input.
    halo : mapping of str to int
        By letter of the axis: how far from the edge values are of no use. Only of an output.
    pixel_size_um : tuple of (float or None)
        Z, Y, X in micrometres.
    """

    name: str
    axes: str
    letters: Mapping[str, str]
    channels: tuple[str, ...]
    minimum: list[int]
    step: list[int]
    halo: Mapping[str, int]
    pixel_size_um: tuple[float | None, float | None, float | None]

    @property
    def space(self) -> str:
        """Letters of the spatial axes in the order z, y, x."""
        return "".join(letter for letter in _SPACE if letter in self.axes)

    def rearranged(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return an array with the axes of this tensor as (C, [Z,] Y, X), of a batch the first.

        Raises
        ------
        RefusalError
            If it has other axes or channels.
        """
        if array.ndim != len(self.axes):
            raise RefusalError(f"its test of {self.name} has {array.ndim} axes instead of {len(self.axes)}")
        if "b" in self.axes:
            array = array.take(0, self.axes.index("b"))
        axes = self.axes.replace("b", "")
        if "c" not in axes:
            array, axes = array[None], "c" + axes
        array = array.transpose([axes.index(letter) for letter in "c" + self.space])
        if len(array) != len(self.channels):
            raise RefusalError(f"its test of {self.name} has {len(array)} channels, not {len(self.channels)}")
        return np.ascontiguousarray(array)


def input_tensor(description: Any) -> Tensor:
    """Return the image that a package takes.

    Raises
    ------
    RefusalError
        If it takes several, or one with other axes than those of an image.
    """
    return _only(description.inputs, "takes", is_input=True)


def output_tensor(description: Any) -> Tensor:
    """Return the image that a package gives; see `input_tensor`."""
    return _only(description.outputs, "gives", is_input=False)


def _only(tensors: Any, verb: str, is_input: bool) -> Tensor:
    if len(tensors) != 1:
        raise RefusalError(f"it {verb} {len(tensors)} arrays; only packages with one image can be used")
    tensor = tensors[0]
    letters = {str(axis.id): _letter(axis, verb) for axis in tensor.axes}
    axes = "".join(letters.values())
    space = {letters[str(axis.id)]: axis for axis in tensor.axes if letters[str(axis.id)] in _SPACE}
    if len(axes) != len(tensor.axes) or len(set(axes)) < len(axes) or not {"x", "y"} <= set(space):
        raise RefusalError(f"it {verb} an array with the axes {axes}, not an image")
    channels = next(
        (tuple(map(str, axis.channel_names)) for axis in tensor.axes if axis.type == "channel"), ("",)
    )
    own = [letter for letter in _SPACE if letter in space]
    sizes = [_sizes(space[letter], space, letters) for letter in own] if is_input else []
    return Tensor(
        str(tensor.id),
        axes,
        letters,
        _names(channels, str(tensor.id)) if is_input else channels,
        [low for low, _ in sizes],
        [step for _, step in sizes],
        {letter: int(getattr(axis, "halo", 0)) for letter, axis in space.items()},
        tuple(
            micrometres(space[letter].scale, space[letter].unit) if letter in space else None
            for letter in _SPACE
        ),  # type: ignore[arg-type]
    )


def _letter(axis: Any, verb: str) -> str:
    if axis.type in ("batch", "channel"):
        return str(axis.type)[0]
    if axis.type == "space" and str(axis.id) in _SPACE:
        return str(axis.id)
    raise RefusalError(f"it {verb} an array with the axis {axis.id} ({axis.type}), not an image")


def _sizes(axis: Any, space: Mapping[str, Any], letters: Mapping[str, str]) -> tuple[int, int]:
    """Return the smallest size of an input axis, and by what it can grow; 0 if it can't."""
    size = axis.size
    if hasattr(size, "axis_id"):
        other = space.get(letters.get(str(size.axis_id), ""))
        if other is None or hasattr(other.size, "axis_id") or size.offset or other.scale != axis.scale:
            raise RefusalError(
                f"the size of its axis {axis.id} follows from another, which can't be done here"
            )
        size = other.size
    return (int(size), 0) if isinstance(size, int) else (int(size.min), int(size.step))


def _names(channels: tuple[str, ...], tensor: str) -> tuple[str, ...]:
    """Return names for the channels of an image; those that only number them are left to the image."""
    generic = all(name in ("", tensor) or name.removeprefix("channel").isdigit() for name in channels)
    return default_names(len(channels)) if generic or len(set(channels)) < len(channels) else channels
