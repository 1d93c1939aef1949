"""Model cards without weights."""

from __future__ import annotations

from segloop.artifacts.model.model import ModelCard


class FakeModel:
    """A model of which only the card is needed."""

    def __init__(self, card):
        self.card = card


def card(pixel_size=(None, 0.5, 0.5), axes="YX", channels=("nuclei",)):
    """Return the card of a model of objects."""
    dims = len(axes)
    return ModelCard(
        name="nuclei",
        axes=axes,
        recipe={"inputs": [{"channels": [name]} for name in channels]},
        network={"name": "unet", "dims": dims, "in_channels": len(channels), "out_channels": 2},
        target={"name": "instance"},
        normalisation={"low": 1, "high": 99.8, "clip_low": -1, "clip_high": 3},
        pixel_size_um=pixel_size,
        stride=[8] * dims,
    )
