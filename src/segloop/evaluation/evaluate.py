"""Score pairs of files and the trivial baseline, and write metrics and report."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from segloop.core.boundaries import compare_boundaries
from segloop.core.context import Context
from segloop.core.errors import ImageError, SegloopError
from segloop.core.matching import Array
from segloop.evaluation.baseline import best_channel_baseline
from segloop.evaluation.charts import Point
from segloop.evaluation.report import ReportRow, write_report
from segloop.evaluation.scores import ImageScore, make_folder, pool, score_image, write_metrics
from segloop.images.label_quality import label_defect
from segloop.images.labels import read_labels
from segloop.images.pairing import Pair
from segloop.images.read import open_image
from segloop.targets.objects import connected_objects

MOST_PICTURES = 30
MOST_CLASSES = 255
"""Images with more values than this hold objects, not classes."""

LabelKind = Literal["instances", "semantic"]


@dataclass
class _Values:
    """What the images of one side hold, taken together."""

    numbered: bool = False
    ones: bool = False
    only_255: bool = False
    wide: bool = False

    def add(self, labels: Array) -> None:
        if not _is_mask(labels):
            self.numbered = True
        elif labels.max(initial=0) == 255:
            self.only_255 = True
        elif labels.max(initial=0) == 1:
            self.ones = True
        # Only a wide type holds objects for sure where there is at most one.
        self.wide |= labels.dtype.itemsize > 1

    @property
    def are_white_masks(self) -> bool:
        """Whether 0 and 255 are the only values."""
        return self.only_255 and not self.numbered and not self.ones


@dataclass(frozen=True)
class _PairScore:
    """Scores of one pair of files, for each meaning that its values may have; None where not computed."""

    pair: Pair
    foreground: ImageScore
    objects: ImageScore | None
    classes: ImageScore | None
    baseline: ImageScore | None


@dataclass
class _Scored:
    """The pairs scored so far."""

    by_stem: dict[str, _PairScore] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    truth: _Values = field(default_factory=lambda: _Values())
    prediction: _Values = field(default_factory=lambda: _Values())


def evaluate_files(
    pairs: Sequence[Pair],
    out: str | os.PathLike[str],
    *,
    label_kind: LabelKind | None = None,
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
        Folder for the three files; created if it is missing.
    label_kind : {"instances", "semantic"}, optional
        Whether values number objects or name classes. With ``"instances"``, the objects of a mask are its
        connected components. With ``"semantic"``, each value above 0 is a class of its own; masks with 0 and
        255 have one class, whatever its value on the other side. By default objects, unless all truths or all
        predictions are masks: then everything above 0 is one class.
    context : Context, optional
        Progress and cancel.
    baseline_raw : mapping of str to path, optional
        Raw image by stem, for the baseline and the pictures. Stems may lack one, or have None.
    title, curves, config_yaml : optional
        Passed on to the report, see `segloop.evaluation.report.write_report`.
    problems : sequence of str, optional
        Earlier problems, such as files without a partner; listed first.

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
            _score_pair(scored, pair, raw_files.get(pair.stem), label_kind)
        except SegloopError as error:
            scored.problems.append(str(error))
    if not scored.by_stem:
        if not pairs:
            raise ImageError(
                "There are no pairs to score: choose predictions and truth with the same file stems."
            )
        raise ImageError(f"None of {len(pairs)} pairs could be scored: {scored.problems[-1]}")

    kind, classes = label_kind or _guessed_kind(scored), _has_classes(scored)
    scores = {stem: _chosen(one, kind, classes) for stem, one in scored.by_stem.items()}
    baseline = {
        stem: one.baseline if kind == "instances" else _as_foreground(one.baseline)
        for stem, one in scored.by_stem.items()
        if one.baseline is not None
    }
    metrics = pool(scores.values(), baseline.values())
    shown = _spread(scores, MOST_PICTURES)
    # The report comes first: it takes time, and a cancel must not leave metrics beside an older report.
    write_report(
        make_folder(out) / "report.html",
        title=title,
        figures=_rows(scored, scores, baseline, shown, raw_files, label_kind, context),
        curves=curves or {},
        scores=metrics,
        classes=any(score.classes and set(score.classes) != {1} for score in scores.values()),
        config_yaml=config_yaml,
        problems=scored.problems,
        note=f"{len(shown)} of {len(scores)} images, evenly chosen from the worst to the best."
        if len(shown) < len(scores)
        else "",
    )
    write_metrics(out, scores, baseline)
    return {**metrics, "problems": list(scored.problems)}


def _guessed_kind(scored: _Scored) -> LabelKind:
    objects = scored.truth.numbered and (scored.prediction.numbered or scored.prediction.wide)
    return "instances" if objects else "semantic"


def _has_classes(scored: _Scored) -> bool:
    sides = scored.truth, scored.prediction
    return any(side.numbered for side in sides) and not any(side.are_white_masks for side in sides)


def _score_pair(scored: _Scored, pair: Pair, raw: Path | None, label_kind: LabelKind | None) -> None:
    pred, truth = _read_pair(pair)
    for path, labels in ((pair.raw, pred), (pair.seg, truth)):
        defect = label_defect(labels)
        scored.problems += [defect.sentence(path)] if defect else []
    boundary = compare_boundaries(pred, truth)
    foreground = replace(score_image(pred, truth, instances=False), boundary=boundary)
    objects = classes = None
    if label_kind != "semantic":
        score = score_image(*_objects(pred, truth, label_kind), instances=True)
        objects = replace(score, boundary=boundary)
    if label_kind == "semantic":
        _require_classes(pair, pred, truth)
        classes = replace(score_image(pred, truth, instances=False, classes=True), boundary=boundary)
    scored.by_stem[pair.stem] = _PairScore(pair, foreground, objects, classes, None)
    scored.truth.add(truth)
    scored.prediction.add(pred)
    if raw is not None:
        image = _read_raw(raw, truth.shape)
        labels, _ = best_channel_baseline(image, truth)
        # The baseline has one class; that the truth has several does not count against it.
        compared = _objects(labels, truth, label_kind)[1]
        baseline = score_image(labels, compared, instances=label_kind != "semantic")
        scored.by_stem[pair.stem] = replace(scored.by_stem[pair.stem], baseline=baseline)


def _objects(pred: Array, truth: Array, label_kind: LabelKind | None) -> tuple[Array, Array]:
    """Replace a mask by its connected components where labels are said to be objects."""
    if label_kind != "instances":
        return pred, truth
    dims = 3 if truth.shape[0] > 1 else 2
    labels = [connected_objects(each > 0, dims) if _is_mask(each) else each for each in (pred, truth)]
    return labels[0], labels[1]


def _require_classes(pair: Pair, pred: Array, truth: Array) -> None:
    for path, labels in ((pair.raw, pred), (pair.seg, truth)):
        values = np.unique(labels).size
        if values > MOST_CLASSES + 1:
            raise ImageError(
                f"{path} holds {values} different values, too many for classes: "
                "score it with the label kind instances."
            )


def _chosen(one: _PairScore, kind: LabelKind, classes: bool) -> ImageScore:
    if kind == "instances" and one.objects is not None:
        return one.objects
    return one.classes if classes and one.classes is not None else one.foreground


def _as_foreground(score: ImageScore) -> ImageScore:
    return replace(score, instance=None, errors=None, classes={1: score.pixels})


def _read_pair(pair: Pair) -> tuple[Array, Array]:
    pred, truth = read_labels(pair.raw), read_labels(pair.seg)
    if pred.shape != truth.shape:
        raise ImageError(
            f"{pair.raw} is {_size(pred)} but its truth {pair.seg} is {_size(truth)}: "
            "predict the image that the truth belongs to."
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
            "choose the raw images that the truth belongs to; its baseline and picture are left out."
        )
    return pixels


def _size(volume: Array) -> str:
    axes = ("Z", "Y", "X") if volume.shape[0] > 1 else ("Y", "X")
    return f"{' x '.join(map(str, volume.shape[-len(axes) :]))} pixels ({', '.join(axes)})"


def _is_mask(labels: Array) -> bool:
    """Whether there is at most one value above 0, and it is 1 or 255."""
    highest = int(labels.max(initial=0))
    return highest <= 1 or (highest == 255 and bool(np.isin(labels, (0, 255)).all()))


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
    scored: _Scored,
    scores: Mapping[str, ImageScore],
    baseline: Mapping[str, ImageScore],
    stems: Sequence[str],
    raw_files: Mapping[str, Path | None],
    label_kind: LabelKind | None,
    context: Context,
) -> Iterator[ReportRow]:
    # Read again one by one: all images together may not fit into memory.
    for stem in context.track(stems, len(stems), "Drawing the report"):
        pred, truth = _read_pair(scored.by_stem[stem].pair)
        pred, truth = _objects(pred, truth, label_kind)
        raw = raw_files.get(stem)
        image = None if raw is None else _raw_or_none(raw, truth.shape)
        yield ReportRow(stem, image, truth, pred, note=_note(scores[stem], baseline.get(stem)))


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
        text += f", {score.instance.n_pred} objects predicted, {score.instance.n_truth} in the truth"
    return text if baseline is None else f"{text} (baseline: {of(baseline)})"
