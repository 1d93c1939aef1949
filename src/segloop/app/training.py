"""Training as the docks, the command line and Python start it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from segloop.app.listener import Listener
from segloop.app.run import Run
from segloop.app.tasks import resume_run, train_run
from segloop.app.training_data import TrainingData, dataset_for
from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.model.model import Model
from segloop.artifacts.run.plan import TrainingPlan
from segloop.config import compose
from segloop.config.from_python import Settings, resolve
from segloop.config.train import StopConfig, TrainConfig
from segloop.core.context import Context
from segloop.core.errors import ConfigError, RunError
from segloop.core.paths import exists

if TYPE_CHECKING:
    from lightning.pytorch.callbacks import Callback
    from lightning.pytorch.loggers import Logger
    from numpy.typing import ArrayLike

    from segloop.artifacts.dataset.manifest import LabelKind
    from segloop.artifacts.job.job import OnEvent
    from segloop.training.extras import Extras

_TIMEOUT = 120  # seconds, for a plan made by another process


def make_config(
    dataset: str | os.PathLike[str] | None,
    *,
    config_file: str | os.PathLike[str] | None = None,
    init: str | None = None,
    overrides: Sequence[str] = (),
) -> TrainConfig:
    """Compose the config of a training.

    Parameters
    ----------
    dataset : path-like or None
        Curated dataset; None takes the one that ``config_file`` names.
    config_file : path-like, optional
        A saved config; ``overrides`` then apply on top of it.
    init : str, optional
        Model or run to start from.
    overrides : sequence of str
        Hydra overrides such as ``"network.size=large"``.

    Raises
    ------
    ConfigError
        If the file or an override is not valid, or no dataset is named.
    """
    if config_file is None:
        config = compose.compose(TrainConfig, overrides)
    else:
        config = compose.apply(compose.load(TrainConfig, config_file), overrides)
    if dataset is not None:
        config = replace(config, dataset=str(Path(dataset).resolve()))
    if init is not None:
        config = replace(config, init=absolute_if_path(init))
    if not config.dataset:
        raise ConfigError("No dataset is named: pass one, or a config that names one under 'dataset'.")
    return config


def absolute_if_path(model: str | os.PathLike[str]) -> str:
    """Return the absolute path of a model that is a file or folder; a name is returned unchanged."""
    model = os.fspath(model)
    return str(Path(model).resolve()) if exists(model) else model


def plan_training(
    config: TrainConfig, context: Context | None = None, *, import_torch: bool = True
) -> TrainingPlan:
    """Say what a training would do and why, within seconds and without training.

    Parameters
    ----------
    config : TrainConfig
        Names the dataset.
    context : Context, optional
        Receives progress; may cancel.
    import_torch : bool
        False for processes such as napari's that must not import torch: another process is then asked for the
        devices of this computer, once. Call it from a worker thread. A network of an installed package that
        does not know its stride in advance (see `segloop.networks.plans_without_torch`) is planned altogether
        in another process.

    Raises
    ------
    ConfigError, DatasetError, ModelError
        If the config is not valid, there is nothing to learn from, or the initial model can't be used.
    RunError
        If the other process fails.
    """
    from segloop.networks import plans_without_torch
    from segloop.training.planning.hardware import ask_hardware, find_hardware
    from segloop.training.planning.plan import plan

    if not import_torch and not plans_without_torch(config.network.name):
        return _plan_elsewhere(config)
    dataset = CuratedDataset.open(config.dataset)
    hardware = (find_hardware if import_torch else ask_hardware)(config.device)
    init = Model.load(config.init) if config.init else None
    return plan(dataset, config, hardware, context, init)


def _plan_elsewhere(config: TrainConfig) -> TrainingPlan:
    with TemporaryDirectory(prefix="segloop-plan-") as folder:
        file = Path(folder) / "config.yaml"
        compose.save(config, file)
        command = [sys.executable, "-m", "segloop", "train", "--config", str(file), "--plan", "--json"]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    if answer.returncode != 0:
        raise RunError(answer.stderr.strip().splitlines()[-1].removeprefix("Error: "))
    return TrainingPlan.from_dict(json.loads(answer.stdout))


def train(
    data: TrainingData,
    config: TrainConfig | None = None,
    *,
    out: str | os.PathLike[str],
    labels: str | os.PathLike[str] | Sequence[ArrayLike] | None = None,
    axes: str | None = None,
    val: float = 0.2,
    label_kind: LabelKind | None = None,
    init: str | os.PathLike[str] | None = None,
    overrides: Settings = (),
    on_event: OnEvent | None = None,
    callbacks: Callback | Sequence[Callback] = (),
    loggers: Logger | Sequence[Logger] = (),
) -> Run:
    """Train a network, in this process.

    Events also go to ``out/events.jsonl``; a file ``out/stop`` ends the training and keeps the best model so
    far.

    Parameters
    ----------
    data : CuratedDataset, path-like or sequence of array
        A curated dataset or its folder; or, with ``labels``, a folder of raw images or a list of arrays.
    config : TrainConfig, optional
        What to train; the defaults if absent.
    out : path-like
        Folder of the new run; must be new or empty.
    labels : path-like or sequence of array, optional
        Folder of the label images, which are matched by name; or one array for each image. A dataset of them
        is made in the run's folder.
    axes : str, optional
        Axes of the arrays, such as ``"CYX"`` or ``"ZYX"``; arrays of two dimensions are taken as ``"YX"``.
    val : float, optional
        Fraction of the images held aside for validation; not used with a curated dataset, which has a split.
    label_kind : {"instances", "semantic"}, optional
        Whether labels number objects or name classes; found out from the labels if absent. Not used with a
        curated dataset.
    init : path-like or str, optional
        Model or run to start from.
    overrides : mapping or sequence of str, optional
        Settings on top of ``config``: ``{"network.size": "large"}`` or ``["network.size=large"]``.
    on_event : callable, optional
        Called with each event (progress, metrics, messages, states; see `segloop.JobEvent`) as it happens, at
        times on another thread. If it raises `Cancelled`, training stops and keeps the best model so far; any
        other exception also stops the training and is then raised from here.
    callbacks : lightning.pytorch.Callback or sequence of them, optional
        Callbacks of Lightning, in addition to those of Segloop.
    loggers : lightning.pytorch.loggers.Logger or sequence of them, optional
        Loggers of Lightning, such as `TensorBoardLogger`; after each epoch they receive the values that
        ``metrics.csv`` holds.

    Returns
    -------
    Run
        The finished (or stopped) run; its method ``model`` returns the best model.

    Raises
    ------
    DatasetError, PairingError, ImageError, ConfigError, ModelError, RunError
        If the data, the config, the initial model or the folder can't be used.
    """
    extras = _extras(callbacks, loggers)
    chosen = resolve(config if config is not None else TrainConfig(), overrides)
    if init is not None:
        chosen = replace(chosen, init=absolute_if_path(init))
    folder = Path(out).resolve()
    listener = None if on_event is None else Listener(on_event, folder)
    with dataset_for(
        data, labels, folder, axes=axes, val=val, seed=chosen.seed, label_kind=label_kind
    ) as dataset:
        train_run(replace(chosen, dataset=str(dataset.resolve())), folder, listener, extras)
    if listener is not None:
        listener.reraise()
    return Run(folder)


def _extras(callbacks: Callback | Sequence[Callback], loggers: Logger | Sequence[Logger]) -> Extras | None:
    """Return what was passed for Lightning; one object or a sequence of them.

    Raises
    ------
    ConfigError
        If something else was passed.
    """
    if callbacks == () and loggers == ():
        return None
    from lightning.pytorch.callbacks import Callback
    from lightning.pytorch.loggers import Logger

    from segloop.training.extras import Extras

    all_callbacks = tuple(callbacks) if isinstance(callbacks, Sequence) else (callbacks,)
    all_loggers = tuple(loggers) if isinstance(loggers, Sequence) else (loggers,)
    for argument, values, kind in (("callbacks", all_callbacks, Callback), ("loggers", all_loggers, Logger)):
        for value in values:
            if not isinstance(value, kind):
                raise ConfigError(
                    f"{argument} takes objects of lightning.pytorch's {kind.__name__}, but one of "
                    f"{type(value).__module__}.{type(value).__qualname__} was passed."
                )
    return Extras(all_callbacks, all_loggers)


def resume(run: str | os.PathLike[str], overrides: Sequence[str] = ()) -> Run:
    """Continue a run that was stopped, failed or was lost: same weights, optimiser, schedule and epoch.

    Parameters
    ----------
    run : path-like
        The run's folder.
    overrides : sequence of str
        Only ``stop.*`` may change, to go on for longer than first said.

    Raises
    ------
    RunError
        If there is no such run, or nothing is left to do.
    ConfigError
        If an override is not about ``stop``.
    """
    resume_run(Path(run), resumed_limits(run, overrides))
    return Run(Path(run))


def resumed_limits(run: str | os.PathLike[str], overrides: Sequence[str]) -> StopConfig | None:
    """Return the new limits of a run that is continued, or None where they stay; see `resume`."""
    foreign = [override for override in overrides if not override.startswith("stop.")]
    if foreign:
        raise ConfigError(f"A resumed run keeps its config: {foreign[0]} can't change, only stop.* can.")
    return compose.apply(Run.open(run).config, overrides).stop if overrides else None
