"""Finding channels that say nothing: constant in every image, or a copy of another channel."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from segloop.images.image import Image
from segloop.images.normalisation import blocks


class SilentChannels:
    """Looks at image after image, and reads only as long as a channel is still suspected.

    Parameters
    ----------
    n_channels : int
        Channels that are used of each image.
    """

    def __init__(self, n_channels: int) -> None:
        several = n_channels > 1
        self._constant = set(range(n_channels)) if several else set()
        self._copies = set(combinations(range(n_channels), 2)) if several else set()
        self._channels: tuple[tuple[int, str], ...] = ()

    def add(self, image: Image, channels: Sequence[int]) -> None:
        """Look at one image; ``channels`` are the numbers of those used, as many as were announced.

        Raises
        ------
        ImageError
            If it can't be read.
        """
        self._channels = self._channels or tuple((each, image.channel_names[each]) for each in channels)
        first: dict[int, float] = {}
        for z, y, x in blocks(image):
            if not (self._constant or self._copies):
                return
            block = image.block(0, channels, z, y, x)
            for channel in list(self._constant):
                value = first.setdefault(channel, block[channel].flat[0])
                if not bool(np.all(block[channel] == value)):
                    self._constant.discard(channel)
            for one, other in list(self._copies):
                if not np.array_equal(block[one], block[other]):
                    self._copies.discard((one, other))

    def sentences(self) -> list[str]:
        """Return a sentence for each channel that says nothing in any image."""
        said = [
            f"{_capitalised(self._label(channel))} has a single value within each image: choose the other "
            "channels."
            for channel in sorted(self._constant)
        ]
        varying = [pair for pair in sorted(self._copies) if not self._constant.intersection(pair)]
        copies: dict[int, list[int]] = {}
        for one, other in varying:
            if not any(one in group for group in copies.values()):
                copies.setdefault(one, []).append(other)
        for one, others in copies.items():
            *first, last = (self._label(channel) for channel in (one, *others))
            equal = _capitalised(f"{', '.join(first)} and {last}")
            said.append(f"{equal} are equal in each image: choose one, such as {self._label(one)}.")
        return said

    def _label(self, index: int) -> str:
        """Return the name of a channel, with its number where several have that name."""
        number, name = self._channels[index]
        if [each for _, each in self._channels].count(name) > 1:
            return f"channel {number} ({name})"
        return name if name.casefold().startswith("channel") else f"channel {name}"


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]
