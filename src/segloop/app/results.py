"""Finished predictions as the docks show them: opened, decoded again with other thresholds, saved, scored."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from segloop.artifacts.prediction.provenance import (
    Prediction,
    Provenance,
    ThresholdValues,
    timestamp,
)
from segloop.config.predict import OutputFormat, OutputKind
from segloop.core.context import Context
from segloop.core.errors import ImageError
from segloop.core.file_errors import reading
from segloop.core.fingerprint import fingerprint
from segloop.core.wording import counted
from segloop.targets import Target, Thresholds, make_target, quantise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from segloop.images.image import Image
    from segloop.prediction.outputs import OutputSpec

IN_MEMORY_LIMIT = 1 << 30
"""Bytes; larger outputs stay on disk and are read as they are looked at."""

_EVERYWHERE = (slice(None), slice(None), slice(None))


@dataclass(frozen=True, eq=False)
class Shown:
    """What there is to show of a prediction.

    Attributes
    ----------
    arrays : dict of OutputKind to array
        ``labels``, ``mask`` and ``classes`` are (T, Z, Y, X), ``probability`` is (T, K, Z, Y, X) with one map
        per name in ``maps``. NumPy arrays, or lazy dask arrays where they are large.
    maps : tuple of str
        Names of the maps of a probability.
    thresholds : Thresholds
        With which maps became objects.
    summary : str
        Such as ``"143 objects, median 312 px"``.
    """

    arrays: dict[OutputKind, Any] = field(repr=False)
    maps: tuple[str, ...]
    thresholds: Thresholds
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
        from segloop.images.read import open_image

        self.prediction = Prediction(Path(record), Provenance.read(record))
        self._images = {
            OutputKind(kind): open_image(path) for kind, path in self.prediction.outputs().items()
        }
        if not self._images:
            raise ImageError(f"{record} names no outputs, its prediction did not finish: predict again.")
        used = self.provenance.model
        self.target: Target = make_target(used.target, used.classes, used.dimensions, used.pixel_size_um)

    @property
    def provenance(self) -> Provenance:
        """Where it came from."""
        return self.prediction.provenance

    @property
    def can_decode(self) -> bool:
        """Whether its probability was kept, so that `decode` works."""
        return OutputKind.probability in self._images

    def show(self, context: Context | None = None) -> Shown:
        """Return the outputs as they are on disk; small ones are loaded into memory."""
        context = context or Context()
        arrays: dict[OutputKind, Any] = {}
        for kind, image in self._images.items():
            context.check()
            data: Any = image.data
            if int(np.prod(image.shape)) * image.dtype.itemsize <= IN_MEMORY_LIMIT:
                data = np.asarray(data)
            arrays[kind] = data if kind is OutputKind.probability else data[:, 0]
        thresholds = Thresholds(**self.provenance.thresholds.model_dump())
        return Shown(arrays, self._maps(), thresholds, self._summary(arrays))

    def decode(self, thresholds: Thresholds, context: Context | None = None) -> Shown:
        """Decode the kept probability with other thresholds; gives all that the target can tell.

        Raises
        ------
        ImageError
            If no probability was kept, or it can't be read.
        Cancelled
            If the user asked to stop.
        """
        context = context or Context()
        image = self._kept()
        parts: dict[OutputKind, list[NDArray[Any]]] = {}
        last = 0
        for t in range(image.n_timepoints):
            context.check()
            decoded = self.target.decode(_maps(image, t), thresholds)
            for kind in self.target.outputs:
                found = getattr(decoded, kind.value, None)
                if found is not None:
                    parts.setdefault(kind, []).append(found)
            last = max(last, 0 if decoded.labels is None else int(decoded.labels.max(initial=0)))
        context.check()
        arrays: dict[OutputKind, Any] = {kind: np.stack(found) for kind, found in parts.items()}
        if last <= np.iinfo(np.uint16).max and OutputKind.labels in arrays:
            arrays[OutputKind.labels] = arrays[OutputKind.labels].astype(np.uint16)
        summary = self._summary(arrays)
        return Shown(arrays, self._maps(), thresholds, summary)

    def save(
        self,
        folder: Path,
        stem: str,
        kinds: Sequence[OutputKind],
        thresholds: Thresholds,
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
        kinds : sequence of OutputKind
            What to write.
        thresholds : Thresholds
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
            If the folder can't be written, or something that is no prediction has the name.
        Cancelled
            If the user asked to stop; the folder then holds what it held before.
        """
        from segloop.prediction.outputs import open_writers
        from segloop.prediction.record import Place, output_file

        context = context or Context()
        maps = self._kept()
        specs = self._plan(folder, stem, kinds, chosen)
        record = self.provenance.model_copy(
            update={
                "image": image or self.provenance.image,
                "input": _fingerprint(source),
                "thresholds": ThresholdValues(**asdict(thresholds)),
                "outputs": [],
            }
        )
        if record.thresholds != self.provenance.thresholds:
            record = record.model_copy(update={"rethresholded": timestamp()})
        place = Place(folder, stem)
        n_objects = 0
        with place.reserve(record, [spec.path for spec in specs]), open_writers(specs) as writers:
            for t in context.track(range(maps.n_timepoints), maps.n_timepoints, f"Saving {stem}"):
                here = _maps(maps, t)
                decoded = self.target.decode(here, thresholds)
                n_objects += 0 if decoded.labels is None else int(decoded.labels.max(initial=0))
                for writer in writers:
                    kept = writer.spec.kind is OutputKind.probability
                    block = here if kept else getattr(decoded, writer.spec.kind.value)[None]
                    writer.write(t, _EVERYWHERE, block)
            entries = [output_file(writer.spec, writer.finish()) for writer in writers]
            for writer in writers:
                writer.commit()
            counted = n_objects if OutputKind.labels in kinds else None
            place.complete(record.model_copy(update={"outputs": entries, "n_objects": counted}))
        return [place.path, *(spec.path for spec in specs)]

    def _plan(
        self, folder: Path, stem: str, kinds: Sequence[OutputKind], chosen: OutputFormat
    ) -> list[OutputSpec]:
        from segloop.prediction.inputs import output_name
        from segloop.prediction.outputs import OutputSpec
        from segloop.prediction.predict import AUTO_TIFF_LIMIT

        t, k, z, y, x = self._kept().shape
        largest = t * z * y * x * max(2, k if OutputKind.probability in kinds else 1)
        zarr = chosen is OutputFormat.zarr or (chosen is OutputFormat.auto and largest > AUTO_TIFF_LIMIT)
        specs = []
        for kind in kinds:
            names = self._maps() if kind is OutputKind.probability else ()
            specs.append(
                OutputSpec(
                    kind,
                    folder / output_name(stem, kind, list(kinds), ".ome.zarr" if zarr else ".tif"),
                    (t, max(1, len(names)), z, y, x),
                    np.dtype(np.uint16 if kind is OutputKind.labels else np.uint8),
                    self.provenance.pixel_size_um,
                    names,
                )
            )
        return specs

    def _kept(self) -> Image:
        if not self.can_decode:
            raise ImageError(
                f"The probability of `{self.provenance.image}` was not kept: predict it with probability."
            )
        return self._images[OutputKind.probability]

    def _maps(self) -> tuple[str, ...]:
        return tuple(spec.name for spec in self.target.maps)

    def _summary(self, arrays: dict[OutputKind, Any]) -> str:
        labels = arrays.get(OutputKind.labels)
        unit = "voxels" if self.target.dims == 3 else "px"
        if isinstance(labels, np.ndarray):
            return count_objects(labels, unit)
        if self.provenance.n_objects is not None:
            return counted(self.provenance.n_objects, "object")
        for kind in (OutputKind.classes, OutputKind.mask):
            array = arrays.get(kind)
            if isinstance(array, np.ndarray):
                return _shares(array)
        return ""


