"""What a model says about itself, validated."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError, model_validator

from segloop.artifacts.model.file_names import CARD
from segloop.config.parameters import Value
from segloop.core.errors import ModelError, SegloopError
from segloop.core.own_files import parse_json
from segloop.images.recipe import Recipe, RecipeInput
from segloop.images.scaling import FixedScaling, MeanScaling, PercentileScaling, Scaling
from segloop.networks import NetworkSpec
from segloop.targets import make_target
from segloop.targets.output import LABELS

FORMAT = "segloop-model"
VERSION = 7

_LONGEST_NAME = 100
_MOST_CHANNELS = 1000
_NOT_IN_NAMES = r"\x00-\x1f<>:\"/\\|?*"  # somewhere no file may be called by these
_NAME = rf"^[^{_NOT_IN_NAMES}.][^{_NOT_IN_NAMES}]{{0,{_LONGEST_NAME - 1}}}$"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)


class RecipeInputCard(_Part):
    """One input of the network: an operation on channels, by their names."""

    operation: str = "pick"
    channels: list[str]
    options: dict[str, Value] = {}


class RecipeCard(_Part):
    """What the network's inputs are computed from, in order."""

    inputs: list[RecipeInputCard]

    @classmethod
    def of(cls, recipe: Recipe) -> Self:
        """Return a recipe as plain values."""
        return cls(
            inputs=[
                RecipeInputCard(
                    operation=each.operation, channels=list(each.channels), options=dict(each.options)
                )
                for each in recipe.inputs
            ]
        )

    def build(self) -> Recipe:
        """Return the recipe.

        Raises
        ------
        ConfigError
            If it has an operation that is not installed, or one that can't be used like this.
        """
        return Recipe(
            tuple(RecipeInput(each.operation, tuple(each.channels), each.options) for each in self.inputs)
        )

    @property
    def channels(self) -> list[str]:
        """Names of the channels that are used, each once, in the order of their first use."""
        return list(dict.fromkeys(name for each in self.inputs for name in each.channels))


class TargetCard(_Part):
    """What the network learned: the name of a target, and its options."""

    name: str
    options: dict[str, Value] = {}


class NormalisationCard(_Part):
    """How intensities are scaled: percentiles of the whole image to 0 and 1, then clipped."""

    kind: Literal["percentiles"] = "percentiles"
    low: float = Field(ge=0, le=100)
    high: float = Field(ge=0, le=100)
    clip_low: float | None
    clip_high: float | None
    eps: float = Field(default=0, ge=0)
    together: bool = False

    def build(self) -> Scaling:
        """Return the scaling."""
        return PercentileScaling(self.low, self.high, self.clip_low, self.clip_high, self.eps, self.together)


class MeanCard(_Part):
    """How intensities are scaled: the mean of the whole image to 0, its standard deviation to 1."""

    kind: Literal["mean"] = "mean"
    eps: float = Field(default=0, ge=0)
    together: bool = False

    def build(self) -> Scaling:
        """Return the scaling."""
        return MeanScaling(self.eps, self.together)


class FixedCard(_Part):
    """How intensities are scaled: for each channel, two values to 0 and 1, in all images the same."""

    kind: Literal["fixed"] = "fixed"
    ranges: list[tuple[float, float]]

    def build(self) -> Scaling:
        """Return the scaling."""
        return FixedScaling(tuple(self.ranges))


def _kind(value: Any) -> Any:
    return value.get("kind", "percentiles") if isinstance(value, dict) else getattr(value, "kind", None)


AnyNormalisation = Annotated[
    Annotated[NormalisationCard, Tag("percentiles")]
    | Annotated[MeanCard, Tag("mean")]
    | Annotated[FixedCard, Tag("fixed")],
    Discriminator(_kind),
]


