"""``segloop train --multirun``: the sweep is handed to Hydra's launcher."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from segloop.cli.output import say


def sweep(dataset: Path, out: Path, init: str | None, overrides: list[str]) -> int:
    """Train one run per combination of the overrides, in ``out/0``, ``out/1`` and so on.

    Returns
    -------
    int
        Exit status: 0, or 1 where a run failed (the others are done all the same).
    """
    from hydra import main

    from segloop.artifacts.dataset.curated_dataset import CuratedDataset
    from segloop.artifacts.job.job import JobFolder
    from segloop.artifacts.job.state import JobState
    from segloop.config.compose import CONF_DIR, register_schema
    from segloop.core.errors import RunError

    if out.exists() and any(out.iterdir()):
        raise RunError(f"The sweep folder {out} is not empty: choose a new one.")
    CuratedDataset.open(dataset)
    _check(overrides)
    register_schema()
    arguments = [
        f"dataset={_quoted(dataset.resolve())}",
        *([f"init={_quoted(init)}"] if init else []),
        f"hydra.sweep.dir={_quoted(out.resolve())}",
        "hydra.sweep.subdir=${hydra.job.num}",
        "hydra/job_logging=none",
        "hydra/hydra_logging=none",
        *overrides,
    ]
    before = sys.argv
    sys.argv = ["segloop", "--multirun", *arguments]
    try:
        main(config_path=str(CONF_DIR), config_name="train", version_base="1.3")(train_one)()
    finally:
        sys.argv = before
    runs = [run for run in sorted(out.iterdir()) if run.is_dir()]
    failed = [run.name for run in runs if JobFolder(run).recorded_state() is JobState.failed]
    failed += [run.name for run in runs if run.name not in failed and not (run / "model").is_dir()]
    for name in failed:
        say(f"Error: run {name} of the sweep failed: see {out / name / 'log.txt'}.", err=True)
    return 1 if failed else 0


def train_one(node: Any) -> float | None:
    """Train one run of a sweep; returns its best validation score for Hydra's optimising sweepers."""
    from hydra.core.hydra_config import HydraConfig

    from segloop.app.training import train
    from segloop.cli.following import follow
    from segloop.config.compose import from_node
    from segloop.config.train import TrainConfig
    from segloop.core.errors import SegloopError
    from segloop.targets import TARGETS

    out = Path(HydraConfig.get().runtime.output_dir)
    try:
        config = from_node(TrainConfig, node)
        with follow(out):
            run = train(config.dataset, config, out=out)
    except SegloopError as error:
        say(f"Error: {out.name}: {error}", err=True)
        return None
    deciding = TARGETS.get(run.config.target.kind).metrics[0].name
    scores = run.metrics().get(f"val_{deciding}") or []
    return max((value for _, value in scores), default=None)


def _check(overrides: list[str]) -> None:
    """Compose each swept value with the first of the others: mistakes show before anything is made."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    from segloop.config.compose import compose
    from segloop.config.train import TrainConfig
    from segloop.core.errors import ConfigError

    try:
        parsed = OverridesParser.create().parse_overrides(overrides)
    except HydraException as error:
        raise ConfigError(str(error).splitlines()[0]) from error
    fixed: list[str] = []
    swept: list[list[str]] = []
    for override in parsed:
        if override.key_or_group.split(".")[0].split("/")[0] == "hydra":
            continue
        if override.is_discrete_sweep():
            key = override.get_key_element()
            swept.append([f"{key}={value}" for value in override.sweep_string_iterator()])
        elif not override.is_sweep_override():
            fixed.append(str(override.input_line))
    compose(TrainConfig, [*fixed, *(values[0] for values in swept)])
    for number, values in enumerate(swept):
        others = [each[0] for index, each in enumerate(swept) if index != number]
        for value in values[1:]:
            compose(TrainConfig, [*fixed, *others, value])


def _quoted(value: object) -> str:
    # Hydra reads a quoted value literally but for the quote and the backslash before it.
    return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"
