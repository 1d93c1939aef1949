"""One self-contained web page that shows what was scored: pictures, scores, curves, config."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from segloop.core.boundaries import TOLERANCE
from segloop.core.matching import Array
from segloop.evaluation.charts import Point, line_chart
from segloop.evaluation.errors_table import errors_table
from segloop.evaluation.intervals import interval_text
from segloop.evaluation.page import cell, plane, problem_list, write_page
from segloop.evaluation.pictures import (
    AGREEMENT,
    EXCLUDED,
    EXTRA,
    MISSED,
    OTHER_CLASS,
    difference_picture,
    image_picture,
    labels_picture,
    shared_numbers,
)


@dataclass(frozen=True)
class ReportRow:
    """What the report shows of one image.

    Attributes
    ----------
    name : str
        Name of the image.
    image : (C, Z, Y, X), any real dtype, or None
        Intensities; None where the raw image is not known.
    truth, prediction : (Z, Y, X) integer or bool
        Labels, mask or classes; 0 is background.
    valid : (Z, Y, X) bool or None
        Pixels that counted; None means all.
    note : str
        Shown beside the name, such as the scores of this image.
    """

    name: str
    image: Array | None
    truth: Array
    prediction: Array
    valid: Array | None = None
    note: str = ""


def write_report(
    path: str | os.PathLike[str],
    *,
    title: str,
    figures: Iterable[ReportRow],
    curves: Mapping[str, Sequence[Point]],
    scores: Mapping[str, Any],
    classes: bool = False,
    config_yaml: str = "",
    problems: Sequence[str] = (),
    note: str = "",
) -> None:
    """Write the report as one HTML file without scripts, that loads nothing from elsewhere.

    Parameters
    ----------
    path : path
        The file to write, replaced in one step.
    title : str
        Heading of the page.
    figures : iterable of ReportRow
        The images to show, drawn one by one so that a generator keeps memory small. Stacks are shown by their
        middle slice and their maximum projection. About 0.2 MB each in the file.
    curves : mapping of str to sequence of (epoch, value)
        Training curves by name. Those with "loss" in the name share a chart, so do others between 0 and 1.
    scores : mapping
        Content of ``metrics.json``, as `segloop.evaluation.scores.pool` gives it.
    classes : bool, optional
        True where the values of truth and prediction are classes.
    config_yaml : str, optional
        The config, folded away at the end.
    problems : sequence of str, optional
        What went wrong, one sentence each.
    note : str, optional
        A sentence above the pictures, such as how they were chosen.

    Raises
    ------
    ImageError
        If the file can't be written.
    """
    instances = scores.get("instance") is not None
    body = [_header(title, scores), _scores(scores)]
    body += [problem_list(problems), _curves(curves), _figures(figures, instances, classes, note)]
    if config_yaml.strip():
        body.append(f"<details><summary>Config</summary><pre>{escape(config_yaml)}</pre></details>")
    write_page(path, title, body)


_BASELINE = "smoothed Otsu + connected components"


def _header(title: str, scores: Mapping[str, Any]) -> str:
    n = scores["n_images"]
    cards: list[tuple[str, str, tuple[str, ...]]] = [("Dice", "foreground overlap", ("semantic", "dice"))]
    if scores.get("instance"):
        cards += [
            ("AP at IoU 0.50", "objects found", ("instance", "ap", "0.50")),
            ("Mean AP 0.50 to 0.90", "objects found and outlined", ("instance", "mean_ap_50_90")),
            ("Panoptic quality", "objects found and outlined", ("instance", "pq")),
        ]
    else:
        cards.append(("IoU", "intersection over union", ("semantic", "iou")))
    drawn = []
    for name, meaning, keys in cards:
        beside = _find(scores.get("baseline"), keys)
        second = meaning if beside is None else f"baseline {beside:.3f}"
        value = f"{_find(scores, keys):.3f}"
        drawn.append(f'<div class="card"><span>{name}</span><b>{value}</b><span>{second}</span></div>')
    counted = f"{n} image{'' if n == 1 else 's'} compared with the truth."
    return f'<h1>{escape(title)}</h1><p class="soft">{counted}</p><div class="cards">{"".join(drawn)}</div>'


def _find(scores: Mapping[str, Any] | None, keys: Sequence[str]) -> float | None:
    value: Any = scores
    for key in keys:
        if value is None:
            return None
        value = value.get(key)
    return None if value is None else float(value)


def _scores(scores: Mapping[str, Any]) -> str:
    rows: list[tuple[str, tuple[str, ...]]] = [
        ("Dice", ("semantic", "dice")),
        ("IoU", ("semantic", "iou")),
        ("Dice, mean per image", ("semantic", "dice_per_image_mean")),
        ("IoU, mean per image", ("semantic", "iou_per_image_mean")),
    ]
    classes = scores["semantic"].get("classes") or {}
    if len(classes) > 1:
        rows += [
            ("Dice, mean per class", ("semantic", "dice_per_class_mean")),
            ("IoU, mean per class", ("semantic", "iou_per_class_mean")),
        ]
    if scores.get("instance"):
        rows += [
            ("AP at IoU 0.50", ("instance", "ap", "0.50")),
            ("AP at IoU 0.75", ("instance", "ap", "0.75")),
            ("AP, mean of 0.50 to 0.90", ("instance", "mean_ap_50_90")),
            ("AP, mean of 0.50 to 0.95", ("instance", "mean_ap_50_95")),
            ("AP at IoU 0.50, mean per image", ("instance", "ap50_per_image_mean")),
            ("AP, mean of 0.50 to 0.90, mean per image", ("instance", "mean_ap_per_image_50_90")),
            ("F1 at IoU 0.50", ("instance", "f1")),
            ("Precision at IoU 0.50", ("instance", "precision")),
            ("Recall at IoU 0.50", ("instance", "recall")),
            ("Panoptic quality at IoU 0.50", ("instance", "pq")),
        ]
    if "hd95_per_image_mean" in scores["semantic"]:
        rows += [
            (
                f"Surface Dice at {TOLERANCE:g} px, mean per image",
                ("semantic", "surface_dice_per_image_mean"),
            ),
            ("Boundary distance HD95 in px, mean per image", ("semantic", "hd95_per_image_mean")),
        ]
    baseline = scores.get("baseline")
    spread = scores.get("intervals")
    head = "<th>Score</th><th>Prediction</th>" + ("<th>95 % interval</th>" if spread else "")
    head += "<th>Baseline</th><th>Gain</th>" if baseline else ""
    lines = []
    for name, keys in rows:
        value, beside = _find(scores, keys), _find(baseline, keys)
        if value is None:
            continue
        cells = f'<td>{name}</td><td class="main">{value:.3f}</td>'
        if spread:
            cells += f'<td class="interval">{interval_text(spread, keys)}</td>'
        if baseline:
            gain = "" if beside is None else f"{value - beside:+.3f}".replace("-", "−")
            cells += f"<td>{'' if beside is None else f'{beside:.3f}'}</td><td>{gain}</td>"
        lines.append(f"<tr>{cells}</tr>")
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
    said = "Pooled over all images unless named per image; 1 is perfect, for distances 0."
    if spread:
        said += " Intervals: how much the scores vary with the choice of the images (bootstrap)."
    if baseline:
        n = baseline["n_images"]
        said += f" Baseline: {_BASELINE}, best channel" + (
            f", {n} images." if n < scores["n_images"] else "."
        )
    chart = _ap_chart(scores)
    table += _class_table(classes)
    right = chart + errors_table(scores)
    columns = f'<div class="side"><div>{table}</div><div>{right}</div></div>'
    return f'<h2>Scores</h2><p class="soft">{said}</p>{columns}'


def _class_table(classes: Mapping[str, Mapping[str, float]]) -> str:
    """Return a table with the scores of each class, or nothing if there is only one."""
    if len(classes) < 2:
        return ""
    columns = {
        "Dice": "dice",
        "IoU": "iou",
        "Dice, mean per image": "dice_per_image_mean",
        "IoU, mean per image": "iou_per_image_mean",
    }
    head = "<th>Class</th>" + "".join(f"<th>{name}</th>" for name in columns) + "<th>Images</th>"
    lines = "".join(
        f"<tr><td>{escape(value)}</td>"
        + "".join(f"<td>{scores[key]:.3f}</td>" for key in columns.values())
        + f"<td>{scores['n_images']}</td></tr>"
        for value, scores in classes.items()
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"


def _ap_chart(scores: Mapping[str, Any]) -> str:
    lines: dict[str, Sequence[Point]] = {}
    for name, part in (("prediction", scores), ("baseline", scores.get("baseline") or {})):
        if part.get("instance"):
            lines[name] = [(float(threshold), value) for threshold, value in part["instance"]["ap"].items()]
    return line_chart(
        lines,
        x_label="IoU threshold",
        y_label="AP = TP / (TP + FP + FN)",
        y_range=(0.0, 1.0),
        markers=True,
        size=(540, 330),
    )


def _curves(curves: Mapping[str, Sequence[Point]]) -> str:
    charts: dict[str, dict[str, Sequence[Point]]] = {}
    for name, points in curves.items():
        values = [value for _, value in points if np.isfinite(value)]
        if not values:
            continue
        bounded = min(values) >= 0 and max(values) <= 1
        kind = "loss" if "loss" in name.lower() else "score" if bounded and max(values) > 0.02 else name
        charts.setdefault(kind, {})[name.replace("_", " ")] = points
    drawn = [
        line_chart(
            lines,
            x_label="epoch",
            y_label=kind.replace("_", " "),
            y_range=(0.0, 1.0) if kind == "score" else None,
        )
        for kind, lines in charts.items()
    ]
    return f'<h2>Training</h2><div class="side">{"".join(drawn)}</div>' if drawn else ""


def _figures(rows: Iterable[ReportRow], instances: bool, classes: bool, note: str) -> str:
    drawn = [_sample(row, instances, classes) for row in rows]
    if not drawn:
        return ""
    colours = {
        "agreement": AGREEMENT,
        "missed: only in the truth": MISSED,
        "extra: only in the prediction": EXTRA,
    }
    if classes:
        colours["other class"] = OTHER_CLASS
    if any(excluded for _, excluded in drawn):
        colours["excluded"] = EXCLUDED
    marks = [f'<span><i style="background:rgb{colour}"></i>{name}</span>' for name, colour in colours.items()]
    if instances:
        marks.append(
            '<span><i class="ring"></i>outlined: predicted object without a match at IoU 0.50</span>'
        )
    said = "Matched objects have the same colour in truth and prediction." if instances else ""
    lead = " ".join(filter(None, (escape(note), said)))
    return (
        f'<h2>Images</h2><p class="soft">{lead}</p><p class="legend"><b>Difference</b>{"".join(marks)}</p>'
        + "\n".join(html for html, _ in drawn)
    )


def _sample(row: ReportRow, instances: bool, classes: bool) -> tuple[str, bool]:
    """Return the HTML of one image, and whether parts of it are excluded."""
    pred, truth, wrong = row.prediction, row.truth, None
    if instances:
        pred, truth, wrong = shared_numbers(pred, truth, row.valid)
    n_slices = truth.shape[0]
    parts = []
    for z in [n_slices // 2, None] if n_slices > 1 else [0]:
        where = (
            "" if n_slices == 1 else ", maximum projection" if z is None else f", slice {z + 1} of {n_slices}"
        )
        valid = None if row.valid is None else plane(row.valid, z)
        p, t = plane(pred, z), plane(truth, z)
        cells = [
            cell(f"image{where}", None if row.image is None else image_picture(plane(row.image, z))),
            cell("truth", labels_picture(t, coloured=instances or classes, valid=valid)),
            cell("prediction", labels_picture(p, coloured=instances or classes, valid=valid)),
            cell(
                "difference",
                difference_picture(
                    p,
                    t,
                    valid=valid,
                    wrong_pred=None if wrong is None else plane(wrong, z),
                    classes=classes,
                ),
            ),
        ]
        parts.append(f'<div class="views">{"".join(cells)}</div>')
    note = f"<span>{escape(row.note)}</span>" if row.note else ""
    html = f'<section class="sample"><h3>{escape(row.name)}{note}</h3>{"".join(parts)}</section>'
    return html, row.valid is not None and not bool(np.all(row.valid))
