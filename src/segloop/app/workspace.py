"""The folder of one study: its datasets, runs, models and predictions, and the choices remembered for it."""

from __future__ import annotations

import os
import stat
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from segloop.core import user_folders
from segloop.core.atomic import write_json
from segloop.core.errors import SegloopError
from segloop.core.file_errors import cannot_write, writing
from segloop.core.file_names import free_name, plain_file_name
from segloop.core.own_files import read_own_json
from segloop.core.paths import is_folder

_one_writer = threading.Lock()
"""Held while the choices of any workspace are read, changed and written."""


class Workspace:
    """The folder of one study.

    Parameters
    ----------
    path : path-like
        Created, with its parents, if it does not exist.

    Raises
    ------
    SegloopError
        If the folder can't be made.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).expanduser().resolve()
        with writing(self.path, SegloopError):
            self.path.mkdir(parents=True, exist_ok=True)
        self._unwritten: dict[str, Any] = {}
        self._lock = threading.Lock()

    @staticmethod
    def last_path() -> Path:
        """Return the folder of the workspace used last, else ``segloop`` in the user's home folder."""
        try:
            named = Path(read_own_json(_last_file())["workspace"])
            if is_folder(named):
                return named
        except (OSError, ValueError, KeyError, TypeError):
            pass
        return user_folders.default_workspace()

    def remember_as_last(self) -> None:
        """Make this the workspace whose folder `last_path` returns."""
        _last_file().parent.mkdir(parents=True, exist_ok=True)
        write_json(_last_file(), {"workspace": str(self.path)})

    @property
    def datasets_dir(self) -> Path:
        """Where new curated datasets go."""
        return self.path / "datasets"

    @property
    def runs_dir(self) -> Path:
        """Where new runs go."""
        return self.path / "runs"

    @property
    def predictions_dir(self) -> Path:
        """Where new predictions go."""
        return self.path / "predictions"

    @property
    def comparisons_dir(self) -> Path:
        """Where new comparisons of models go."""
        return self.path / "comparisons"

    @property
    def scratch_dir(self) -> Path:
        """Layers without a file on their way to jobs, and logs; may be deleted when nothing runs."""
        return self.path / "scratch"

    def datasets(self) -> list[Path]:
        """Curated datasets of this workspace, newest first."""
        return _folders_with(self.datasets_dir, "dataset.json")

    def runs(self) -> list[Path]:
        """Runs of this workspace, newest first."""
        return _folders_with(self.runs_dir, "config.yaml")

    def predictions(self) -> list[Path]:
        """Folders with predictions of files, newest first."""
        return _folders_with(self.predictions_dir, ".segloop/events.jsonl")

    def new_folder(self, parent: Path, name: str) -> Path:
        """Return a path in ``parent`` that does not exist yet: ``name``, or ``name-2``, ``name-3`` and so on.

        Nothing is created but ``parent``. Characters that some file systems refuse become ``-``.

        Raises
        ------
        SegloopError
            If ``parent`` can't be made.
        """
        with writing(parent, SegloopError, "choose a workspace you may write to"):
            parent.mkdir(parents=True, exist_ok=True)
        plain = plain_file_name(name, "unnamed")
        return parent / free_name(plain, lambda candidate: (parent / candidate).exists())

    def recall(self, key: str, default: Any = None) -> Any:
        """Return a remembered choice, or ``default``."""
        unwritten = dict(self._unwritten)  # before the file is read, as it may be written at this moment
        return {**self._state(), **unwritten}.get(key, default)

    def remember(self, key: str, value: Any) -> None:
        """Set a choice (any JSON value) for `recall`; `write_choices` saves it."""
        with self._lock:
            self._unwritten[key] = value

    def write_choices(self) -> None:
        """Write the choices that are not on disk yet, and keep those that other programs wrote meanwhile.

        May be called on any thread.

        Raises
        ------
        SegloopError
            If they can't be written; `recall` still returns them until the program ends.
        """
        with _one_writer:
            unwritten, state = dict(self._unwritten), self._state()
            choices = {**state, **unwritten}
            try:
                if choices != state:
                    write_json(self._state_file, choices)
            except OSError as error:
                remedy = "your choices are remembered only until napari is closed"
                raise SegloopError(f"The workspace {cannot_write(self.path, error, remedy)}") from error
            with self._lock:
                for key, value in unwritten.items():
                    if self._unwritten[key] is value:
                        del self._unwritten[key]

    @property
    def _state_file(self) -> Path:
        return self.path / "workspace.json"

    def _state(self) -> dict[str, Any]:
        try:
            state = read_own_json(self._state_file)
        except (OSError, ValueError):
            return {}
        return state if isinstance(state, dict) else {}


def _last_file() -> Path:
    return user_folders.data_folder() / "last.json"


def _folders_with(parent: Path, file: str) -> list[Path]:
    found = []
    for folder in parent.glob("*"):
        with suppress(OSError):  # without the right to read it, or deleted meanwhile
            status = (folder / file).stat()
            if stat.S_ISREG(status.st_mode):
                found.append((status.st_mtime, folder))
    return [folder for _, folder in sorted(found, reverse=True)]
