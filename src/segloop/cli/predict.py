"""``segloop predict``."""

from __future__ import annotations

from pathlib import Path

import click

from segloop.cli.arguments import axes_option, json_option, print_data, split_overrides
from segloop.core.wording import counted


@click.command()
@click.argument("model", metavar="MODEL")
@click.argument("arguments", nargs=-1, required=True, metavar="INPUT... [KEY=VALUE]...")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the outputs.")
@click.option(
    "--output",
    metavar="NAME[,NAME]",
    help="What to write, such as labels, mask, classes or probability; by default the model's main output.",
)
@click.option(
    "--format", "file_format", type=click.Choice(["auto", "tiff", "zarr"]), default="auto", show_default=True
)
@click.option(
    "--device", type=click.Choice(["auto", "cpu", "cuda", "mps"]), default="auto", show_default=True
)
@click.option(
    "--channel", "channels", multiple=True, help="Channel for the model's next input, by name or number."
)
@axes_option
@json_option
def predict(
    model: str,
    arguments: tuple[str, ...],
    out: Path,
    output: str | None,
    file_format: str,
    device: str,
    channels: tuple[str, ...],
    axes: str,
    as_json: bool,
) -> int:
    """Apply MODEL (a folder, zip, run or name) to images, folders or globs.

    Each output keeps the stem and the subfolder of its input; <stem>.json beside it records how it was made.
    Images that can't be predicted are named, and the others are predicted. What the same model has predicted
    with the same settings is kept; again=true predicts it again.

    \b
    Example:
      segloop predict run1 images/ --out predictions --output labels,probability
    """
    from segloop.app.predicting import JOB_FOLDER, predict_files
    from segloop.cli.following import follow
    from segloop.config.device import DeviceConfig, DeviceKind
    from segloop.config.predict import OutputFormat, PredictConfig

    inputs, overrides = split_overrides(arguments)
    if not inputs:
        raise click.UsageError("Name at least one image, folder or glob.")
    config = PredictConfig(
        channels=list(channels),
        axes=axes,
        format=OutputFormat(file_format),
        outputs=[name.strip() for name in output.split(",")] if output else [],
        device=DeviceConfig(kind=DeviceKind(device)),
    )
    with follow(out / JOB_FOLDER):
        summary = predict_files(model, inputs, out=out, config=config, overrides=overrides)
    data = {
        "out": str(out),
        "n_done": summary.n_done,
        "n_kept": summary.n_kept,
        "problems": list(summary.problems),
    }
    n_new = summary.n_done - summary.n_kept
    print_data(data, [f"Predicted {counted(n_new, 'image')} into {out}."], as_json)
    return 1 if summary.problems else 0
