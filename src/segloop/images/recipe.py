"""Which channels of an image fill the network's input slots."""

from __future__ import annotations

from collections.abc import Sequence

from segloop.core.errors import ImageError
from segloop.images.image import Image


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
