"""Scoring predictions against truth, as the command line and Python ask for it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segloop.artifacts.prediction.provenance import find_predictions
from segloop.core.context import Context
from segloop.core.errors import ImageError
from segloop.images.pairing import Pair, Pairing, files_by_stem, pair_by_stem

if TYPE_CHECKING:
    from segloop.evaluation.evaluate import LabelKind

_SCORED_KINDS = ("labels", "classes", "mask")
"""Outputs of a prediction that can be scored, best first."""

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
    found = [(label, _find(metrics, keys), _find(baseline, keys)) for label, keys in shown]
    width = max(len(label) for label, _, _ in found)
    for label, value, other in found:
        if value is not None:
            beside = "" if other is None else f"   smoothed Otsu + connected components {other:.3f}"
            lines.append(f"{label:{width}s} {value:.3f}{beside}")
    return lines


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
    context: Context | None = None,
) -> Evaluation:
    """Score predictions against truth; files are paired by subfolder and stem.

    Parameters
    ----------
    predictions : path-like
        Folder, glob or file of label images, masks or classes; a folder that Segloop predicted into may hold
        several outputs of an image, of which the labels (else classes, else mask) are scored.
    truth : path-like
        Folder, glob or file of label images or masks.
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
    context : Context, optional
        Progress and cancel.

    Raises
    ------
    PairingError, ImageError
        If nothing can be paired or scored, or ``out`` can't be written.
    """
    from segloop.evaluation.evaluate import evaluate_files

    outputs = _scored_outputs(Path(predictions))
    if outputs:
        files = {stem: path for stem, (_, path) in outputs.items()}
        pairing = _match(files, files_by_stem(truth), Path(predictions), only_predicted)
    else:
        pairing = pair_by_stem(predictions, truth)
    raws: dict[str, Path | None] = {}
    if raw is not None:
        raws = dict(files_by_stem(raw))
    result = evaluate_files(
        pairing.pairs,
        out,
        label_kind=label_kind or _recorded_kind(outputs, pairing),
        context=context or Context(),
        baseline_raw=raws,
        title=title,
        curves=curves,
        config_yaml=config_yaml,
        problems=pairing.problems,
    )
    problems = tuple(result.pop("problems"))
    return Evaluation(result, problems, Path(out))


def _scored_outputs(folder: Path) -> dict[str, tuple[str, Path]]:
    """Return kind and file of the output to score, by stem, of each prediction in a folder."""
    outputs: dict[str, tuple[str, Path]] = {}
    for prediction in find_predictions(folder) if folder.is_dir() else ():
        for kind in _SCORED_KINDS:
            path = prediction.output(kind)
            if path is not None:
                stem = prediction.path.relative_to(folder).as_posix().removesuffix(".json")
                outputs[stem] = (kind, path)
                break
    return outputs


def _recorded_kind(outputs: Mapping[str, tuple[str, Path]], pairing: Pairing) -> LabelKind | None:
    """Return "semantic" if the records of all predictions say that they are classes."""
    classes = outputs and all(outputs[pair.stem][0] == "classes" for pair in pairing.pairs)
    return "semantic" if classes else None


def _match(
    outputs: Mapping[str, Path], truths: Mapping[str, Path], folder: Path, only_predicted: bool
) -> Pairing:
    pairs = [Pair(stem, path, truths[stem]) for stem, path in outputs.items() if stem in truths]
    if not pairs:
        raise ImageError(f"None of the {len(outputs)} predictions in {folder} has a truth of the same stem.")
    problems = [
        f"{path} has no truth of the same stem." for stem, path in outputs.items() if stem not in truths
    ]
    if not only_predicted:
        missing = [path for stem, path in truths.items() if stem not in outputs]
        problems += [f"{path} has no prediction of the same stem." for path in missing]
    return Pairing(tuple(pairs), tuple(problems))
