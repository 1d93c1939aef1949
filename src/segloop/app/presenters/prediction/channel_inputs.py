"""Which channel of the image feeds which input of the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from segloop.images.image import default_names


@dataclass(frozen=True)
class ChannelInput:
    """An input of the model, with the channels that may feed it.

    Attributes
    ----------
    name : str
        What the model calls it.
    channels : tuple of str
        Names of the image's channels.
    keys : tuple of (str or int)
        By what the config names each channel: its name, or its number where the name is not clear.
    chosen : int or None
        Position in ``channels``; None while it is open.
    """

    name: str
    channels: tuple[str, ...]
    keys: tuple[str | int, ...]
    chosen: int | None


def channel_inputs(
    inputs: Sequence[str], channels: Sequence[str], wanted: Sequence[str] = ()
) -> tuple[ChannelInput, ...]:
    """Return the inputs to ask about, with a guess for each where names or order suggest one.

    Parameters
    ----------
    inputs : sequence of str
        What the model calls its inputs.
    channels : sequence of str
        Names of the image's channels.
    wanted : sequence of str
        Names chosen for such an image before; empty for none.

    Returns
    -------
    tuple of ChannelInput
        Empty where there is no choice: one channel for one input.
    """
    inputs, channels = tuple(inputs), tuple(channels)
    if len(channels) < 2 and len(inputs) < 2:
        return ()
    folded = [name.casefold() for name in channels]
    keys = tuple(
        name if folded.count(name.casefold()) == 1 and not name.strip().isdigit() else number
        for number, name in enumerate(channels)
    )
    in_order = len(channels) == len(inputs)
    # Default names only count channels, so they say nothing of an image with more of them.
    numbered = inputs == default_names(len(inputs)) and not in_order
    found = []
    for number, name in enumerate(inputs):
        chosen = number if in_order else None
        if folded.count(name.casefold()) == 1 and not numbered:
            chosen = folded.index(name.casefold())
        if len(wanted) == len(inputs) and wanted[number] in channels:
            chosen = channels.index(wanted[number])
        found.append(ChannelInput(name, channels, keys, chosen))
    return tuple(found)
