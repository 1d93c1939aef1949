"""Predictions in a folder: each is one record ``<stem>.json`` of where it came from, beside its outputs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from segloop.artifacts.model.card import upgraded_parameters
from segloop.config.parameters import Value
from segloop.core.atomic import write_text
from segloop.core.errors import ImageError
from segloop.core.file_errors import reading
from segloop.core.fingerprint import Content, Fingerprint
from segloop.core.own_files import parse_json, read_own_bytes
from segloop.images.image import PixelSize
from segloop.targets import Target, make_target

FORMAT: Literal["segloop-prediction"] = "segloop-prediction"
VERSION: Literal[4] = 4

_LARGEST = 4 << 20  # bytes

_NOT_IN_A_NAME = frozenset("/\\:\0" if os.name == "nt" else "/\0")


def _require_plain_name(name: str) -> str:
    """Refuse what leads out of the record's folder, as earlier outputs are deleted by these names."""
    # Windows drops dots and spaces at the end of a name.
    if not name.strip(". ") or _NOT_IN_A_NAME.intersection(name):
        raise ValueError(f"{name!r} is not the name of a file beside the record")
    return name


PlainName = Annotated[str, AfterValidator(_require_plain_name)]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", defer_build=True)


class ModelUsed(_Record):
    """The model behind a prediction, with what is needed to decode its maps again.

    Attributes
    ----------
    name, path, weights_sha256 : str
        Which model.
    target : str
        Name of its target.
    options : dict
        The options of its target by name.
    dimensions, pixel_size_um
        Those of its target; the pixel size is Z, Y, X.
    parameters : dict
        The model's own parameters by name.
    """

    name: str
    path: str
    weights_sha256: str
    target: str
    options: dict[str, Value]
    dimensions: int
    pixel_size_um: PixelSize
    parameters: dict[str, Value]

    def build_target(self) -> Target:
        """Return the target that decodes the maps.

        Raises
        ------
        ModelError
            If the package that brings it is not installed.
        """
        return make_target(self.target, self.options, dims=self.dimensions, voxel_size=self.pixel_size_um)


class OutputFile(_Record):
    """One file (or Zarr folder) of a prediction.

    Attributes
    ----------
    kind : str
        ``labels``, ``mask``, ``classes`` or ``probability``.
    path : str
        Name beside the record, without folders.
    axes : str
        Of the array as stored, such as ``"CYX"``.
    shape : list of int
        Along ``axes``.
    dtype : str
        NumPy name of the data type.
    maps : list of str
        Names of the channels of a probability.
    content : Content or None
        What was written; None in records from before this was noted.
    """

    kind: str
    path: PlainName
    axes: str
    shape: list[int]
    dtype: str
    maps: list[str] = Field(default_factory=list)
    content: Content | None = None


