"""Scoring predictions against truth, as the command line and Python ask for it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segloop.artifacts.prediction.place import find_predictions
from segloop.core.context import Context
from segloop.core.errors import PairingError
from segloop.core.paths import is_folder
from segloop.evaluation.intervals import interval_text
from segloop.images.listing import image_files
from segloop.images.pairing import Pairing, pair_by_stem

if TYPE_CHECKING:
    from segloop.evaluation.evaluate import LabelKind

_SCORED_KINDS = ("labels", "classes", "mask")
"""Outputs of a prediction that can be scored."""

Source = str | os.PathLike[str]


@dataclass(frozen=True)
class Evaluation:
    """The scores, and the problems met.

    Attributes
    ----------
    metrics : dict
        Content of ``metrics.json``.
    problems : tuple of str
        One sentence for each file that could not be scored.
    out : Path
        Folder with ``metrics.json``, ``metrics.csv`` and ``report.html``.
    """

    metrics: dict[str, Any]
    problems: tuple[str, ...]
    out: Path

    def summary(self) -> list[str]:
        """Return the main scores as readable lines, with the baseline beside them where there is one."""
        return score_lines(self.metrics)


def score_lines(metrics: Mapping[str, Any]) -> list[str]:
    """Return the main scores of ``metrics.json`` as readable lines."""
    baseline = metrics.get("baseline") or {}
    n_images = metrics["n_images"]
    lines = [f"{n_images} image{'' if n_images == 1 else 's'}"]
    shown: list[tuple[str, tuple[str, ...]]] = [
        ("Dice", ("semantic", "dice")),
        ("Dice, mean per image", ("semantic", "dice_per_image_mean")),
        ("IoU", ("semantic", "iou")),
        ("IoU, mean per image", ("semantic", "iou_per_image_mean")),
    ]
    classes = metrics["semantic"].get("classes") or {}
    if len(classes) > 1:
        for value in classes:
            shown += [
                (f"Dice of class {value}", ("semantic", "classes", value, "dice")),
                (f"IoU of class {value}", ("semantic", "classes", value, "iou")),
            ]
        shown.append(("Dice, mean per class", ("semantic", "dice_per_class_mean")))
    if metrics["instance"] is not None:
        shown += [
            ("AP at IoU 0.50", ("instance", "ap", "0.50")),
            ("AP at IoU 0.50, mean per image", ("instance", "ap50_per_image_mean")),
            ("mean AP 0.50-0.90", ("instance", "mean_ap_50_90")),
            ("mean AP 0.50-0.90, mean per image", ("instance", "mean_ap_per_image_50_90")),
            ("F1 at IoU 0.50", ("instance", "f1")),
            ("PQ at IoU 0.50", ("instance", "pq")),
        ]
    found = [(label, keys, _find(metrics, keys), _find(baseline, keys)) for label, keys in shown]
    width = max(len(label) for label, *_ in found)
    for label, keys, value, other in found:
        if value is not None:
            spread = interval_text(metrics.get("intervals"), keys)
            beside = f" ({spread})" if spread else ""
            beside += "" if other is None else f"   smoothed Otsu + connected components {other:.3f}"
            lines.append(f"{label:{width}s} {value:.3f}{beside}")
    if metrics["instance"] is not None:
        lines.append(_errors(metrics["instance"]))
    return lines


def _errors(instance: Mapping[str, Any]) -> str:
    """Return how many objects are wrong, and what costs more: objects not found, or their outlines."""
    errors = instance["errors"]
    kinds = ", ".join(f"{errors[kind]} {kind}" for kind in ("missed", "spurious", "split", "merged"))
    return (
        f"Of {errors['n_truth']} objects: {kinds}. Mean AP lost to objects that were not found "
        f"{instance['lost_to_objects_not_found']:.3f}, to imprecise outlines "
        f"{instance['lost_to_imprecise_outlines']:.3f}."
    )


def _find(scores: Any, keys: Sequence[str]) -> float | None:
    for key in keys:
        if not scores or key not in scores:
            return None
        scores = scores[key]
    return float(scores)


def evaluate(
    predictions: Source,
    truth: Source,
    *,
    out: Source,
    raw: Source | None = None,
    title: str = "Evaluation",
    curves: Mapping[str, Sequence[tuple[float, float]]] | None = None,
    config_yaml: str = "",
    only_predicted: bool = False,
    label_kind: LabelKind | None = None,
    rule: str | None = None,
    context: Context | None = None,
) -> Evaluation:
    """Score predictions against truth; files are paired as by `segloop.images.pairing.pair_by_stem`.

    Parameters
    ----------
    predictions : path-like
        Folder, glob or file of label images, masks or classes; a folder that Segloop predicted into may hold
        several outputs of an image, of which the labels (else classes, else mask) are scored.
    truth : path-like
        Folder, glob or file of label images or masks; may be a folder of predictions too.
    out : path-like
        Folder for ``metrics.json``, ``metrics.csv`` and ``report.html``.
    raw : path-like, optional
        Raw images by the same stems, for the pictures and the baseline (smoothed Otsu, connected components).
    title, curves, config_yaml : optional
        For the report: heading, training curves by name, and the config.
    only_predicted : bool, optional
        Whether truths without a prediction are ignored instead of reported.
    label_kind : {"instances", "semantic"}, optional
        Whether values number objects or name classes, see `segloop.evaluation.evaluate.evaluate_files`; by
        default what the records of the predictions say, else guessed from the values.
    rule : str, optional
        A rule for pairing predictions and truth that replaces the usual ones, such as ``*_pred=*_mask``.
    context : Context, optional
        Progress and cancel.

    Raises
    ------
    PairingError, ImageError
        If nothing can be paired or scored, or ``out`` can't be written.
    """
    from segloop.evaluation.evaluate import evaluate_files

    kinds = _recorded_outputs(Path(predictions))
    pairing = pair_by_stem(
        _scored(Path(predictions), kinds) or predictions,
        truth,
        rule=rule,
        roles=("labels", "labels"),
        report_unused=not only_predicted,
    )
    raws: dict[str, Path | None] = {}
    problems = list(pairing.problems)
    if raw is not None:
        by_truth = _raws_of(raw, truth, problems)
        raws = {pair.stem: by_truth.get(pair.seg) for pair in pairing.pairs}
    result = evaluate_files(
        pairing.pairs,
        out,
        label_kind=label_kind or _recorded_kind(kinds, pairing),
        context=context or Context(),
        baseline_raw=raws,
        title=title,
        curves=curves,
        config_yaml=config_yaml,
        problems=problems,
    )
    return Evaluation(result, tuple(result.pop("problems")), Path(out))


def _raws_of(raw: Source, truth: Source, problems: list[str]) -> dict[Path, Path]:
    """Return the raw image of each truth that has one; no pair at all is a problem to report."""
    try:
        return {pair.seg: pair.raw for pair in pair_by_stem(raw, truth, report_unused=False).pairs}
    except PairingError as error:
        problems.append(f"There is no baseline: {error}")
        return {}


def _recorded_outputs(folder: Path) -> dict[Path, str]:
    """Return the kind of every output that the records of predictions in a folder list."""
    kinds: dict[Path, str] = {}
    for prediction in find_predictions(folder) if is_folder(folder) else ():
        kinds |= {path: kind for kind, path in prediction.outputs().items()}
    return kinds


def _scored(folder: Path, kinds: Mapping[Path, str]) -> list[Path]:
    """Return the images in a folder without the outputs that can't be scored."""
    if not kinds:
        return []
    return [file for file in image_files(folder) if kinds.get(file, "labels") in _SCORED_KINDS]


def _recorded_kind(kinds: Mapping[Path, str], pairing: Pairing) -> LabelKind | None:
    """Return "semantic" if the records of all predictions say that they are classes."""
    classes = all(kinds.get(pair.raw) == "classes" for pair in pairing.pairs)
    return "semantic" if classes else None
