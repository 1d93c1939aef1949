"""A run: the folder that holds everything about one training."""

from __future__ import annotations

import csv
import io
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from segloop.artifacts.job.job import EVENTS_FILE, JOB_FILES, STOP_FILE, JobFolder
from segloop.artifacts.model.file_names import FILES as MODEL_FILES
from segloop.artifacts.run.plan import TrainingPlan
from segloop.config import compose
from segloop.config.train import StopConfig, TargetConfig, TrainConfig
from segloop.core.atomic import clear_leftovers, write_json, write_text
from segloop.core.errors import ConfigError, RunError
from segloop.core.file_errors import cannot_read, cannot_write, writing
from segloop.core.lock import FileLock
from segloop.core.own_entries import require_own_entries
from segloop.core.own_files import open_own_to_append, read_own_bytes, read_own_json
from segloop.core.paths import is_file, is_folder

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

LOCK_FILE = ".lock"
"""Names the process that trains a run."""

PREVIEW_FOLDER = "previews"
"""Folder in a run for images that show what it has learned so far."""

_CHECKPOINTS_FOLDER, _MODEL_FOLDER = "checkpoints", "model"
_LAST, _BEST = "last.ckpt", "best.ckpt"
_FOLDERS = (_CHECKPOINTS_FOLDER, _MODEL_FOLDER, PREVIEW_FOLDER)
_FILES = (
    CONFIG_FILE,
    PLAN_FILE,
    METRICS_FILE,
    LOG_FILE,
    LOCK_FILE,
    *JOB_FILES,
    f"{_CHECKPOINTS_FOLDER}/{_LAST}",
    f"{_CHECKPOINTS_FOLDER}/{_BEST}",
    *(f"{_MODEL_FOLDER}/{name}" for name in MODEL_FILES),
)

_LONGEST_LINE = 100_000  # characters of a row of metrics.csv; the csv module refuses longer fields
_LONGEST_NUMBER = 12  # digits of an epoch

# What a job's folder may hold before its run begins: a submission, a request to stop, its own dataset.
_MAY_PRECEDE = frozenset({EVENTS_FILE, STOP_FILE, DATASET_FOLDER, IMAGES_FOLDER})


