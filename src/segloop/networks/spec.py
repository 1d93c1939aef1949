"""A network as plain values, fit to be saved in a model and read from a stranger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from segloop.core.errors import ModelError

_LONGEST = 100  # items of a list; each may be a level of the network


@dataclass(frozen=True)
class NetworkSpec:
    """Everything needed to build a network, except its weights.

    Attributes
    ----------
    name : str
        Name in the registry, such as ``"unet"``.
    dims : {2, 3}
        Spatial dimensions.
    in_channels, out_channels : int
        Number of image channels and of output maps.
    kwargs : dict
        Further arguments: numbers, strings, booleans, None, and lists of these.
    """

    name: str
    dims: int
    in_channels: int
    out_channels: int
    kwargs: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.dims not in (2, 3):
            raise ModelError(
                f"The network '{self.name}' has {self.dims} dimensions; only 2 and 3 are possible."
            )
        if min(self.in_channels, self.out_channels) < 1:
            raise ModelError(f"The network '{self.name}' needs at least one channel in and one map out.")
        for key, value in self.kwargs.items():
            if not _is_plain(value):
                raise ModelError(
                    f"The argument '{key}' of the network '{self.name}' is not a plain value: "
                    f"only numbers, words, yes/no and lists of up to {_LONGEST} of these are accepted."
                )

    def to_dict(self) -> dict[str, Any]:
        """Return all values as one flat dict."""
        own = {
            "name": self.name,
            "dims": self.dims,
            "in_channels": self.in_channels,
            "out_channels": self.out_channels,
        }
        return own | self.kwargs

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> NetworkSpec:
        """Read back what `to_dict` gave.

        Raises
        ------
        ModelError
            If a value is missing or not plain.
        """
        rest = dict(values)
        try:
            name, dims = str(rest.pop("name")), int(rest.pop("dims"))
            in_channels, out_channels = int(rest.pop("in_channels")), int(rest.pop("out_channels"))
        except (KeyError, OverflowError, TypeError, ValueError) as error:
            raise ModelError(f"The description of the network is incomplete or damaged ({error}).") from error
        return cls(name, dims, in_channels, out_channels, rest)


def _is_plain(value: Any, depth: int = 8) -> bool:
    if isinstance(value, list | tuple):
        return depth > 0 and len(value) <= _LONGEST and all(_is_plain(item, depth - 1) for item in value)
    return value is None or isinstance(value, bool | int | float | str)
