"""What a model can predict: each output has a name, a data type and a kind of layer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np


@dataclass(frozen=True)
class Output:
    """One output of a target; two outputs of the same name are equal.

    Attributes
    ----------
    name : str
        In file names, records and ``segloop predict --output``; letters, digits and underscores.
    dtype : str
        NumPy data type in which it is stored. ``labels`` become uint32 by themselves where there are too
        many objects for uint16.
    layer : {"labels", "mask", "image"}
        How napari shows it: each value in a colour of its own, everything above 0 in one colour, or as grey
        values.
    title : str
        What the Prediction dock calls it; the name if empty.
    description : str
        One sentence for a tooltip.
    """

    name: str
    dtype: str = field(default="uint8", compare=False)
    layer: Literal["labels", "mask", "image"] = field(default="labels", compare=False)
    title: str = field(default="", compare=False)
    description: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise ValueError(f"{self.name!r} can't name an output: use letters, digits and underscores.")
        if self.layer != "image" and np.dtype(self.dtype).kind not in "bui":
            raise ValueError(f"The output {self.name!r} of type {self.dtype} can only be shown as an image.")

    @property
    def label(self) -> str:
        """What a form calls it."""
        return self.title or self.name


LABELS = Output("labels", "uint16", title="objects", description="Each object has its own number")
MASK = Output("mask", layer="mask", description="Foreground and background")
CLASSES = Output("classes", description="The most probable class of each pixel")
PROBABILITY = Output("probability", layer="image", description="The maps that thresholds are applied to")
"""The target's maps themselves, which it does not decode: uint8, or float16 if asked for."""