class ModelCard(_Part):
    """Everything about a model but its weights.

    Attributes
    ----------
    name : str
        A file name without folders.
    axes : {"YX", "ZYX"}
        Whether it works on planes or volumes.
    recipe, target, normalisation
        How to apply it.
    parameters : dict
        The target's parameters by name, unless the user chooses others; sizes are in pixels.
    network : dict
        A `NetworkSpec` as `NetworkSpec.to_dict` gives it.
    pixel_size_um : tuple of (float or None)
        Z, Y, X of the training images in micrometres.
    stride, halo : list of int
        Per axis of ``axes``, in pixels; ``halo`` is None where unknown.
    test_input : {"pixels", "inputs"}
        What the stored test begins with: raw pixels, or in older models the inputs of the network.
    provenance : dict
        Where it came from: creation time, package versions, dataset, config, scores.
    weights_sha256 : str
        Hash of the weights file.
    object_diameter : float or None
        Diameter in pixels that objects are brought to before the network, by resampling the image; None if
        images are taken as they are.
    median_range : list of (float, float)
        For each channel of the recipe, where the median of training images with objects lies between the
        two percentiles of the normalisation (0 to 1): the 5th and 95th percentile over the images. Images
        whose median lies elsewhere, but within this range if they were inverted, are inverted. Empty if
        unknown.
    description : str
        What the model is for, in a sentence or two; empty if nobody has said so.
    license : str
        Licence of the model as an SPDX identifier; empty if unknown.
    cite : list of str
        What to cite.
    """

    format: Literal["segloop-model"] = "segloop-model"
    version: Literal[7] = 7
    name: str = Field(pattern=_NAME)
    axes: Literal["YX", "ZYX"]
    recipe: RecipeCard
    network: dict[str, Any]
    target: TargetCard
    normalisation: AnyNormalisation
    pixel_size_um: tuple[float | None, float | None, float | None] = (None, None, None)
    stride: list[int]
    halo: list[int] | None = None
    parameters: dict[str, Value] = {}
    test_input: Literal["pixels", "inputs"] = "pixels"
    provenance: dict[str, Any] = {}
    weights_sha256: str = ""
    object_diameter: float | None = Field(default=None, ge=3, le=1000)
    median_range: list[tuple[float, float]] = []
    description: str = Field(default="", max_length=2000)
    license: str = Field(default="", max_length=200)
    cite: list[str] = []

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        try:
            spec = NetworkSpec.from_dict(self.network)
            target = make_target(self.target.name, self.target.options, dims=spec.dims)
            target.parameters_type.from_values(self.parameters, "parameters")
            maps = len(target.maps)
            n_inputs = len(self.recipe.build().inputs)
        except SegloopError as error:
            raise ValueError(str(error)) from error
        if len(self.recipe.channels) > _MOST_CHANNELS:
            raise ValueError(f"the recipe uses more than {_MOST_CHANNELS} channels")
        if spec.dims != len(self.axes):
            raise ValueError(f"axes {self.axes} but a network of {spec.dims} dimensions")
        if maps != spec.out_channels:
            raise ValueError(f"the target needs {maps} maps but the network gives {spec.out_channels}")
        if n_inputs != spec.in_channels:
            raise ValueError(f"{n_inputs} channels named but the network takes {spec.in_channels}")
        if self.object_diameter is not None and (spec.dims != 2 or LABELS not in target.outputs):
            raise ValueError("only a 2D model that gives labels can have an object diameter")
        if self.median_range and len(self.median_range) != len(self.recipe.channels):
            raise ValueError("the range of the median must be known of all channels or of none")
        if isinstance(self.normalisation, FixedCard):
            ranges = self.normalisation.ranges
            if len(ranges) != len(self.recipe.channels) or any(low == high for low, high in ranges):
                raise ValueError("a fixed normalisation needs two different values for each channel")
        if len(self.stride) != spec.dims or min(self.stride) < 1:
            raise ValueError(f"the stride needs {spec.dims} positive numbers")
        if self.halo is not None and (len(self.halo) != spec.dims or min(self.halo) < 0):
            raise ValueError(f"the halo needs {spec.dims} numbers")
        return self


_CHANGES_NO_PREDICTION = frozenset(
    {"format", "name", "provenance", "weights_sha256", "description", "license", "cite"}
)


def card_digest(values: Mapping[str, Any]) -> str:
    """Return a hash of everything in a card, as it is in the file, that changes a prediction."""
    counted = {key: value for key, value in values.items() if key not in _CHANGES_NO_PREDICTION}
    return hashlib.sha256(json.dumps(counted, sort_keys=True).encode()).hexdigest()


def card_name(folder_name: str) -> str:
    """Return the folder's name as a model may have it: forbidden characters replaced, and not too long."""
    text = folder_name.encode("utf-8", "replace").decode("utf-8")
    return re.sub(f"[{_NOT_IN_NAMES}]", "_", text).strip(" .")[:_LONGEST_NAME] or "model"


def upgrade_card(values: dict[str, Any]) -> dict[str, Any]:
    """Return the values of an older card as the present version has them."""
    if values.get("version") == 1:
        target = values.get("target")
        if isinstance(target, dict) and "kind" in target:
            # Every target had a number of classes; it meant something for the semantic target alone.
            options = {"classes": target.get("classes", 2)} if target["kind"] == "semantic" else {}
            values = {**values, "target": {"name": target["kind"], "options": options}}
        rest = {key: value for key, value in values.items() if key != "thresholds"}
        parameters = upgraded_parameters(values.get("thresholds") or {}, values.get("target"))
        values = {**rest, "parameters": parameters, "version": 2}
    if values.get("version") == 2:
        recipe = values.get("recipe")
        if isinstance(recipe, dict) and isinstance(recipe.get("channels"), list):
            # Every input was a channel as it is.
            inputs = [{"operation": "pick", "channels": [name]} for name in recipe["channels"]]
            values = {**values, "recipe": {"inputs": inputs}}
        values = {**values, "version": 3}
    if values.get("version") == 3:
        values = {**values, "test_input": "inputs", "version": 4}
    if values.get("version") == 4:
        values = {**values, "version": 5}
    if values.get("version") == 5:  # nobody knew the medians
        values = {**values, "version": 6}
    if values.get("version") == 6:  # percentiles were the only kind of normalisation
        values = {**values, "version": 7}
    return values


def upgraded_parameters(thresholds: Any, target: Any) -> Any:
    """Return the thresholds of version 1, of which the semantic target never used ``splitting``."""
    name = target.get("name") if isinstance(target, dict) else target
    if name == "semantic" and isinstance(thresholds, dict):
        return {key: value for key, value in thresholds.items() if key != "splitting"}
    return thresholds


def parse_card(content: bytes, where: str) -> ModelCard:
    """Read a card.

    Parameters
    ----------
    content : bytes
        JSON.
    where : str
        Path of the model, for messages.

    Raises
    ------
    ModelError
        If it is damaged, of another format, or written by a newer version.
    """
    try:
        values = parse_json(content)
    except ValueError as error:
        raise ModelError(
            f"{CARD} of the model {where} is damaged ({error}): get a new copy of it."
        ) from error
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise ModelError(f"{where} is not a Segloop model: choose another file or folder.")
    version = values.get("version")
    if isinstance(version, int) and version > VERSION:
        raise ModelError(
            f"The model {where} was written by a newer Segloop (model version {version}, "
            f"this one reads up to {VERSION}): update napari-segloop."
        )
    try:
        return ModelCard.model_validate(upgrade_card(values))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        problem = f"{place}: {first['msg']}" if place else first["msg"]
        raise ModelError(
            f"{CARD} of the model {where} is not valid ({problem}): get a new copy of it."
        ) from error
