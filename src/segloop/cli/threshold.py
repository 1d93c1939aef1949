"""``segloop threshold``."""

from __future__ import annotations

from pathlib import Path

import click

from segloop.cli.arguments import json_option, print_data
from segloop.core.wording import counted


@click.command()
@click.argument("folder", metavar="PREDICTIONS", type=click.Path(path_type=Path))
@click.option(
    "--foreground", type=click.FloatRange(0, 1), help="Probability from which a pixel is foreground."
)
@click.option("--otsu", is_flag=True, help="Choose the foreground threshold of each image by Otsu's method.")
@click.option("--min-size", type=click.IntRange(0), help="Remove smaller objects, in pixels.")
@click.option(
    "--splitting", type=click.FloatRange(0, 1), help="Depth of the notch that cuts two halves apart."
)
@click.argument("parameters", nargs=-1, metavar="[NAME=VALUE]...")
@json_option
def threshold(
    folder: Path,
    parameters: tuple[str, ...],
    foreground: float | None,
    otsu: bool,
    min_size: int | None,
    splitting: float | None,
    as_json: bool,
) -> int:
    """Turn the probabilities kept in PREDICTIONS into labels again, with other thresholds.

    NAME=VALUE sets any parameter of the model's target, for example foreground=0.4.

    \b
    Example:
      segloop threshold predictions/ --foreground 0.4 --min-size 30
    """
    from segloop.app.predicting import RETHRESHOLD_FOLDER, rethreshold_files
    from segloop.cli.following import follow

    if otsu and foreground is not None:
        raise click.UsageError("Choose --otsu or --foreground, not both.")
    options = {"foreground": foreground, "min_size": min_size, "splitting": splitting}
    chosen = {name: value for name, value in options.items() if value is not None}
    with follow(folder / RETHRESHOLD_FOLDER):
        summary = rethreshold_files(folder, {**_by_name(parameters), **chosen}, otsu=otsu)
    data = {"n_done": summary.n_done, "problems": list(summary.problems)}
    print_data(data, [f"Decoded {counted(summary.n_done, 'prediction')} again in {folder}."], as_json)
    return 1 if summary.problems else 0


def _by_name(parameters: tuple[str, ...]) -> dict[str, str]:
    values = {}
    for parameter in parameters:
        name, found, value = parameter.removeprefix("threshold.").partition("=")
        if not found or not name.isidentifier():
            raise click.UsageError(f"Write a parameter as NAME=VALUE, not {parameter!r}.")
        values[name] = value
    return values
