"""A run: the folder that holds everything about one training."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from segloop.artifacts.job.job import EVENTS_FILE, STOP_FILE, JobFolder
from segloop.artifacts.run.plan import TrainingPlan
from segloop.config import compose
from segloop.config.train import StopConfig, TargetConfig, TrainConfig
from segloop.core.atomic import clear_leftovers, write_json, write_text
from segloop.core.errors import ConfigError, RunError
from segloop.core.file_errors import cannot_write, writing

CONFIG_FILE = "config.yaml"
PLAN_FILE = "plan.json"
METRICS_FILE = "metrics.csv"
LOG_FILE = "log.txt"

COLUMNS = (
    "epoch",
    "step",
    "seconds",
    "train_loss",
    "learning_rate",
    "val_loss",
)
"""First columns of ``metrics.csv``, one row per epoch; ``val_<name>`` of each metric of the target follows.

``seconds`` counts training time; a value is blank where nothing was measured.
"""

DATASET_FOLDER = "dataset"
"""Folder in a run for a dataset that was made for this run only."""

IMAGES_FOLDER = "images"
"""Folder in a run for the images of that dataset, where they were arrays."""

# What a job's folder may hold before its run begins: a submission, a request to stop, its own dataset.
_MAY_PRECEDE = frozenset({EVENTS_FILE, STOP_FILE, DATASET_FOLDER, IMAGES_FOLDER})


class Run:
    """One training, known by its folder.

    The folder holds ``config.yaml`` (repeats the run), ``plan.json`` (what was chosen automatically),
    ``events.jsonl``, ``metrics.csv``, ``log.txt``, ``checkpoints/`` and ``model/`` (the best so far).

    Make one with `Run.create`, find one with `Run.open`.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    @classmethod
    def create(cls, path: str | os.PathLike[str], config: TrainConfig) -> Run:
        """Make the folder of a new run.

        Parameters
        ----------
        path : path
            Must be new or empty; a submitted job's events may be there already.
        config : TrainConfig
            Saved as ``config.yaml``.

        Raises
        ------
        RunError
            If the folder is in use or can't be written.
        """
        run = cls(path)
        try:
            run.path.mkdir(parents=True, exist_ok=True)
            if any(entry.name not in _MAY_PRECEDE for entry in run.path.iterdir()):
                raise RunError(
                    f"{run.path} is not empty: choose another folder for the run, or delete this one."
                )
            run.checkpoints_dir.mkdir()
            compose.save(config, run.config_file)
        except FileExistsError as error:
            raise RunError(f"{run.path} is a file: choose another name for the run.") from error
        except OSError as error:
            raise RunError(cannot_write(run.path, error)) from error
        return run

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Run:
        """Find a run by its folder.

        Raises
        ------
        RunError
            If the folder is missing or is not a run.
        """
        if not Path(path).is_dir():
            raise RunError(f"There is no run {path}.")
        if not cls.is_run(path):
            raise RunError(f"{path} is not a run: it has no {CONFIG_FILE}.")
        return cls(path)

    @staticmethod
    def require_free(path: str | os.PathLike[str]) -> None:
        """Raise `RunError` if a folder holds anything, so that no new run can be made there."""
        folder = Path(path)
        if folder.is_dir() and any(folder.iterdir()):
            raise RunError(f"{folder} is not empty: choose another folder for the run, or delete this one.")

    @staticmethod
    def is_run(path: str | os.PathLike[str]) -> bool:
        """Whether a folder is a run."""
        folder = Path(path)
        return (folder / CONFIG_FILE).is_file() and (folder / "checkpoints").is_dir()

    @property
    def name(self) -> str:
        """The folder's name, also where the path doesn't spell it, such as ``.``."""
        return self.path.resolve().name

    @property
    def config_file(self) -> Path:
        """The resolved config; training with it repeats the run."""
        return self.path / CONFIG_FILE

    @property
    def metrics_file(self) -> Path:
        """Table of the epochs; it begins with `COLUMNS`."""
        return self.path / METRICS_FILE

    @property
    def log_file(self) -> Path:
        """What happened, line by line, for reading."""
        return self.path / LOG_FILE

    @property
    def checkpoints_dir(self) -> Path:
        """Folder of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def last_checkpoint(self) -> Path:
        """Everything needed to continue."""
        return self.checkpoints_dir / "last.ckpt"

    @property
    def best_checkpoint(self) -> Path:
        """State at the best validation so far."""
        return self.checkpoints_dir / "best.ckpt"

    @property
    def model_dir(self) -> Path:
        """The resulting model: the best so far, whole whenever it is there.

        It is missing before there is one, for an instant while a better one takes its place, and after a
        kill in that instant until `remove_leftovers` brings it back.
        """
        return self.path / "model"

    @property
    def job(self) -> JobFolder:
        """The run as a job: its events and state, and the request to stop."""
        return JobFolder(self.path)

    @property
    def config(self) -> TrainConfig:
        """The config that the run was started with.

        Raises
        ------
        RunError
            If it is missing or damaged.
        """
        try:
            return compose.load(TrainConfig, self.config_file)
        except ConfigError as error:
            raise RunError(f"The run {self.path} has no usable config: {error}") from error

    def change_stop(self, stop: StopConfig) -> None:
        """Save new limits in the run's config, so that it still repeats the run.

        Raises
        ------
        RunError
            If the config is damaged or can't be written.
        """
        config = self.config
        config.stop = stop
        self._save(config)

    def change_target(self, target: TargetConfig) -> None:
        """Save the target that was chosen by the labels, if it differs from that in the config.

        Raises
        ------
        RunError
            If the config is damaged or can't be written.
        """
        config = self.config
        if config.target != target:
            config.target = target
            self._save(config)

    def _save(self, config: TrainConfig) -> None:
        with writing(self.config_file, RunError):
            compose.save(config, self.config_file)

    @property
    def plan(self) -> TrainingPlan | None:
        """What the training does and why; None before it was planned.

        Raises
        ------
        RunError
            If ``plan.json`` is damaged.
        """
        path = self.path / PLAN_FILE
        try:
            return TrainingPlan.from_dict(json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise RunError(f"{path} is damaged: start a new run with {self.config_file}.") from error

    def write_plan(self, plan: TrainingPlan) -> None:
        """Save what the training does and why."""
        write_json(self.path / PLAN_FILE, plan.to_dict())

    def append_metrics(self, row: Mapping[str, float | int]) -> None:
        """Add the values of an epoch to ``metrics.csv``, by names of its columns; new ones are added."""
        columns = self._columns()
        missing = [name for name in row if name not in columns]
        if missing or not columns:
            columns = columns or [*COLUMNS]
            columns += [name for name in row if name not in columns]
            self._write_rows(columns, self._rows())
        with self.metrics_file.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, columns, restval="").writerow(
                {name: _as_text(value) for name, value in row.items()}
            )

    def remove_leftovers(self) -> None:
        """Delete what a killed process was just writing; a model that it was just replacing comes back."""
        for folder in (self.path, self.checkpoints_dir):
            clear_leftovers(folder)

    def drop_metrics_after(self, epoch: int) -> None:
        """Delete the rows of epochs after ``epoch``, which a continued run will do again."""
        columns = self._columns() or [*COLUMNS]
        self._write_rows(columns, [row for row in self._rows() if int(row["epoch"]) <= epoch])

    def metrics(self) -> dict[str, list[tuple[int, float]]]:
        """Return the curves: of each measured quantity the pairs (epoch, value), in order of epochs."""
        curves: dict[str, dict[int, float]] = {}
        for row in self._rows():
            for name, value in row.items():
                if name != "epoch" and value:
                    curves.setdefault(name, {})[int(row["epoch"])] = float(value)
        return {name: sorted(curve.items()) for name, curve in curves.items()}

    def _columns(self) -> list[str]:
        """Return the columns of ``metrics.csv``; none where it has no first line yet."""
        try:
            with self.metrics_file.open(encoding="utf-8") as file:
                header = file.readline().strip()
        except FileNotFoundError:
            return []
        return header.split(",") if header else []

    def _write_rows(self, columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_text(self.metrics_file, text.getvalue())

    def _rows(self) -> list[dict[str, str]]:
        try:
            text = self.metrics_file.read_text(encoding="utf-8")
        except FileNotFoundError:
            return []
        whole = text[: text.rfind("\n") + 1]  # a kill may tear the last row
        return list(csv.DictReader(whole.splitlines()))


def _as_text(value: float | int) -> str:
    return str(value) if isinstance(value, int) else f"{value:.6g}"
