"""Score pairs of files, with the trivial baseline beside them, and write metrics and report."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from segloop.core.context import Context
from segloop.core.errors import ImageError, SegloopError
from segloop.core.matching import Array
from segloop.evaluation.baseline import best_channel_baseline
from segloop.evaluation.charts import Point
from segloop.evaluation.report import ReportRow, write_report
from segloop.evaluation.scores import ImageScore, make_folder, pool, score_image, write_metrics
from segloop.images.labels import read_labels
from segloop.images.pairing import Pair
from segloop.images.read import open_image

MOST_PICTURES = 30


@dataclass
class _Scored:
    """What is known of the pairs scored so far."""

    scores: dict[str, ImageScore] = field(default_factory=dict)
    baseline: dict[str, ImageScore] = field(default_factory=dict)
    pairs: dict[str, Pair] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    truth_has_objects: bool = False
    prediction_has_objects: bool = False


def evaluate_files(
    pairs: Sequence[Pair],
    out: str | os.PathLike[str],
    *,
    instances: bool | None = None,
    classes: bool = False,
    context: Context = Context(),  # noqa: B008 - frozen, without state of its own
    baseline_raw: Mapping[str, Path | None] | None = None,
    title: str = "Evaluation",
    curves: Mapping[str, Sequence[Point]] | None = None,
    config_yaml: str = "",
    problems: Sequence[str] = (),
) -> dict[str, Any]:
    """Score predictions against truth and write ``metrics.json``, ``metrics.csv`` and ``report.html``.

    Parameters
    ----------
    pairs : sequence of Pair
        ``raw`` is the prediction and ``seg`` the truth: two label images, masks or class maps of one shape.
    out : path
        Folder for the three files; made if it is missing.
    instances : bool, optional
        Whether labels are objects. If left out, they are unless all truths or all predictions are masks.
    classes : bool, optional
        True where values are classes and confusing two of them is an error; then nothing is an object.
    context : Context, optional
        Progress and cancel.
    baseline_raw : mapping of str to path, optional
        Raw image by stem, for the baseline and the pictures. Stems may lack one, or have None.
    title, curves, config_yaml : optional
        Passed on to the report, see `segloop.evaluation.report.write_report`.
    problems : sequence of str, optional
        What went wrong before, such as files without a partner; listed first.

    Returns
    -------
    dict
        Content of ``metrics.json``, and under ``"problems"`` one sentence for each pair or raw image that is
        unusable; the others are scored nevertheless.

    Raises
    ------
    ImageError
        If no pair can be scored, or the folder can't be written to.
    Cancelled
        If the user asked to stop; no file is written then.
    """
    scored = _Scored(problems=list(problems))
    raw_files = baseline_raw or {}
    for pair in context.track(pairs, len(pairs), "Scoring"):
        try:
            _score_pair(
                scored, pair, raw_files.get(pair.stem), instances=instances is not False, classes=classes
            )
        except SegloopError as error:
            scored.problems.append(str(error))
    if not scored.scores:
        if not pairs:
            raise ImageError(
                "There is no pair to score: give predictions and truth with the same file stems."
            )
        raise ImageError(f"None of {len(pairs)} pairs could be scored: {scored.problems[-1]}")

    as_objects = not classes and (
        instances if instances is not None else scored.truth_has_objects and scored.prediction_has_objects
    )
    if not as_objects:
        scored.scores = {stem: _without_objects(score) for stem, score in scored.scores.items()}
        scored.baseline = {stem: _without_objects(score) for stem, score in scored.baseline.items()}
    metrics = pool(scored.scores.values(), scored.baseline.values())
    shown = _spread(scored.scores, MOST_PICTURES)
    # The report comes first: it takes time, and a cancel must not leave metrics beside an older report.
    write_report(
        make_folder(out) / "report.html",
        title=title,
        figures=_rows(scored, shown, raw_files, context),
        curves=curves or {},
        scores=metrics,
        classes=classes,
        config_yaml=config_yaml,
        problems=scored.problems,
        note=f"{len(shown)} of {len(scored.scores)} images, from the worst to the best, evenly chosen."
        if len(shown) < len(scored.scores)
        else "",
    )
    write_metrics(out, scored.scores, scored.baseline)
    return {**metrics, "problems": list(scored.problems)}


def _score_pair(scored: _Scored, pair: Pair, raw: Path | None, *, instances: bool, classes: bool) -> None:
    pred, truth = _read_pair(pair)
    objects = instances and not classes
    scored.scores[pair.stem] = score_image(pred, truth, instances=objects, classes=classes)
    scored.pairs[pair.stem] = pair
    scored.truth_has_objects |= not _is_mask(truth)
    scored.prediction_has_objects |= not (_is_mask(pred) and pred.dtype.itemsize == 1)
    if raw is not None:
        image = _read_raw(raw, truth.shape)
        labels, _ = best_channel_baseline(image, truth)
        # The baseline knows one class; it is not held against it that the truth has several.
        scored.baseline[pair.stem] = score_image(labels, truth, instances=objects)


def _read_pair(pair: Pair) -> tuple[Array, Array]:
    pred, truth = read_labels(pair.raw), read_labels(pair.seg)
    if pred.shape != truth.shape:
        raise ImageError(
            f"{pair.raw} is {_size(pred)} but its truth {pair.seg} is {_size(truth)}: "
            "predict the very image that the truth belongs to."
        )
    return pred, truth


def _read_raw(path: Path, shape: tuple[int, ...]) -> Array:
    """Read the first scene and time point as (C, Z, Y, X)."""
    image = open_image(path)
    whole = slice(None)
    pixels = image.block(0, range(image.n_channels), whole, whole, whole)
    if pixels.shape[1:] != shape:
        raise ImageError(
            f"{path} is {_size(pixels[0])} but its truth is {_size(np.empty(shape, bool))}: "
            "give the raw images that the truth belongs to; its baseline and picture are left out."
        )
    return pixels


def _size(volume: Array) -> str:
    axes = ("Z", "Y", "X") if volume.shape[0] > 1 else ("Y", "X")
    return f"{' x '.join(map(str, volume.shape[-len(axes) :]))} pixels ({', '.join(axes)})"


def _is_mask(labels: Array) -> bool:
    """Tell whether there is at most one value above 0, and it is 1 or 255."""
    highest = int(labels.max(initial=0))
    return highest <= 1 or (highest == 255 and bool(np.isin(labels, (0, 255)).all()))


def _without_objects(score: ImageScore) -> ImageScore:
    return ImageScore(score.pixels, None, score.n_valid)


def _rank(score: ImageScore) -> tuple[float, float]:
    return (
        score.pixels.dice if score.instance is None else score.instance.average_precision(),
        score.pixels.dice,
    )


def _spread(scores: Mapping[str, ImageScore], most: int) -> list[str]:
    """Choose ``most`` images evenly from the worst to the best; all in their own order if there are few."""
    if len(scores) <= most:
        return list(scores)
    ranked = sorted(scores, key=lambda stem: _rank(scores[stem]))
    return [ranked[round(i * (len(ranked) - 1) / (most - 1))] for i in range(most)]


def _rows(
    scored: _Scored, stems: Sequence[str], raw_files: Mapping[str, Path | None], context: Context
) -> Iterator[ReportRow]:
    # Read again one by one: all images together may not fit into memory.
    for stem in context.track(stems, len(stems), "Drawing the report"):
        pred, truth = _read_pair(scored.pairs[stem])
        raw = raw_files.get(stem)
        image = None if raw is None else _raw_or_none(raw, truth.shape)
        yield ReportRow(stem, image, truth, pred, note=_note(scored.scores[stem], scored.baseline.get(stem)))


def _raw_or_none(path: Path, shape: tuple[int, ...]) -> Array | None:
    try:
        return _read_raw(path, shape)
    except SegloopError:
        # Already among the problems.
        return None


def _note(score: ImageScore, baseline: ImageScore | None) -> str:
    def of(one: ImageScore) -> str:
        objects = "" if one.instance is None else f", AP at IoU 0.50: {one.instance.average_precision():.3f}"
        return f"Dice {one.pixels.dice:.3f}{objects}"

    text = of(score)
    if score.instance is not None:
        text += f", {score.instance.n_pred} objects predicted, {score.instance.n_truth} true"
    return text if baseline is None else f"{text} (baseline: {of(baseline)})"
