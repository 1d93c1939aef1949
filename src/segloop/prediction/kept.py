"""A finished prediction, opened from its folder: shown, decoded again, saved elsewhere."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from segloop.artifacts.prediction.place import Place
from segloop.artifacts.prediction.provenance import (
    Prediction,
    Provenance,
)
from segloop.config.predict import OutputFormat
from segloop.core.context import Context
from segloop.core.errors import ImageError
from segloop.core.file_errors import reading
from segloop.core.fingerprint import fingerprint
from segloop.core.paths import exists
from segloop.core.wording import counted
from segloop.images.read import open_image
from segloop.prediction.memory_check import require_memory
from segloop.prediction.output_plan import plan_outputs
from segloop.prediction.rethreshold import with_parameters
from segloop.prediction.writing import time_points, write_decoded
from segloop.targets import ParameterSet, Target
from segloop.targets.output import CLASSES, LABELS, MASK, PROBABILITY, Output

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from segloop.images.image import Image

IN_MEMORY_LIMIT = 1 << 30
"""Bytes; larger outputs stay on disk and are read as they are looked at."""


@dataclass(frozen=True, eq=False)
class Shown:
    """What there is to show of a prediction.

    Attributes
    ----------
    arrays : dict of Output to array
        By output; (T, Z, Y, X), but a probability is (T, K, Z, Y, X) with one map per name in ``maps``. NumPy
        arrays, or lazy dask arrays where they are large.
    maps : tuple of str
        Names of the maps of a probability.
    parameters : ParameterSet
        With which maps became objects.
    summary : str
        Such as ``"143 objects, median 312 px"``.
    """

    arrays: dict[Output, Any] = field(repr=False)
    maps: tuple[str, ...]
    parameters: ParameterSet
    summary: str


class KeptPrediction:
    """A finished prediction on disk, with its probability where that was kept.

    Parameters
    ----------
    record : path-like
        Its ``<stem>.json``.

    Raises
    ------
    ImageError
        If the record or an output is missing or damaged.
    """

    def __init__(self, record: str | os.PathLike[str]) -> None:
        self.prediction = Prediction(Path(record), Provenance.read(record))
        paths = self.prediction.outputs()
        if not paths:
            raise ImageError(
                f"{record} lists no outputs because its prediction did not finish: predict again."
            )
        self.target: Target = self.provenance.model.build_target()
        self._images = {self.target.output(name): open_image(path) for name, path in paths.items()}

    @property
    def provenance(self) -> Provenance:
        """Where it came from."""
        return self.prediction.provenance

    @property
    def can_decode(self) -> bool:
        """Whether its probability was kept, so that `decode` works."""
        return PROBABILITY in self._images

    def show(self, context: Context | None = None) -> Shown:
        """Return the outputs as they are on disk; small ones are loaded into memory.

        Raises
        ------
        ImageError
            If an output is damaged.
        Cancelled
            If the user asked to stop.
        """
        context = context or Context()
        arrays: dict[Output, Any] = {}
        for kind, image in self._images.items():
            context.check()
            data: Any = image.data
            if int(np.prod(image.shape)) * image.dtype.itemsize <= IN_MEMORY_LIMIT:
                data = image.load()
            arrays[kind] = data if kind == PROBABILITY else data[:, 0]
        parameters = self.target.parameters_type.from_values(self.provenance.parameters, "threshold")
        return Shown(arrays, self._maps(), parameters, self._summary(arrays))

    def decode(self, parameters: ParameterSet, context: Context | None = None) -> Shown:
        """Decode the kept probability with other thresholds; gives all that the target can tell.

        Raises
        ------
        ImageError
            If no probability was kept, it can't be read, or it is too large for the free memory.
        Cancelled
            If the user asked to stop.
        """
        context = context or Context()
        image = self._kept()
        require_memory(self.target, image.shape[2:], self.provenance.image)
        parts: dict[Output, list[NDArray[Any]]] = {}
        last = 0
        for _, maps in time_points(image):
            context.check()
            decoded = self.target.decode(maps, parameters)
            for kind in self.target.outputs:
                if kind.name in decoded:
                    parts.setdefault(kind, []).append(decoded[kind.name])
            last = max(last, 0 if decoded.labels is None else int(decoded.labels.max(initial=0)))
        context.check()
        arrays: dict[Output, Any] = {}
        for kind, found in parts.items():
            wide = kind == LABELS and last > np.iinfo(np.uint16).max
            arrays[kind] = np.stack(found).astype(np.uint32 if wide else kind.dtype, copy=False)
        summary = self._summary(arrays)
        return Shown(arrays, self._maps(), parameters, summary)

    def save(
        self,
        folder: Path,
        stem: str,
        kinds: Sequence[Output],
        parameters: ParameterSet,
        *,
        image: str = "",
        source: str = "",
        chosen: OutputFormat = OutputFormat.auto,
        context: Context | None = None,
    ) -> list[Path]:
        """Write outputs with these thresholds and their provenance to a folder, as a prediction of a file is.

        Parameters
        ----------
        folder, stem
            Where, and the name there.
        kinds : sequence of Output
            What to write.
        parameters : ParameterSet
            Where maps become objects.
        image : str, optional
            Name of the image, if the record should say another one than that of the scratch file.
        source : str, optional
            File behind the image; empty if it has none.
        chosen : OutputFormat
            ``auto`` writes TIFF up to 2 GB of output.
        context : Context, optional
            Progress and cancel.

        Raises
        ------
        ImageError
            If the folder can't be written, or a file that does not belong to a prediction has the name.
        Cancelled
            If the user asked to stop; the folder then holds what it held before.
        """
        maps = self._kept()
        place = Place(folder, stem)
        record = self.provenance
        if parameters.values() != record.parameters:
            record = with_parameters(record, parameters)
        record = record.model_copy(
            update={"image": image or record.image, "input": _fingerprint(source), "outputs": []}
        )
        specs = plan_outputs(
            kinds,
            self._maps(),
            maps.shape,
            record.pixel_size_um,
            place,
            file_format=chosen,
        )
        write_decoded(
            maps,
            self.target,
            parameters,
            place,
            record,
            specs,
            context or Context(),
            message=f"Saving {stem}",
        )
        return [place.path, *(spec.path for spec in specs)]

    def _kept(self) -> Image:
        if not self.can_decode:
            raise ImageError(
                f"The probability of `{self.provenance.image}` was not kept: predict it with probability."
            )
        return self._images[PROBABILITY]

    def _maps(self) -> tuple[str, ...]:
        return tuple(spec.name for spec in self.target.maps)

    def _summary(self, arrays: dict[Output, Any]) -> str:
        labels = arrays.get(LABELS)
        unit = "voxels" if self.target.dims == 3 else "px"
        if isinstance(labels, np.ndarray):
            return count_objects(labels, unit)
        if self.provenance.n_objects is not None:
            return counted(self.provenance.n_objects, "object")
        classes = arrays.get(CLASSES)
        if isinstance(classes, np.ndarray):
            return _shares(classes)
        for output, array in arrays.items():
            if output.layer == "mask" and isinstance(array, np.ndarray):
                name = "Foreground" if output == MASK else output.label
                return f"{name} {np.count_nonzero(array) / max(1, array.size):.1%}"
        return ""


def count_objects(labels: NDArray[Any], unit: str = "px") -> str:
    """Return how many objects there are and their median size, as a sentence.

    Parameters
    ----------
    labels : (T, Z, Y, X) int
        Numbered from 1 in each time point.
    unit : str
        Unit of the size, ``"px"`` or ``"voxels"``.
    """
    sizes = np.concatenate([np.bincount(plane.ravel())[1:] for plane in labels])
    sizes = sizes[sizes > 0]
    if not len(sizes):
        return "No objects"
    return f"{counted(len(sizes), 'object')}, median {np.median(sizes):.0f} {unit}"


def _fingerprint(source: str) -> Any:
    if not source or not exists(source):
        return None
    with reading(source, ImageError):
        return fingerprint(source)


def _shares(array: NDArray[Any]) -> str:
    counts = np.bincount(array.ravel(), minlength=2)
    shares = [f"{count / max(1, array.size):.1%}" for count in counts[1:]]
    return ", ".join(f"class {number} {share}" for number, share in enumerate(shares, 1))
