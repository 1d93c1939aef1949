"""Scores of one image, pooled over many, and the files they are written to."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import numpy as np

from segloop.core.atomic import write_json, write_text
from segloop.core.boundaries import BoundaryScore
from segloop.core.errors import ImageError
from segloop.core.file_errors import writing
from segloop.core.matching import Array, find_overlaps
from segloop.core.metrics import (
    IOU_THRESHOLDS,
    BinaryCounts,
    InstanceCounts,
    count_classes,
    count_instances,
    count_pixels,
)
from segloop.core.object_errors import ObjectErrors, count_object_errors
from segloop.evaluation.intervals import intervals

_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # how one begins in a spreadsheet


@dataclass(frozen=True)
class ImageScore:
    """The counts of one image.

    Attributes
    ----------
    pixels : BinaryCounts
        Foreground pixels; for classes, summed over the classes.
    instance : InstanceCounts or None
        Objects at `IOU_THRESHOLDS`; None where the image holds a mask or classes instead of objects.
    n_valid : int
        Number of pixels that counted.
    classes : mapping of int to BinaryCounts, or None
        Pixels of each class in prediction or truth; None where the image holds objects.
    errors : ObjectErrors or None
        What is wrong with the objects; None where ``instance`` is.
    boundary : BoundaryScore or None
        How far the boundaries of the foreground lie apart; None where nobody asked for it.
    """

    pixels: BinaryCounts
    instance: InstanceCounts | None
    n_valid: int
    classes: Mapping[int, BinaryCounts] | None = None
    errors: ObjectErrors | None = None
    boundary: BoundaryScore | None = None


def score_image(
    pred: Array, truth: Array, *, instances: bool, valid: Array | None = None, classes: bool = False
) -> ImageScore:
    """Compare a prediction with the truth.

    Parameters
    ----------
    pred, truth : same shape, usually (Z, Y, X), integer or bool
        Labels, mask (0 or not) or classes; 0 is background.
    instances : bool
        True where each label is one object.
    valid : same shape, bool, optional
        Only pixels where it is True count; all of them if left out.
    classes : bool, optional
        True where values are classes and confusing two of them is an error.

    Raises
    ------
    ValueError
        If the shapes differ, or ``instances`` and labels are not integers or are negative.
    """
    n_valid = int(np.size(truth)) if valid is None else int(np.count_nonzero(valid))
    pixels = count_pixels(pred, truth, valid, classes=classes)
    if instances:
        overlaps = find_overlaps(pred, truth, valid)
        return ImageScore(pixels, count_instances(overlaps), n_valid, errors=count_object_errors(overlaps))
    return ImageScore(pixels, None, n_valid, count_classes(pred, truth, valid) if classes else {1: pixels})


def pool(scores: Iterable[ImageScore], baseline: Iterable[ImageScore] = ()) -> dict[str, Any]:
    """Pool the counts of all images into the content of ``metrics.json``.

    Parameters
    ----------
    scores : iterable of ImageScore
        One for each image. Instance scores are given if every image has them.
    baseline : iterable of ImageScore, optional
        Scores of the trivial baseline, given in the same form under ``"baseline"``.

    Returns
    -------
    dict
        ``n_images``, ``semantic``, ``instance`` (None for masks and classes), ``intervals`` (None for fewer
        than five images) and, where given, ``baseline``.
        Where no image holds objects, ``semantic`` also has the scores of each class under ``classes``, and
        their unweighted means (``dice_per_class_mean``, ``iou_per_class_mean``). All scores are pooled over
        the images, except those named per image: means over the images that have valid pixels, and for one
        class over those of them in which it occurs.

    Raises
    ------
    ValueError
        If there is no score at all.
    """
    counted = list(scores)
    if not counted:
        raise ValueError("There are no scores to pool.")
    # An image that is excluded as a whole does not count in the means; its counts are all zero.
    valid = [score for score in counted if score.n_valid] or counted
    metrics: dict[str, Any] = {
        "n_images": len(counted),
        "semantic": _overlap(
            reduce(add, (score.pixels for score in counted)), [score.pixels for score in valid]
        ),
        "instance": None,
    }
    metrics["semantic"] |= _boundaries([score.boundary for score in valid])
    by_class = [score.classes for score in counted if score.classes is not None]
    if len(by_class) == len(counted):
        metrics["semantic"] |= _classes(by_class)
    instances = [score.instance for score in counted if score.instance is not None]
    if len(instances) == len(counted):
        pooled = reduce(add, instances)
        metrics["instance"] = _instance(
            pooled, [score.instance for score in valid if score.instance is not None]
        )
        errors = [score.errors for score in counted if score.errors is not None]
        metrics["instance"] |= _errors(reduce(add, errors), pooled)
    metrics["intervals"] = intervals([score.pixels for score in valid], [score.instance for score in valid])
    compared = list(baseline)
    if compared:
        metrics["baseline"] = pool(compared)
    return metrics


def _overlap(pooled: BinaryCounts, per_image: Sequence[BinaryCounts]) -> dict[str, Any]:
    return {
        "dice": pooled.dice,
        "iou": pooled.iou,
        "precision": pooled.precision,
        "recall": pooled.recall,
        "dice_per_image_mean": float(np.mean([one.dice for one in per_image])),
        "iou_per_image_mean": float(np.mean([one.iou for one in per_image])),
    }


def _boundaries(scores: Sequence[BoundaryScore | None]) -> dict[str, Any]:
    """Return the means over the images; nothing unless they are known of all of them."""
    known = [score for score in scores if score is not None]
    if len(known) < len(scores):
        return {}
    distances = [score.hd95 for score in known if score.hd95 is not None]
    return {
        "hd95_per_image_mean": float(np.mean(distances)) if distances else None,
        "surface_dice_per_image_mean": float(np.mean([score.surface_dice for score in known])),
    }


def _classes(by_class: Sequence[Mapping[int, BinaryCounts]]) -> dict[str, Any]:
    scores = {}
    for value in sorted(set().union(*by_class)):
        present = [counts[value] for counts in by_class if value in counts]
        pooled = reduce(add, present)
        occurring = [one for one in present if one != BinaryCounts(0, 0, 0)] or present
        scores[str(value)] = {**_overlap(pooled, occurring), "n_images": len(occurring)}
    if not scores:
        return {"dice_per_class_mean": 1.0, "iou_per_class_mean": 1.0, "classes": {}}
    return {
        "dice_per_class_mean": float(np.mean([score["dice"] for score in scores.values()])),
        "iou_per_class_mean": float(np.mean([score["iou"] for score in scores.values()])),
        "classes": scores,
    }


def _instance(counts: InstanceCounts, per_image: list[InstanceCounts]) -> dict[str, Any]:
    means = {
        f"{threshold:.2f}": float(np.mean([one.average_precision(threshold) for one in per_image]))
        for threshold in IOU_THRESHOLDS
    }
    return {
        "ap": {f"{threshold:.2f}": counts.average_precision(threshold) for threshold in IOU_THRESHOLDS},
        "mean_ap_50_90": counts.mean_average_precision(0.90),
        "mean_ap_50_95": counts.mean_average_precision(0.95),
        "f1": counts.f1(),
        "precision": counts.precision(),
        "recall": counts.recall(),
        "pq": counts.panoptic_quality(),
        "sq": counts.segmentation_quality(),
        "ap50_per_image_mean": means["0.50"],
        "ap_per_image": means,
        "mean_ap_per_image_50_90": float(np.mean([one.mean_average_precision(0.90) for one in per_image])),
    }


def _errors(errors: ObjectErrors, counts: InstanceCounts) -> dict[str, Any]:
    """Return the numbers of errors, and how much of the mean AP each of two causes takes."""
    found = errors.found_precision
    return {
        "errors": asdict(errors),
        "lost_to_objects_not_found": 1.0 - found,
        "lost_to_imprecise_outlines": found - counts.mean_average_precision(0.90),
    }


def write_metrics(
    out: str | os.PathLike[str],
    scores: Mapping[str, ImageScore],
    baseline: Mapping[str, ImageScore] | None = None,
) -> dict[str, Any]:
    """Write ``metrics.json`` (pooled) and ``metrics.csv`` (one line an image) into a folder.

    Parameters
    ----------
    out : path
        The folder; made if it is missing. Files of an earlier evaluation are replaced.
    scores, baseline : mapping of str to ImageScore
        By the name of the image. The baseline may lack images.

    Returns
    -------
    dict
        The content of ``metrics.json``, as `pool` describes it.

    Raises
    ------
    ImageError
        If the folder can't be written to.
    ValueError
        If there is no score at all.
    """
    compared = baseline or {}
    metrics = pool(scores.values(), compared.values())
    folder = make_folder(out)
    with writing(folder, ImageError):
        write_json(folder / "metrics.json", metrics)
        write_text(folder / "metrics.csv", _table(scores, compared))
    return metrics


def make_folder(out: str | os.PathLike[str]) -> Path:
    """Make the folder for an evaluation if it is missing.

    Raises
    ------
    ImageError
        If it can't be made.
    """
    folder = Path(out)
    with writing(folder, ImageError):
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def _table(scores: Mapping[str, ImageScore], baseline: Mapping[str, ImageScore]) -> str:
    rows = []
    for name, score in scores.items():
        row = {"name": name, **image_columns(score)}
        if name in baseline:
            row |= {f"baseline_{key}": value for key, value in image_columns(baseline[name]).items()}
        rows.append(row)
    return csv_table(rows)


def csv_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows of named values as CSV; blank where a row lacks a value that others have.

    A text that a spreadsheet would take for a formula, such as a file name that begins with ``=``, gets an
    apostrophe in front.
    """
    columns = list(dict.fromkeys(key for row in rows for key in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _no_formula(value) for key, value in row.items()} for row in rows)
    return text.getvalue()


def _no_formula(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def image_columns(score: ImageScore) -> dict[str, Any]:
    """Return the scores of one image by the names of their columns in ``metrics.csv``."""
    row: dict[str, Any] = {"dice": score.pixels.dice, "iou": score.pixels.iou}
    if score.classes is not None and set(score.classes) != {1}:
        for value, counts_of_class in score.classes.items():
            row |= {f"dice_class_{value}": counts_of_class.dice, f"iou_class_{value}": counts_of_class.iou}
    counts = score.instance
    if counts is not None:
        row |= {"n_truth": counts.n_truth, "n_predicted": counts.n_pred}
        row |= {f"ap_{threshold:.2f}": counts.average_precision(threshold) for threshold in IOU_THRESHOLDS}
        row |= {"f1": counts.f1(), "pq": counts.panoptic_quality()}
    if score.boundary is not None:
        row |= {"hd95": score.boundary.hd95, "surface_dice": score.boundary.surface_dice}
    if score.errors is not None:
        wrong = score.errors
        row |= {name: getattr(wrong, name) for name in ("missed", "spurious", "split", "merged")}
    return row
