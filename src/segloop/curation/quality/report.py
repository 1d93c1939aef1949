"""A self-contained page about the quality of a dataset."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from segloop.core.wording import counted
from segloop.curation.quality.measures import all_sizes
from segloop.curation.quality.survey import Quality
from segloop.evaluation.charts import line_chart
from segloop.evaluation.page import problem_list, write_page

_BINS = 24
_MOST_ROWS = 200


def write_quality_report(path: str | os.PathLike[str], quality: Quality) -> None:
    """Write the page.

    Raises
    ------
    ImageError
        If the file can't be written.
    """
    summary = quality.summary()
    sizes = all_sizes(quality.measures)
    splits = ", ".join(f"{number} {name}" for name, number in summary["splits"].items())
    lead = f"{counted(summary['n_samples'], 'sample')} ({splits}), without those that were rejected"
    if sizes.size:
        lead += f"; {counted(sizes.size, 'object')}, half of them below {np.median(sizes):.0f} pixels"
    body = [
        f"<h1>Quality of {escape(quality.name)}</h1>",
        f'<p class="soft">{escape(lead)}.</p>',
        *_findings(quality),
        problem_list(quality.problems),
        *_charts(quality, sizes),
        *_classes(summary["class_shares"]),
        "<h2>Samples</h2>",
        _samples(quality),
    ]
    write_page(path, f"Quality of {quality.name}", [part for part in body if part])


def _findings(quality: Quality) -> Iterable[str]:
    yield "<h2>What to look at</h2>"
    if not quality.findings:
        yield "<p>Nothing was found.</p>"
        return
    for kind in dict.fromkeys(finding.kind for finding in quality.findings):
        found = [finding for finding in quality.findings if finding.kind is kind]
        yield f"<h3>{escape(kind.value)} ({len(found)})</h3>"
        rows = [[finding.sample, finding.sentence] for finding in found[:_MOST_ROWS]]
        more = f"<p>And {len(found) - _MOST_ROWS} more.</p>" if len(found) > _MOST_ROWS else ""
        yield _table(["sample", ""], rows) + more


def _charts(quality: Quality, sizes: NDArray[np.int64]) -> Iterable[str]:
    counts = np.array([each.n_objects for each in quality.measures])
    medians = np.array(
        [each.channels[0].median for each in quality.measures if each.channels], dtype=np.float64
    )
    charts = [
        _histogram(np.sqrt(sizes), "square root of the size of objects in pixels", "objects"),
        _histogram(counts, "objects in a sample", "samples") if sizes.size else "",
        _histogram(medians, "median intensity of the first channel", "samples"),
    ]
    shown = [chart for chart in charts if chart]
    if shown:
        yield "<h2>Distributions</h2>"
        yield f'<div class="side">{"".join(shown)}</div>'


def _histogram(values: NDArray[np.generic], x_label: str, y_label: str) -> str:
    if np.unique(values).size < 2:
        return ""
    counts, edges = np.histogram(np.asarray(values, np.float64), bins=_BINS)
    corners = [
        (float(edge), float(count))
        for pair in zip(edges[:-1], edges[1:], counts, strict=True)
        for edge, count in ((pair[0], pair[2]), (pair[1], pair[2]))
    ]
    return line_chart({y_label: corners}, x_label=x_label, y_label=y_label)


def _classes(shares: dict[str, float]) -> Iterable[str]:
    if shares:
        yield "<h2>Classes</h2>"
        yield _table(
            ["value", "share of the pixels"], [[name, f"{share:.1%}"] for name, share in shares.items()]
        )


def _samples(quality: Quality) -> str:
    rows = []
    for each in quality.measures[:_MOST_ROWS]:
        size = f"{np.median(each.sizes):.0f}" if each.sizes.size else ""
        channels = "; ".join(
            f"{one.name}: {one.low:g}, {one.median:g}, {one.high:g}" for one in each.channels
        )
        rows.append([each.id, each.split, each.verdict, str(each.n_objects), size, channels])
    more = len(quality.measures) - _MOST_ROWS
    head = [
        "sample",
        "split",
        "verdict",
        "objects",
        "median size",
        "intensities: 1st, 50th, 99.8th percentile",
    ]
    return _table(head, rows) + (f"<p>And {more} more.</p>" if more > 0 else "")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table; columns with anything but numbers are aligned to the left."""
    kinds = [
        ""
        if all(row[column].replace(".", "").isdigit() or not row[column] for row in rows)
        else ' class="text"'
        for column in range(len(head))
    ]
    top = "".join(f"<th{kind}>{escape(each)}</th>" for kind, each in zip(kinds, head, strict=True))
    lines = "".join(
        "<tr>"
        + "".join(f"<td{kind}>{escape(each)}</td>" for kind, each in zip(kinds, row, strict=True))
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table>"