logger = logging.getLogger(__name__)


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
                raise RunError(_not_empty(run.path))
        except FileExistsError as error:
            raise RunError(f"{run.path} is a file: choose another name for the run.") from error
        except OSError as error:
            raise RunError(cannot_write(run.path, error)) from error
        try:
            # Of two processes that create a run here at once, one makes this folder.
            run.checkpoints_dir.mkdir()
            compose.save(config, run.config_file)
        except FileExistsError as error:
            raise RunError(_not_empty(run.path)) from error
        except OSError as error:
            raise RunError(cannot_write(run.path, error)) from error
        return run

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Run:
        """Find a run by its folder.

        Raises
        ------
        RunError
            If the folder is missing or is not a run, or one of its files or folders is a link.
        """
        if not is_folder(path):
            raise RunError(f"There is no run {path}: check its name, and that its drive is connected.")
        if not cls.is_run(path):
            raise RunError(f"{path} is not a run, it has no {CONFIG_FILE}: choose the folder of a training.")
        require_own_entries(Path(path), _FILES, _FOLDERS, RunError)
        return cls(path)

    @staticmethod
    def require_free(path: str | os.PathLike[str]) -> None:
        """Raise `RunError` if a folder holds anything, so that no new run can be made there."""
        folder = Path(path)
        if folder.is_dir() and any(folder.iterdir()):
            raise RunError(_not_empty(folder))

    @staticmethod
    def is_run(path: str | os.PathLike[str]) -> bool:
        """Whether a folder is a run."""
        folder = Path(path)
        return is_file(folder / CONFIG_FILE) and is_folder(folder / _CHECKPOINTS_FOLDER)

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
        return self.path / _CHECKPOINTS_FOLDER

    @property
    def last_checkpoint(self) -> Path:
        """Everything needed to continue."""
        return self.checkpoints_dir / _LAST

    @property
    def best_checkpoint(self) -> Path:
        """State at the best validation so far."""
        return self.checkpoints_dir / _BEST

    @property
    def model_dir(self) -> Path:
        """The resulting model: the best so far, whole whenever it is there.

        It is missing before there is one, for an instant while a better one takes its place, and after a
        kill in that instant until `remove_leftovers` brings it back.
        """
        return self.path / _MODEL_FOLDER

    @property
    def job(self) -> JobFolder:
        """The run as a job: its events and state, and the request to stop."""
        return JobFolder(self.path)

    @property
    def lock(self) -> FileLock:
        """A lock on the run, held by the process that trains it."""
        return FileLock(self.path / LOCK_FILE, f"The run {self.path}", RunError)

    @property
    def config(self) -> TrainConfig:
        """The config that the run was started with.

        Raises
        ------
        RunError
            If it is missing or damaged.
        """
        require_own_entries(self.path, [CONFIG_FILE], [], RunError)
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
            return TrainingPlan.from_dict(read_own_json(path))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise RunError(f"{path} is damaged: start a new run with {self.config_file}.") from error

    def write_plan(self, plan: TrainingPlan) -> None:
        """Save what the training does and why."""
        write_json(self.path / PLAN_FILE, plan.to_dict())

    def append_metrics(self, row: Mapping[str, float | int]) -> None:
        """Add the values of an epoch to ``metrics.csv``, by names of its columns; new ones are added.

        Raises
        ------
        OSError
            If the file can't be read or written.
        """
        columns, rows = self._read_table()
        missing = [name for name in row if name not in columns]
        if missing or not columns:
            columns = columns or [*COLUMNS]
            columns += [name for name in row if name not in columns]
            self._write_rows(columns, rows)
        with open(open_own_to_append(self.metrics_file), "a", newline="", encoding="utf-8") as file:  # noqa: PTH123
            csv.DictWriter(file, columns, restval="").writerow(
                {name: _as_text(value) for name, value in row.items()}
            )

    def remove_leftovers(self) -> None:
        """Delete what a killed process was just writing; a model that it was just replacing comes back."""
        for folder in (self.path, self.checkpoints_dir, self.path / PREVIEW_FOLDER):
            if folder.is_dir():
                clear_leftovers(folder)

    def drop_metrics_after(self, epoch: int) -> None:
        """Delete the rows of epochs after ``epoch``, which a continued run will do again.

        Raises
        ------
        OSError
            If the file can't be read or written.
        """
        if not self.metrics_file.exists():
            return
        columns, rows = self._read_table()
        kept = [row for row in rows if (number := _epoch(row)) is not None and number <= epoch]
        self._write_rows(columns or [*COLUMNS], kept)

    def metrics(self) -> dict[str, list[tuple[int, float]]]:
        """Return the curves: of each measured quantity the pairs (epoch, value), in order of epochs.

        Values and rows that are not readable are left out; without a readable file there are no curves.
        """
        try:
            _, rows = self._read_table()
        except OSError as error:
            logger.warning("%s", cannot_read(self.metrics_file, error))
            return {}
        curves: dict[str, dict[int, float]] = {}
        for row in rows:
            epoch = _epoch(row)
            for name, text in row.items():
                value = _as_number(text)
                if name != "epoch" and epoch is not None and value is not None:
                    curves.setdefault(name, {})[epoch] = value
        return {name: sorted(curve.items()) for name, curve in curves.items()}

    def _read_table(self) -> tuple[list[str], list[dict[str, str]]]:
        """Return the columns and rows of ``metrics.csv``; none where it is missing or has no first line yet.

        What was damaged, such as by a power cut, comes as it is; `metrics` leaves it out.
        """
        try:
            text = read_own_bytes(self.metrics_file).decode("utf-8", errors="replace")
        except FileNotFoundError:
            return [], []
        whole = text[: text.rfind("\n") + 1]  # a kill may tear the last row
        lines = (line for line in whole.replace("\0", "").splitlines() if len(line) <= _LONGEST_LINE)
        reader = csv.reader(lines, strict=False)
        columns: list[str] = next(reader, [])
        if not columns or columns[0] != COLUMNS[0] or len(set(columns)) != len(columns):
            return [], []
        # A row that is too long is not one that was written here.
        rows = [dict(zip(columns, row, strict=False)) for row in reader if len(row) <= len(columns)]
        return columns, rows

    def _write_rows(self, columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_text(self.metrics_file, text.getvalue())


def _not_empty(folder: Path) -> str:
    return f"{folder} is not empty: choose another folder for the run, or delete this one."


def _epoch(row: Mapping[str, str]) -> int | None:
    text = row.get("epoch", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < _LONGEST_NUMBER else None


def _as_number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _as_text(value: float | int) -> str:
    return str(value) if isinstance(value, int) else f"{value:.6g}"
