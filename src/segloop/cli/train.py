"""``segloop train``."""

from __future__ import annotations

from pathlib import Path

import click

from segloop.cli.arguments import json_option, print_data, split_overrides


@click.command()
@click.argument("arguments", nargs=-1, metavar="[DATASET] [KEY=VALUE]...")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder of the new run (or sweep); must be new or empty."
)
@click.option("--init", metavar="MODEL", help="Model or run to start from.")
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="Config file of a run to repeat, such as RUN/config.yaml.",
)
@click.option("--resume", type=click.Path(path_type=Path), metavar="RUN", help="Run to continue.")
@click.option(
    "--multirun", is_flag=True, help="Train one run for each combination of KEY=A,B in OUT/0, OUT/1, ..."
)
@click.option(
    "--plan", "plan_only", is_flag=True, help="Show what the training would do and why; don't train."
)
@json_option
def train(
    arguments: tuple[str, ...],
    out: Path | None,
    init: str | None,
    config: Path | None,
    resume: Path | None,
    multirun: bool,
    plan_only: bool,
    as_json: bool,
) -> int | None:
    """Train a network on a curated dataset.

    KEY=VALUE overrides any setting of the config reference, in Hydra's syntax. target=NAME, network=NAME,
    augmentation/more=[NAME,...] and loss.TERM=NAME choose what is built in or offered by an installed
    package; options follow, such as network.dropout=0.1. A message lists all names if one does not exist.

    \b
    Examples:
      segloop train nuclei-dataset --out run1 stop.max_minutes=10 network.size=medium
      segloop train nuclei-dataset --plan network.size=medium
      segloop train nuclei-dataset --out run1 network=monai.UNet augmentation/more=[affine,blur]
      segloop train --config run1/config.yaml --out run2
      segloop train --resume run1
      segloop train nuclei-dataset --out sweep --multirun network.size=small,large seed=1,2
    """
    plain, overrides = split_overrides(arguments)
    if len(plain) > 1:
        raise click.UsageError(f"Only one dataset is expected, but got {', '.join(plain)}.")
    if resume is not None:
        if plain or config or init or out or multirun or plan_only:
            raise click.UsageError("--resume takes only the run and stop.* overrides.")
        return _report(_resume(resume, overrides), as_json)
    if plan_only:
        if not plain and config is None:
            raise click.UsageError("Name a dataset, or a --config that names one.")
        return _show_plan(plain, init, config, overrides, as_json)
    if out is None:
        raise click.UsageError("Missing option '--out': name the folder of the new run.")
    if not plain and config is None:
        raise click.UsageError("Name a dataset, or a --config that names one.")
    if multirun:
        if config is not None or not plain:
            raise click.UsageError("--multirun takes only a dataset and overrides.")
        from segloop.cli.multirun import sweep

        return sweep(Path(plain[0]), out, init, overrides)
    return _report(_train(plain, out, init, config, overrides), as_json)


def _show_plan(
    plain: list[str], init: str | None, config: Path | None, overrides: list[str], as_json: bool
) -> int:
    from segloop.app.training import make_config, plan_training

    plan = plan_training(
        make_config(plain[0] if plain else None, config_file=config, init=init, overrides=overrides)
    )
    print_data(plan.to_dict(), plan.lines(), as_json)
    return 0


def _train(plain: list[str], out: Path, init: str | None, config: Path | None, overrides: list[str]) -> Path:
    from segloop.app.tasks import train_run
    from segloop.app.training import make_config
    from segloop.cli.following import follow

    chosen = make_config(plain[0] if plain else None, config_file=config, init=init, overrides=overrides)
    with follow(out):
        train_run(chosen, out)
    return out


def _resume(run: Path, overrides: list[str]) -> Path:
    from segloop.app.tasks import resume_run
    from segloop.app.training import resumed_limits
    from segloop.cli.following import follow

    with follow(run):
        resume_run(run, resumed_limits(run, overrides))
    return run


def _report(run: Path, as_json: bool) -> int:
    from segloop.artifacts.run.run import Run

    model = Run.open(run).model_dir
    lines = [f"Run: {run}", f"Model: {model}" if model.is_dir() else "There is no model yet: resume the run."]
    print_data({"run": str(run), "model": str(model) if model.is_dir() else None}, lines, as_json)
    return 0
