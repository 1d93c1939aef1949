"""The files of a curated dataset: its index, and one file for each sample."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from segloop.artifacts.dataset.segmentation import (
    BLANK_IMPORTER,
    CorrectedCopy,
    FrozenModel,
    ImageRef,
    ImportedSource,
    LabelVersion,
    PredictionSource,
    Segmentation,
    require_safe_name,
)
from segloop.core.errors import DatasetError

FORMAT = "segloop-dataset"
VERSION = 3

LabelKind = Literal["instances", "semantic"]
Split = Literal["train", "val", "test"]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Coordinate = Annotated[float, Field(ge=-1e9, le=1e9)]

_SHOWN = 200  # characters of a name in a damaged file


class Verdict(StrEnum):
    """The curator's decision about a sample; training uses accepted ones only."""

    undecided = "undecided"
    accepted = "accepted"
    rejected = "rejected"


class LabelStatus(StrEnum):
    """What the labels are that a sample's ground truth starts from."""

    unlabelled = "unlabelled"
    given = "given"
    predicted = "predicted"
    corrected = "corrected"


class Region(FrozenModel):
    """A shape in which pixels are left out of training, or are taken from another segmentation.

    Attributes
    ----------
    id : str
        Unique within the sample.
    kind : {"exclude", "merge"}
        ``exclude``: pixels inside are neither used in training nor scored; ``merge``: labels inside come from
        another segmentation than the base.
    shape : {"polygon", "rectangle", "ellipse", "path"}
        ``rectangle`` and ``ellipse`` are given by four (possibly rotated) corners in drawing order; ``path``
        is a freehand line that is closed to a polygon.
    vertices : tuple of (y, x)
        In pixels of the raw image, pixel centres at whole numbers; may lie outside the image.
    z_first, z_last : int or None
        First and last slice, both inclusive; None reaches to the end of the stack.
    segmentation : str
        Of a merge: name of the segmentation that labels inside are taken from. Empty of an exclusion.
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
    segmentation: str = ""
    cut: Literal["edge", "object"] = "edge"

    @model_validator(mode="after")
    def _names_a_segmentation_if_it_merges(self) -> Region:
        if self.kind == "merge" and not self.segmentation:
            raise ValueError("a merge region names no segmentation to take labels from")
        if self.kind == "exclude" and self.segmentation:
            raise ValueError("an exclude region takes no labels from a segmentation")
        return self


class Sample(FrozenModel):
    """One raw image with its segmentations, and what the curator decided about it. Frozen: see `edit`.

    Attributes
    ----------
    version : {3}
        Of the file's format.
    id : str
        Unique within the dataset, and the name of the sample's file.
    raw : ImageRef
        The raw image.
    segmentations : tuple of Segmentation
        At least one; by their names, `base` and merge regions refer to them.
    verdict : Verdict
        Whether training may use it.
    base : str
        Name of the segmentation that the ground truth starts from; the first by default.
    regions : tuple of Region
        Shapes drawn on it, in drawing order.
    split : {"train", "val", "test"}
        What the sample is used for.
    group : str
        Samples of one group always share their split.
    note : str
        The curator's note.
    """

    version: Literal[3] = 3
    id: str
    raw: ImageRef
    segmentations: Annotated[tuple[Segmentation, ...], Field(min_length=1)]
    verdict: Verdict = Verdict.undecided
    base: str = Field(default_factory=lambda data: next((s.name for s in data.get("segmentations", ())), ""))
    regions: tuple[Region, ...] = ()
    split: Split = "train"
    group: str = ""
    note: str = ""

    @field_validator("id")
    @classmethod
    def _id_is_a_file_name(cls, value: str) -> str:
        return require_safe_name(value)

    @model_validator(mode="after")
    def _segmentations_are_there_where_used(self) -> Sample:
        if len({name.casefold() for name in self.segmentation_names}) < len(self.segmentations):
            raise ValueError("two of its segmentations have the same name: rename one of them")
        if self.base not in self.segmentation_names:
            raise ValueError(f"it has no segmentation {self.base} to use as the base: {self._choose_one()}")
        for region in self.regions:
            if region.kind == "merge" and region.segmentation not in self.segmentation_names:
                raise ValueError(
                    f"it has no segmentation {region.segmentation} to merge from: {self._choose_one()}"
                )
        if len({region.id for region in self.regions}) < len(self.regions):
            raise ValueError("two of its regions have the same id: change one of them")
        return self

    @model_validator(mode="after")
    def _copies_follow_what_they_copy(self) -> Sample:
        before: dict[str, set[int]] = {}
        for segmentation in self.segmentations:
            source = segmentation.source
            if isinstance(source, CorrectedCopy) and source.version not in before.get(source.of, ()):
                raise ValueError(
                    f"the segmentation {segmentation.name} copies version {source.version} of {source.of}, "
                    "which is not among those before it"
                )
            before[segmentation.name] = {0, *(version.number for version in segmentation.versions)}
        return self

    @property
    def segmentation_names(self) -> tuple[str, ...]:
        """Names of its segmentations, in order."""
        return tuple(segmentation.name for segmentation in self.segmentations)

    @property
    def used_segmentations(self) -> tuple[str, ...]:
        """Names of the segmentations that its ground truth takes labels from, in order."""
        used = {self.base, *(region.segmentation for region in self.regions if region.kind == "merge")}
        return tuple(name for name in self.segmentation_names if name in used)

    @property
    def label_status(self) -> LabelStatus:
        """What the labels of the base are: not drawn yet, as they came, predicted, or corrected."""
        base = self.segmentation(self.base)
        if base.newest or isinstance(base.source, CorrectedCopy):
            return LabelStatus.corrected
        if isinstance(base.source, ImportedSource) and base.source.importer == BLANK_IMPORTER:
            return LabelStatus.unlabelled
        return LabelStatus.predicted if isinstance(base.source, PredictionSource) else LabelStatus.given

    def segmentation(self, name: str) -> Segmentation:
        """Return a segmentation by its name.

        Raises
        ------
        DatasetError
            If there is none of that name.
        """
        for segmentation in self.segmentations:
            if segmentation.name == name:
                return segmentation
        raise DatasetError(f"Sample {self.id} has no segmentation {name}: {self._choose_one()}.")

    def with_version(self, name: str, version: LabelVersion) -> Sample:
        """Return a copy with a corrected version added to a segmentation, or changed if it has that number.

        Raises
        ------
        DatasetError
            If there is no segmentation of that name.
        """
        corrected = self.segmentation(name)
        others_of_it = tuple(each for each in corrected.versions if each.number != version.number)
        corrected = corrected.model_copy(update={"versions": (*others_of_it, version)})
        others = (corrected if each.name == name else each for each in self.segmentations)
        return self.edit(segmentations=[each.model_dump() for each in others])

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

    def _choose_one(self) -> str:
        return f"it has {', '.join(self.segmentation_names)}"


class DatasetIndex(FrozenModel):
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
    axes : str
        Axes of the raw images where the files do not name them; empty for what the files say.
    seed, val, test, group_by
        How samples were split; those added later are split likewise.
    samples : tuple of str
        The ids of all samples in order.
    """

    format: Literal["segloop-dataset"] = "segloop-dataset"
    version: Literal[3] = 3
    name: str
    label_kind: LabelKind
    channels: tuple[str, ...] = ()
    pixel_size_um: tuple[Finite | None, Finite | None, Finite | None] = (None, None, None)
    created: str
    home: str
    channel: str = ""
    axes: str = ""
    seed: int = 0
    val: Annotated[float, Field(ge=0, lt=1)] = 0.2
    test: Annotated[float, Field(ge=0, lt=1)] = 0.0
    group_by: str | None = None
    samples: tuple[str, ...] = ()

    def with_samples(self, added: Sequence[Sample]) -> DatasetIndex:
        """Return a copy with samples added at the end."""
        return self.model_copy(update={"samples": (*self.samples, *(sample.id for sample in added))})

    @field_validator("samples")
    @classmethod
    def _ids_are_unique_file_names(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(values)) < len(values):
            raise ValueError("a sample is listed twice")
        for value in values:
            require_safe_name(value)
        return values


def explain(error: ValidationError) -> str:
    """Put the first finding of a validation into words."""
    first = error.errors(include_url=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    what = first["msg"].removeprefix("Value error, ")
    return f"{where[:_SHOWN]}: {what[:_SHOWN]}" if where else what[:_SHOWN]
