"""``segloop dataset corrections``: how wrong the predictions in a dataset were."""

from __future__ import annotations

from pathlib import Path

import click

from segloop.cli.arguments import json_option, print_data
from segloop.cli.output import say


@click.command()
@click.argument("path", metavar="DATASET", type=click.Path(path_type=Path))
@json_option
def corrections(path: Path, as_json: bool) -> int:
    """Show what was corrected of the predictions in DATASET, for each sample and each model.

    Predictions count once they are corrected or accepted. Added objects were missed by the model, removed
    ones are not there, cut ones had been merged, and joined ones had been split.

    \b
    Example:
      segloop dataset corrections nuclei
    """
    from segloop.app.corrections import corrections_of
    from segloop.cli.progress import progress_shown
    from segloop.core.wording import counted, table_lines

    with progress_shown() as context:
        log = corrections_of(path, context)
    for sentence in log.problems:
        say(f"Warning: {sentence}", err=True)
    rows = [["sample", "model", "corrected", "objects", "added", "removed", "cut", "joined", "IoU", "time"]]
    for each in log.corrections:
        counts = (each.n_objects, each.added, each.removed, each.cut, each.joined)
        when = each.corrected[:16].replace("T", " ") or "not needed"
        rows.append(
            [each.sample, each.model, when, *map(str, counts), f"{each.iou:.3f}", f"{each.seconds:.0f} s"]
        )
    lines = table_lines(rows) if log.corrections else []
    for name, row in log.by_model().items():
        lines.append(
            f"{name}: {row['errors']:.0f} errors in {counted(int(row['objects']), 'object')} of "
            f"{counted(int(row['images']), 'image')} ({row['errors_per_object']:.1%})"
        )
    if log.n_waiting:
        lines.append(f"{counted(log.n_waiting, 'prediction')} not reviewed yet")
    print_data(log.as_data(), lines or ["There are no predictions in this dataset."], as_json)
    return 1 if log.problems else 0