def count_objects(labels: NDArray[Any], unit: str = "px") -> str:
    """Say how many objects there are and how large they are in the middle.

    Parameters
    ----------
    labels : (T, Z, Y, X) int
        Numbered anew in each time point.
    unit : str
        What a pixel is called.
    """
    sizes = np.concatenate([np.bincount(plane.ravel())[1:] for plane in labels])
    sizes = sizes[sizes > 0]
    if not len(sizes):
        return "No objects"
    return f"{counted(len(sizes), 'object')}, median {np.median(sizes):.0f} {unit}"


def score(prediction: NDArray[Any], truth: NDArray[Any], *, kind: OutputKind, context: Context) -> str:
    """Compare a shown output with the truth, in one line.

    Parameters
    ----------
    prediction : (T, Z, Y, X) int
        Labels, a mask or classes, as ``kind`` says.
    truth : int
        The same shape but for axes of length 1.

    Raises
    ------
    ImageError
        If the shapes differ, or the truth is no label image.
    """
    from segloop.core.metrics import count_pixels, match_instances

    truth = np.squeeze(np.asarray(truth))
    found = np.asarray(prediction)
    if np.squeeze(found).shape != truth.shape:
        raise ImageError(
            f"The truth has another size ({_times(truth.shape)}) than the result "
            f"({_times(np.squeeze(found).shape)}): choose the labels that belong to this image."
        )
    wanted = truth.reshape(found.shape)
    context.check()
    dice = count_pixels(found, wanted, classes=kind is OutputKind.classes).dice
    if kind is not OutputKind.labels:
        return f"Dice {dice:.2f}"
    counts = match_instances(found[0], wanted[0], (0.5,))
    for t in range(1, len(found)):
        context.check()
        counts += match_instances(found[t], wanted[t], (0.5,))
    return (
        f"AP at IoU 0.5 is {counts.average_precision(0.5):.2f}, Dice {dice:.2f}: "
        f"{counts.tp[0]} found, {counts.fn[0]} missed, {counts.fp[0]} made up"
    )


def _maps(image: Image, t: int) -> NDArray[np.uint8]:
    return quantise(image.block(t, range(image.n_channels), *_EVERYWHERE))


def _fingerprint(source: str) -> Any:
    if not source or not Path(source).exists():
        return None
    with reading(source, ImageError):
        return fingerprint(source)


def _shares(array: NDArray[Any]) -> str:
    counts = np.bincount(array.ravel(), minlength=2)
    shares = [f"{count / max(1, array.size):.1%}" for count in counts[1:]]
    if len(shares) == 1:
        return f"Foreground {shares[0]}"
    return ", ".join(f"class {number} {share}" for number, share in enumerate(shares, 1))


def _times(shape: Sequence[int]) -> str:
    return " x ".join(str(length) for length in shape)
