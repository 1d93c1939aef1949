"""The page of a comparison: table, curves, scores on degraded images, and where models differ most."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from segloop.core.matching import Array
from segloop.evaluation.charts import Point, line_chart
from segloop.evaluation.comparison import SCORE_TITLES, degraded_table, table
from segloop.evaluation.page import cell, plane, problem_list, write_page
from segloop.evaluation.pictures import (
    AGREEMENT,
    EXTRA,
    MISSED,
    difference_picture,
    image_picture,
    labels_picture,
    shared_numbers,
)

_MOST_LINES = 7  # colours of a chart


@dataclass(frozen=True)
class ComparedImage:
    """What the page shows of one image.

    Attributes
    ----------
    name : str
        Of the sample.
    image : (C, Z, Y, X), any real dtype
        Intensities.
    truth : (Z, Y, X) integer or bool
        Labels, mask or classes.
    valid : (Z, Y, X) bool
        Pixels that counted.
    predictions : mapping of str to (Z, Y, X) integer
        By the name of the model and its score, as the caption.
    """

    name: str
    image: Array
    truth: Array
    valid: Array
    predictions: Mapping[str, Array]


def write_comparison_report(
    path: str | os.PathLike[str],
    summary: Mapping[str, Any],
    images: Iterable[ComparedImage],
    problems: Sequence[str] = (),
) -> None:
    """Write the page as one HTML file without scripts, that loads nothing from elsewhere.

    Parameters
    ----------
    path : path
        The file to write, replaced in one step.
    summary : mapping
        As `segloop.evaluation.comparison.summarise` gives it.
    images : iterable of ComparedImage
        To show, drawn one by one.
    problems : sequence of str, optional
        What went wrong, one sentence each.

    Raises
    ------
    ImageError
        If the file can't be written.
    """
    title = SCORE_TITLES[summary["score"]]
    n_images = summary["models"][summary["best"]]["n_images"]
    lead = (
        f"{n_images} image{'' if n_images == 1 else 's'}, ranked by {title}. Differences are those to "
        f"{summary['best']} on the same images. "
        "If an interval includes 0, the difference may come from the choice of the images."
    )
    body = [
        "<h1>Comparison</h1>",
        f'<p class="soft">{escape(lead)}</p>',
        _table(table(summary)),
        problem_list(problems),
        _ap_chart(summary),
        _degraded(summary),
        _images(images, summary["score"] == "ap50"),
    ]
    write_page(path, "Comparison", body)


def _table(rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(text)}</th>" for text in rows[0])
    lines = "".join(f"<tr>{''.join(f'<td>{escape(text)}</td>' for text in row)}</tr>" for row in rows[1:])
    return f"<table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"


def _ap_chart(summary: Mapping[str, Any]) -> str:
    named = {**summary["models"], **summary["baselines"]}
    lines: dict[str, Sequence[Point]] = {
        name: [(float(threshold), value) for threshold, value in scores["instance"]["ap"].items()]
        for name, scores in list(named.items())[:_MOST_LINES]
        if scores["instance"] is not None
    }
    if summary["score"] != "ap50":
        return ""
    chart = line_chart(
        lines,
        x_label="IoU threshold",
        y_label="AP = TP / (TP + FP + FN)",
        y_range=(0.0, 1.0),
        markers=True,
        size=(760, 380),
    )
    return f"<h2>Average precision</h2>{chart}"


def _degraded(summary: Mapping[str, Any]) -> str:
    rows = degraded_table(summary)
    if not rows:
        return ""
    said = f"{SCORE_TITLES[summary['score']]} after the images were changed; the labels are changed alike."
    return f'<h2>Degraded images</h2><p class="soft">{escape(said)}</p>{_table(rows)}'


def _images(images: Iterable[ComparedImage], objects: bool) -> str:
    drawn = [_image(image, objects) for image in images]
    if not drawn:
        return ""
    colours = {
        "agreement": AGREEMENT,
        "missed: only in the truth": MISSED,
        "extra: only in the prediction": EXTRA,
    }
    marks = [f'<span><i style="background:rgb{colour}"></i>{name}</span>' for name, colour in colours.items()]
    if objects:
        marks.append(
            '<span><i class="ring"></i>outlined: predicted object without a match at IoU 0.50</span>'
        )
    return (
        "<h2>Images on which the models differ most</h2>"
        f'<p class="legend">{"".join(marks)}</p>' + "\n".join(drawn)
    )


def _image(shown: ComparedImage, objects: bool) -> str:
    z = shown.truth.shape[0] // 2
    valid = plane(shown.valid, z)
    truth = plane(shown.truth, z)
    cells = [
        cell("image", image_picture(plane(shown.image, z))),
        cell("truth", labels_picture(truth, coloured=True, valid=valid)),
    ]
    for caption, labels in shown.predictions.items():
        wrong = plane(shared_numbers(labels, shown.truth, shown.valid)[2], z) if objects else None
        picture = difference_picture(plane(labels, z), truth, valid=valid, wrong_pred=wrong)
        cells.append(cell(caption, picture))
    where = "" if shown.truth.shape[0] == 1 else f"<span>slice {z + 1} of {shown.truth.shape[0]}</span>"
    name = escape(shown.name)
    return (
        f'<section class="sample"><h3>{name}{where}</h3><div class="views">{"".join(cells)}</div></section>'
    )
