"""What a curated dataset writes down: its index, and for each sample what the curator decided about it."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from segloop.core.errors import DatasetError

FORMAT = "segloop-dataset"
VERSION = 1

LabelKind = Literal["instances", "semantic"]
Split = Literal["train", "val", "test"]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Coordinate = Annotated[float, Field(ge=-1e9, le=1e9)]

_ID = re.compile(r"[^\W_.][\w.\-]*|_[\w.\-]+")


class Verdict(StrEnum):
    """What the curator thinks of a sample; training uses accepted ones only."""

    undecided = "undecided"
    accepted = "accepted"
    rejected = "rejected"


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ImageRef(_Frozen):
    """Where pixels are.

    Attributes
    ----------
    path : str
        With forward slashes; relative to the dataset's folder where the file lies in it or near it.
    scene : str
        Name of the scene; empty for the first.
    channel : str
        Name or number of the channel; empty for all (of a segmentation: its only one).
    """

    path: str = Field(min_length=1)
    scene: str = ""
    channel: str = ""


class Region(_Frozen):
    """A shape in which pixels are left out of training, or are taken from the other segmentation.

    Attributes
    ----------
    id : str
        Unique within the sample.
    kind : {"exclude", "merge"}
        ``exclude``: pixels inside are neither learnt from nor scored; ``merge``: labels inside come from the
        segmentation that isn't the base.
    shape : {"polygon", "rectangle", "ellipse", "path"}
        ``rectangle`` and ``ellipse`` are given by four (possibly rotated) corners in drawing order; ``path``
        is a freehand line that is closed to a polygon.
    vertices : tuple of (y, x)
        In pixels of the raw image, pixel centres at whole numbers; may lie outside the image.
    z_first, z_last : int or None
        First and last slice, both inclusive; None reaches to the end of the stack.
    cut : {"edge", "object"}
        Of a merge: cut labels at the region's edge, or let each object go whole to the side that holds most
        of it.
    """

    id: str
    kind: Literal["exclude", "merge"]
    shape: Literal["polygon", "rectangle", "ellipse", "path"]
    vertices: tuple[tuple[Coordinate, Coordinate], ...]
    z_first: int | None = None
    z_last: int | None = None
    cut: Literal["edge", "object"] = "edge"


class Sample(_Frozen):
    """One raw image with its segmentations, and what the curator decided about it. Frozen: see `edit`.

    Attributes
    ----------
    id : str
        Unique within the dataset, and the name of the sample's file.
    raw, seg, seg2 : ImageRef
        The raw image, its segmentation, and a second one where there is one.
    verdict : Verdict
        Whether the curator wants it learnt from.
    base : {1, 2}
        Which segmentation the ground truth starts from.
    regions : tuple of Region
        Shapes drawn on it, in drawing order.
    split : {"train", "val", "test"}
        What the sample is used for.
    group : str
        Samples of one group always share their split.
    note : str
        Free words of the curator.
    """

    id: str
    raw: ImageRef
    seg: ImageRef
    seg2: ImageRef | None = None
    verdict: Verdict = Verdict.undecided
    base: Literal[1, 2] = 1
    regions: tuple[Region, ...] = ()
    split: Split = "train"
    group: str = ""
    note: str = ""

    @field_validator("id")
    @classmethod
    def _id_is_a_file_name(cls, value: str) -> str:
        return require_safe_id(value)

    @model_validator(mode="after")
    def _second_segmentation_is_there_where_used(self) -> Sample:
        if self.seg2 is None and self.base == 2:
            raise ValueError("it has no second segmentation to use as the base: choose base 1")
        if self.seg2 is None and any(region.kind == "merge" for region in self.regions):
            raise ValueError("it has no second segmentation to merge from: remove its merge regions")
        if len({region.id for region in self.regions}) < len(self.regions):
            raise ValueError("two of its regions have the same id: give each its own")
        return self

    def edit(self, **changes: Any) -> Sample:
        """Return a copy with some attributes changed, validated.

        Raises
        ------
        DatasetError
            If an attribute doesn't exist or a value doesn't fit.
        """
        try:
            return Sample.model_validate({**dict(self), **changes})
        except ValidationError as error:
            raise DatasetError(f"Sample {self.id} can't be changed like that: {explain(error)}.") from error


class DatasetIndex(_Frozen):
    """The small file that says what the dataset is; edits of samples leave it untouched.

    Attributes
    ----------
    name : str
        What the dataset is called on screen.
    label_kind : {"instances", "semantic"}
        Whether labels number objects, or name classes.
    channels : tuple of str
        Names (where these differ between images: numbers) of the raw channels to use unless a recipe says
        otherwise.
    pixel_size_um : tuple of float or None
        Typical size of a pixel along Z, Y, X in micrometres; None where unknown.
    created : str
        When, as ISO 8601 in UTC.
    home : str
        Absolute folder the dataset was created in: where relative paths are looked for once more when the
        dataset was moved without its images.
    channel : str
        The raw channel that was asked for; empty for all.
    seed, val, test, group_by
        How samples were split; those added later are split likewise.
    samples : tuple of str
        The ids of all samples in order.
    """

    format: Literal["segloop-dataset"] = "segloop-dataset"
    version: Literal[1] = 1
    name: str
    label_kind: LabelKind
    channels: tuple[str, ...] = ()
    pixel_size_um: tuple[Finite | None, Finite | None, Finite | None] = (None, None, None)
    created: str
    home: str
    channel: str = ""
    seed: int = 0
    val: Annotated[float, Field(ge=0, lt=1)] = 0.2
    test: Annotated[float, Field(ge=0, lt=1)] = 0.0
    group_by: str | None = None
    samples: tuple[str, ...] = ()

    @field_validator("samples")
    @classmethod
    def _ids_are_unique_file_names(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(values)) < len(values):
            raise ValueError("a sample is listed twice")
        for value in values:
            require_safe_id(value)
        return values


def require_safe_id(value: str) -> str:
    """Return ``value`` if it can name a file in the dataset's folder, and nothing outside it.

    Raises
    ------
    ValueError
        If it can't.
    """
    if not _ID.fullmatch(value):
        raise ValueError(f"{value!r} can't be a sample's id: use letters, digits, '_', '-' and '.' only")
    return value


def explain(error: ValidationError) -> str:
    """Put the first finding of a validation into words."""
    first = error.errors(include_url=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    what = first["msg"].removeprefix("Value error, ")
    return f"{where}: {what}" if where else what