class Provenance(_Record):
    """Where a prediction came from; ``<stem>.json`` beside the outputs.

    Attributes
    ----------
    outputs : list of OutputFile
        What is there, complete.
    pending : list of str
        Names of files beside the record that a killed prediction of an earlier version left behind; empty
        otherwise.
    input : Fingerprint or None
        The file the image came from; None for an image that was only in memory.
    image, scene : str
        Name of the image, and of the scene where its file has several.
    channels : list of str
        Of the image, as far as the model's recipe uses them, in the recipe's order.
    inputs : list of str
        What fed the network, by the model's names of the channels, such as ``merge(DAPI, GFP, how=max)``;
        empty in records from before there were such operations.
    pixel_size_um : tuple of float or None
        Z, Y, X of the image; None where unknown.
    config : dict
        The whole `PredictConfig`.
    parameters : dict
        The parameters of the target with which maps were decoded, by name.
    slice_by_slice : bool
        Whether a 2D model was applied to each slice of a stack; slices are then decoded one by one.
    diameter : float or None
        Diameter of the objects in the image in pixels, measured or chosen, by which it was resampled; None if
        the model takes images as they are, or no object was found.
    scale : float
        Factor by which the image was resampled before the network; 1 if it was not.
    inverted : list of str
        Those of ``channels`` that were inverted before the network.
    n_objects : int or None
        Number of labelled objects over all time points; None without labels.
    created, rethresholded : str
        ISO 8601, UTC; ``rethresholded`` is empty unless the parameters were changed afterwards.
    seconds : float
        Wall time of the prediction.
    """

    format: Literal["segloop-prediction"] = FORMAT
    version: Literal[4] = VERSION
    image: str
    scene: str = ""
    input: Fingerprint | None
    model: ModelUsed
    channels: list[str]
    inputs: list[str] = Field(default_factory=list)
    pixel_size_um: PixelSize
    config: dict[str, Any]
    parameters: dict[str, Value]
    slice_by_slice: bool = False
    device: str
    outputs: list[OutputFile] = Field(default_factory=list)
    pending: list[PlainName] = Field(default_factory=list)
    diameter: float | None = None
    scale: float = 1.0
    inverted: list[str] = Field(default_factory=list)
    n_objects: int | None = None
    created: str
    rethresholded: str = ""
    seconds: float = 0.0
    segloop_version: str
    packages: dict[str, str]

    def names(self) -> set[str]:
        """Return the names of all files beside the record that belong to it."""
        return {output.path for output in self.outputs} | set(self.pending)

    def write(self, path: Path) -> None:
        """Write the record, atomically."""
        write_text(path, self.model_dump_json(indent=2) + "\n")

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Provenance:
        """Read a record.

        Raises
        ------
        ImageError
            If the file is missing, no such record, damaged, or of a newer version of Segloop.
        """
        path = Path(path)
        with reading(path, ImageError, "predict the image again"):
            content = read_own_bytes(path, _LARGEST)
        try:
            values = parse_json(content)
            if isinstance(values, dict) and values.get("format") == FORMAT:
                values = _upgraded(values, path)
            record = cls.model_validate(values)
        except (ValueError, TypeError, AttributeError) as error:
            raise ImageError(
                f"{path} is not a readable record of a prediction: predict the image again."
            ) from error
        return record


def _upgraded(values: dict[str, Any], path: Path) -> dict[str, Any]:
    """Return the values of an older record as the present version has them."""
    version = values.get("version")
    if isinstance(version, int) and version > VERSION:
        raise ImageError(f"{path} was written by a newer Segloop: update Segloop to read it.")
    if version == 1:
        model = dict(values.get("model") or {})
        classes = model.pop("classes", 2)
        # Every target had a number of classes; it meant something for the semantic target alone.
        model["options"] = {"classes": classes} if model.get("target") == "semantic" else {}
        own, used = model.pop("thresholds", None), values.get("thresholds")
        model["parameters"] = upgraded_parameters(own, model.get("target"))
        rest = {key: value for key, value in values.items() if key != "thresholds"}
        parameters = upgraded_parameters(used, model.get("target"))
        values = {**rest, "model": model, "parameters": parameters, "version": 2}
    if values.get("version") == 2:  # no image was resampled
        values = {**values, "version": 3}
    if values.get("version") == 3:  # no image was inverted
        values = {**values, "version": 4}
    return values


@dataclass(frozen=True)
class Prediction:
    """A prediction found on disk.

    Attributes
    ----------
    path : Path
        Of its record.
    provenance : Provenance
        What the record says.
    """

    path: Path
    provenance: Provenance

    @property
    def stem(self) -> str:
        """Name of the prediction: that of its record without ``.json``."""
        return self.path.name.removesuffix(".json")

    def output(self, kind: str) -> Path | None:
        """Return the path of an output, or None if it has none of this kind."""
        found = (self.path.parent / out.path for out in self.provenance.outputs if out.kind == kind)
        return next(found, None)

    def outputs(self) -> dict[str, Path]:
        """Return the paths of all outputs by kind."""
        return {out.kind: self.path.parent / out.path for out in self.provenance.outputs}


def find_records(folder: str | os.PathLike[str]) -> list[Path]:
    """Return the paths of what may be records in a folder and its subfolders, sorted.

    Raises
    ------
    ImageError
        If the folder does not exist.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ImageError(f"There is no folder {folder}: choose the folder that predictions were written to.")
    return sorted(_records(folder))


def _records(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".") and not name.endswith(".zarr")]
        yield from (Path(parent) / name for name in files if name.endswith(".json") and name[0] != ".")


def timestamp() -> str:
    """Return the present time, ISO 8601, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
