"""What the inputs of a network are computed from: channels of an image, or operations on them."""

from __future__ import annotations

import ast
import json
import keyword
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from segloop.config.parameters import Value, options_type_of
from segloop.core.errors import ConfigError, ImageError
from segloop.core.wording import counted
from segloop.images.image import Image
from segloop.images.recipe_operations import RECIPE_OPERATIONS

_PICK = "pick"


def resolve_channels(image: Image, wanted: Sequence[str | int]) -> tuple[int, ...]:
    """Find channels by name or number.

    Parameters
    ----------
    image : Image
        The image to look in.
    wanted : sequence of str or int
        Names, or numbers from 0, in the order of the input slots; empty means all channels in
        the file's order.

    Returns
    -------
    tuple of int
        Numbers of the channels.

    Raises
    ------
    ImageError
        If a channel does not exist, or is named twice.
    """
    if not wanted:
        return tuple(range(image.n_channels))
    found = tuple(image.channel_index(channel) for channel in wanted)
    if len(set(found)) != len(found):
        names = ", ".join(str(channel) for channel in wanted)
        raise ImageError(f"{image.name}: the channels {names} name one channel twice; name each once.")
    return found


@dataclass(frozen=True)
class RecipeInput:
    """One input of a network.

    Attributes
    ----------
    operation : str
        Name in the registry of recipe operations.
    channels : tuple of str
        What it works on: names of channels, or numbers from 0.
    options : dict
        Its options by name; those left out are filled in.

    Raises
    ------
    ConfigError
        If there is no such operation or option, or it takes another number of channels.
    """

    operation: str
    channels: tuple[str, ...]
    options: Mapping[str, Value] = field(default_factory=dict)

    def __post_init__(self) -> None:
        operation = RECIPE_OPERATIONS.get(self.operation)
        least, most = getattr(operation, "n_channels", (1, None))
        if not least <= len(self.channels) <= (len(self.channels) if most is None else most):
            some = counted(least, "channel") if least == most else f"at least {counted(least, 'channel')}"
            raise ConfigError(
                f"The recipe operation '{self.operation}' takes {some if least or most else 'no channels'}, "
                f"not {len(self.channels)}."
            )
        options = options_type_of(operation).from_values(self.options, self.operation)
        object.__setattr__(self, "options", options.values())

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the name of a channel, or an operation such as ``merge(DAPI, GFP, how=max)``; undoes `text`.

        Raises
        ------
        ConfigError
            If the operation can't be used like this.
        """
        call = _as_call(text)
        if call is None or call.func.id not in RECIPE_OPERATIONS:  # type: ignore[attr-defined]
            return cls(_PICK, (text,))
        channels = tuple(_channel(argument, text) for argument in call.args)
        options = {str(each.arg): _option(each.value, text) for each in call.keywords}
        return cls(call.func.id, channels, options)  # type: ignore[attr-defined]

    @property
    def text(self) -> str:
        """The input as it is written in settings and shown to people."""
        if self.operation == _PICK and _as_call(self.channels[0]) is None:
            return self.channels[0]
        words = [_quoted(channel) for channel in self.channels]
        words += [f"{name}={_quoted(value)}" for name, value in self.options.items()]
        return f"{self.operation}({', '.join(words)})"


@dataclass(frozen=True)
class Recipe:
    """The inputs of a network, in order.

    Attributes
    ----------
    inputs : tuple of RecipeInput
        At least one; together they use at least one channel.

    Raises
    ------
    ConfigError
        If no channel is used, or two inputs are the same channel.
    """

    inputs: tuple[RecipeInput, ...]

    def __post_init__(self) -> None:
        if not self.channels:
            raise ConfigError("The recipe uses no channel: name at least one under Channels.")
        picked = Counter(each.channels[0] for each in self.inputs if each.operation == _PICK)
        for channel, times in picked.items():
            if times > 1:
                raise ConfigError(f"The recipe names the channel '{channel}' {times} times: name it once.")

    @classmethod
    def parse(cls, texts: Sequence[str]) -> Self:
        """Read inputs as `RecipeInput.parse` does."""
        return cls(tuple(RecipeInput.parse(str(text)) for text in texts))

    @classmethod
    def of_channels(cls, names: Sequence[str]) -> Self:
        """Return the recipe that takes channels as they are."""
        return cls(tuple(RecipeInput(_PICK, (str(name),)) for name in names))

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels that are used, each once, in the order of their first use."""
        return tuple(dict.fromkeys(name for each in self.inputs for name in each.channels))

    @property
    def names(self) -> tuple[str, ...]:
        """A readable name of each input; `parse` reads it."""
        return tuple(each.text for each in self.inputs)

    def find(self, image: Image) -> tuple[int, ...]:
        """Return the numbers of `channels` in an image.

        Raises
        ------
        ImageError
            If the image lacks one, or two names mean the same channel.
        """
        try:
            return resolve_channels(image, self.channels)
        except ImageError as error:
            calls = [call for name in self.channels if (call := _as_call(name)) is not None]
            if not calls:
                raise
            known = ", ".join(RECIPE_OPERATIONS.names())
            raise ImageError(f"{error} It is not an operation either: the operations are {known}.") from error

    def renamed(self, names: Sequence[str]) -> Recipe:
        """Return the recipe with other names for `channels`, in the same order."""
        new = dict(zip(self.channels, names, strict=True))
        inputs = [replace(each, channels=tuple(new[name] for name in each.channels)) for each in self.inputs]
        return Recipe(tuple(inputs))

    def apply(self, channels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute the inputs.

        Parameters
        ----------
        channels : (C, *S) float32
            Normalised intensities of `channels`, of a part of an image; S is (Y, X) or (Z, Y, X).

        Returns
        -------
        (N, *S) float32
            The inputs; ``channels`` itself if these are the channels as they are.

        Raises
        ------
        ConfigError
            If an operation returns an array of another shape.
        """
        numbers = {name: number for number, name in enumerate(self.channels)}
        if [each.operation for each in self.inputs] == [_PICK] * len(numbers):
            return channels
        found = np.empty((len(self.inputs), *channels.shape[1:]), np.float32)
        for slot, each in zip(found, self.inputs, strict=True):
            operation = RECIPE_OPERATIONS.get(each.operation)
            part = operation(channels[[numbers[name] for name in each.channels]], **each.options)
            if np.shape(part) != slot.shape:
                raise ConfigError(
                    f"The recipe operation '{each.operation}' returned an array of shape {np.shape(part)} "
                    f"instead of {slot.shape}. Report it to the author of its package."
                )
            slot[...] = part
        return found


def _as_call(text: str) -> ast.Call | None:
    """Return a text that looks like ``name(...)`` as Python's parser sees it; nothing is executed."""
    try:
        found = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return found if isinstance(found, ast.Call) and isinstance(found.func, ast.Name) else None


def _channel(argument: ast.expr, text: str) -> str:
    if isinstance(argument, ast.Call | ast.Starred):
        raise ConfigError(f"{text}: an operation takes names of channels, not other operations.")
    if isinstance(argument, ast.Constant):
        return str(argument.value)
    return ast.get_source_segment(text.strip(), argument) or ""


def _option(value: ast.expr, text: str) -> Any:
    if isinstance(value, ast.Name):
        return {"true": True, "false": False}.get(value.id, value.id)
    try:
        return ast.literal_eval(value)
    except ValueError as error:
        raise ConfigError(f"{text}: an option takes a number, a word, or true or false.") from error


def _quoted(value: Value) -> str:
    """Write a value so that `RecipeInput.parse` reads it."""
    if isinstance(value, bool) or not isinstance(value, str):
        return str(value)
    word = value.isidentifier() and not keyword.iskeyword(value) and value not in ("true", "false")
    number = value.isascii() and value.isdigit() and value == str(int(value))
    return value if word or number else json.dumps(value, ensure_ascii=False)
