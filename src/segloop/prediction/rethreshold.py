"""Kept probabilities decoded again with other thresholds, without the network."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from segloop.artifacts.prediction.place import Place, find_predictions
from segloop.artifacts.prediction.provenance import (
    Prediction,
    Provenance,
    timestamp,
)
from segloop.core.context import Context
from segloop.core.errors import Cancelled, ImageError, SegloopError
from segloop.images.read import open_image
from segloop.prediction.inputs import output_name
from segloop.prediction.output_plan import output_specs
from segloop.prediction.outputs import OutputSpec
from segloop.prediction.writing import time_points, write_decoded
from segloop.targets import ParameterSet, Target
from segloop.targets.output import PROBABILITY, Output

if TYPE_CHECKING:
    from segloop.images.image import Image


@dataclass(frozen=True)
class RethresholdSummary:
    """What came of decoding a folder again.

    Attributes
    ----------
    n_done : int
        Predictions decoded again.
    problems : tuple of str
        One sentence for each prediction that could not be.
    outputs : tuple of Path
        What was written.
    """

    n_done: int
    problems: tuple[str, ...]
    outputs: tuple[Path, ...]


def rethreshold_folder(
    folder: str | os.PathLike[str],
    values: Mapping[str, Any],
    context: Context | None = None,
    *,
    otsu: bool = False,
) -> RethresholdSummary:
    """Decode all kept probabilities in a folder and its subfolders with other thresholds.

    The labels, masks and classes of a prediction are replaced; where it has none, what its model learned is
    written beside the probability. They equal what a prediction with these thresholds gives.

    Parameters
    ----------
    folder : path
        Where predictions were written to.
    values : mapping of str to plain value
        New values of the target's parameters; the model's own for those left out.
    context : Context, optional
        Progress and cancel.
    otsu : bool, optional
        Choose the foreground threshold of each image by Otsu's method on its foreground probabilities (Otsu,
        "A threshold selection method from gray-level histograms", 1979).

    Raises
    ------
    ImageError
        If the folder does not exist, or keeps no probabilities.
    Cancelled
        If the user asked to stop; predictions decoded until then are kept.
    """
    context = context or Context()
    folder = Path(folder)
    kept = [found for found in find_predictions(folder) if found.output(PROBABILITY.name)]
    if not kept:
        raise ImageError(f"{folder} keeps no probabilities: predict with probability among the outputs.")
    problems: list[str] = []
    outputs: list[Path] = []
    for prediction in context.track(kept, len(kept), "Decoding"):
        try:
            outputs += rethreshold(prediction, values, context, otsu=otsu)
        except Cancelled:
            raise
        except SegloopError as error:
            problems.append(str(error))
    return RethresholdSummary(len(kept) - len(problems), tuple(problems), tuple(outputs))


def rethreshold(
    prediction: Prediction,
    values: Mapping[str, Any],
    context: Context | None = None,
    *,
    otsu: bool = False,
) -> list[Path]:
    """Decode one prediction again; see `rethreshold_folder`. Returns the outputs written.

    Raises
    ------
    ImageError
        If its probability is missing or does not fit its record, or an output can't be written.
    """
    context = context or Context()
    record = prediction.provenance
    used = record.model
    target = used.build_target()
    image = _kept_maps(prediction, target)
    chosen = target.parameters_type.from_values({**used.parameters, **values}, "threshold")
    if otsu:
        chosen = target.with_foreground(chosen, _otsu(target, image, context))
    specs = _plan(prediction, target, image)
    write_decoded(
        image,
        target,
        chosen,
        Place(prediction.path.parent, prediction.stem),
        with_parameters(record, chosen),
        specs,
        Context(cancelled=context.cancelled),
        kept=[output for output in record.outputs if output.kind == PROBABILITY.name],
    )
    return [spec.path for spec in specs]


def _kept_maps(prediction: Prediction, target: Target) -> Image:
    path = prediction.output(PROBABILITY.name)
    if path is None:
        raise ImageError(f"{prediction.path} names no probability: predict with the output probability.")
    image = open_image(path)
    if image.n_channels != len(target.maps):
        raise ImageError(
            f"{path} has {image.n_channels} maps, its record says {len(target.maps)}: "
            "predict the image again."
        )
    return image


def _plan(prediction: Prediction, target: Target, image: Image) -> list[OutputSpec]:
    record = prediction.provenance
    kinds = [target.output(each.kind) for each in record.outputs if each.kind != PROBABILITY.name]
    kinds = kinds or [target.outputs[0]]
    suffix = ".ome.zarr" if image.path is not None and image.path.suffix == ".zarr" else ".tif"

    def path_of(kind: Output) -> Path:
        name = output_name(prediction.stem, kind, [kind, PROBABILITY], suffix)
        return prediction.output(kind.name) or prediction.path.parent / name

    return output_specs(kinds, (), image.shape, record.pixel_size_um, path_of)


def with_parameters(record: Provenance, parameters: ParameterSet) -> Provenance:
    """Return the record of a prediction that was decoded again with other thresholds."""
    changes = {"parameters": parameters.values(), "rethresholded": timestamp()}
    return record.model_copy(update=changes)


def _otsu(target: Target, image: Image, context: Context) -> float:
    """Return the probability from which Otsu's method calls a pixel foreground, over all time points."""
    from skimage.filters import threshold_otsu

    counts = np.zeros(256, np.int64)
    for _, maps in time_points(image):
        context.check()
        foreground = target.foreground(maps)
        if foreground is None:
            raise ImageError(f"Otsu's method can't choose a threshold of the target '{target.name}'.")
        counts += np.bincount(foreground.ravel(), minlength=256)
    present = np.flatnonzero(counts)
    values = np.arange(present[0], present[-1] + 1)
    above = int(values[0])
    if len(values) > 1:
        above = int(threshold_otsu(hist=(counts[values], values)))
    return min(1.0, (above + 1) / 255)
