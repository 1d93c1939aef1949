"""The segmentations of a sample: each has a name, a source, and corrected versions."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

_SAFE_NAME = re.compile(r"[^\W_.][\w.\-]*|_[\w.\-]+")


class FrozenModel(BaseModel):
    """What the files of a dataset hold; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


BLANK_IMPORTER = "blank"
"""Importer of labels that nobody has drawn yet: of each raw image, a label image without labels."""


class ImageRef(FrozenModel):
    """Where pixels are.

    Attributes
    ----------
    path : str
        With forward slashes; relative to the dataset's folder where the file is in it or near it.
    scene : str
        Name of the scene; empty for the first.
    channel : str
        Name or number of the channel; empty for all (of a segmentation: its only one).
    """

    path: str = Field(min_length=1, max_length=4096)  # the longest that Linux takes
    scene: str = ""
    channel: str = ""


class FileSource(FrozenModel):
    """A label image that the user brought along.

    Attributes
    ----------
    image : ImageRef
        The file.
    """

    kind: Literal["file"] = "file"
    image: ImageRef


class PredictionSource(FrozenModel):
    """A label image that a model predicted.

    Attributes
    ----------
    image : ImageRef
        The file.
    model : str
        Name of the model.
    model_sha256 : str
        Hash of the model's weights.
    record : str
        Path of the prediction's record (its provenance), written like that of an `ImageRef`; empty if there
        is none.
    """

    kind: Literal["prediction"] = "prediction"
    image: ImageRef
    model: str
    model_sha256: str
    record: str = ""


class ImportedSource(FrozenModel):
    """A label image that was made of another tool's segmentation when the dataset was created.

    Attributes
    ----------
    image : ImageRef
        The file that was made.
    importer : str
        Name of the importer that made it.
    original : str
        Path of the other tool's file, written like that of an `ImageRef`.
    """

    kind: Literal["imported"] = "imported"
    image: ImageRef
    importer: str
    original: str


class CorrectedCopy(FrozenModel):
    """A copy of another segmentation of the sample, to be corrected independently of it.

    Attributes
    ----------
    of : str
        Name of the other segmentation, which comes before this one in the sample.
    version : int
        Which version of it was copied; 0 is its original.
    """

    kind: Literal["corrected_copy"] = "corrected_copy"
    of: str
    version: int = Field(default=0, ge=0)


SegmentationSource = Annotated[
    FileSource | PredictionSource | ImportedSource | CorrectedCopy, Field(discriminator="kind")
]


class LabelVersion(FrozenModel):
    """Corrected labels of a segmentation, stored in the dataset's folder.

    They are either a label image of their own, which is never changed afterwards, or changes of single pixels
    of another version, to which more can be added.

    Attributes
    ----------
    number : int
        From 1 on, unique within the segmentation; 0 is the original, which is not listed.
    created : str
        When, as ISO 8601 in UTC.
    note : str
        What was corrected.
    base : int or None
        Of changes: number of the version that they change; 0 is the original. None of a whole label image.
    change : int or None
        Of changes: where the newest one starts in their file, in bytes; see `ChangeFile`.
    """

    number: int = Field(ge=1)
    created: str
    note: str = ""
    base: int | None = Field(default=None, ge=0)
    change: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _changes_have_a_base(self) -> LabelVersion:
        if (self.base is None) != (self.change is None):
            raise ValueError(f"version {self.number} must have both a base and a change, or neither")
        return self

    @model_serializer(mode="wrap")
    def _without_what_it_has_not(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Write whole label images as before version 3, so that older journals can be undone."""
        values: dict[str, Any] = serialise(self)
        return {key: value for key, value in values.items() if value is not None}


class Segmentation(FrozenModel):
    """One segmentation of a sample.

    Attributes
    ----------
    name : str
        Unique within the sample even if case is ignored; letters, digits, ``_``, ``-`` and ``.``.
    source : FileSource, PredictionSource, ImportedSource or CorrectedCopy
        Where its original comes from.
    versions : tuple of LabelVersion
        Corrected versions, oldest first. The last one is used.
    """

    name: str
    source: SegmentationSource
    versions: tuple[LabelVersion, ...] = ()

    @field_validator("name")
    @classmethod
    def _name_is_a_folder_name(cls, value: str) -> str:
        return require_safe_name(value, "the name of a segmentation")

    @model_validator(mode="after")
    def _version_numbers_are_unique(self) -> Segmentation:
        numbers = [version.number for version in self.versions]
        if len(set(numbers)) < len(numbers):
            raise ValueError(f"two versions of the segmentation {self.name} have the same number")
        for at, version in enumerate(self.versions):
            if version.base is not None and version.base not in (0, *numbers[:at]):
                raise ValueError(
                    f"version {version.number} of the segmentation {self.name} changes version "
                    f"{version.base}, which is not among those before it"
                )
        return self

    def version(self, number: int) -> LabelVersion | None:
        """Return a corrected version by its number; None if there is none."""
        return next((version for version in self.versions if version.number == number), None)

    @property
    def newest(self) -> int:
        """Number of the newest version; 0 if it was never corrected."""
        return self.versions[-1].number if self.versions else 0


def default_name(number: int) -> str:
    """Return the name of the first (1), second (2), ... segmentation if the user names none."""
    return "seg" if number == 1 else f"seg{number}"


def require_safe_name(value: str, what: str = "a sample's id") -> str:
    """Return ``value`` if it can name a file in the dataset's folder, and nothing outside it.

    Raises
    ------
    ValueError
        If it can't.
    """
    if not _SAFE_NAME.fullmatch(value):
        raise ValueError(f"{value!r} can't be {what}: use letters, digits, '_', '-' and '.' only")
    return value
