"""``segloop dataset stats``."""

from __future__ import annotations

from pathlib import Path

import click

from segloop.cli.arguments import json_option, print_data


@click.command()
@click.argument("path", metavar="DATASET", type=click.Path(path_type=Path))
@click.option("--report", metavar="FILE", type=click.Path(path_type=Path), help="Also write an HTML page.")
@json_option
def stats(path: Path, report: Path | None, as_json: bool) -> int:
    """Measure the samples of a curated dataset, and say what to look at.

    Copies of an image in two splits, samples without labels, objects in several pieces, tiny ones and those
    without signal, labels damaged by lossy compression, overexposed images and hot pixels are named.

    \b
    Examples:
      segloop dataset stats nuclei
      segloop dataset stats nuclei --report quality.html
    """
    from segloop.artifacts.dataset.curated_dataset import CuratedDataset
    from segloop.cli.progress import progress_shown
    from segloop.core.wording import counted
    from segloop.curation.quality.report import write_quality_report
    from segloop.curation.quality.survey import survey_dataset

    with progress_shown() as context:
        quality = survey_dataset(CuratedDataset.open(path), context)
    if report is not None:
        write_quality_report(report, quality)
    summary = quality.summary()
    lines = [f"{counted(summary['n_samples'], 'sample')}, {counted(summary['n_objects'], 'object')}"]
    if sizes := summary["object_size_percentiles"]:
        few, middle, many = (f"{sizes[each]:.0f}" for each in ("5", "50", "95"))
        lines.append(f"Median size of an object: {middle} pixels, 90 % from {few} to {many}")
    lines += [f"Class {name}: {share:.1%} of the pixels" for name, share in summary["class_shares"].items()]
    lines += [f"Warning: {each}" for each in quality.problems]
    lines += [f"{each.kind.value}: {each.sample}: {each.sentence}" for each in quality.findings]
    lines += [] if quality.findings else ["Nothing to look at was found."]
    lines += [f"Report: {report}"] if report is not None else []
    print_data(summary, lines, as_json)
    return 1 if quality.problems else 0
