"""The place of a prediction in its folder: who writes there, and what may be replaced."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from segloop.artifacts.prediction.provenance import Prediction, Provenance, find_records
from segloop.core.commit import Commit, hidden_folder, hidden_name, recover
from segloop.core.errors import ImageError
from segloop.core.file_errors import writing
from segloop.core.lock import FileLock
from segloop.core.paths import exists

_WAIT_S = 1.0  # looking at the predictions of a folder holds each lock for an instant


@dataclass(frozen=True)
class Place:
    """Where a prediction goes.

    Attributes
    ----------
    out : Path
        Folder of the job's outputs.
    stem : str
        Name of the prediction below it, with forward slashes for subfolders.
    """

    out: Path
    stem: str

    @property
    def path(self) -> Path:
        """Path of the record."""
        return self.out / f"{self.stem}.json"

    @property
    def folder(self) -> Path:
        """Folder that holds the record and the outputs."""
        return self.path.parent

    @property
    def name(self) -> str:
        """Name of the prediction in its folder."""
        return Path(self.stem).name

    def is_own(self, name: str) -> bool:
        """Whether a prediction of this name may have a file, or Zarr folder, called ``name``."""
        of_output = re.fullmatch(rf"{re.escape(self.name)}(\.[\w-]+)?\.(tif|ome\.zarr)", name)
        return of_output is not None or name == self.path.name

    @contextmanager
    def writing(self, outputs: Sequence[Path]) -> Iterator[Commit]:
        """Hold the place while a prediction is written; what is not committed leaves nothing behind.

        Parameters
        ----------
        outputs : sequence of Path
            What will be written.

        Yields
        ------
        Commit
            Takes the outputs and then the record, and puts them in place together.

        Raises
        ------
        ImageError
            If the folder can't be made or written, another process is writing this prediction, or a file or
            folder that does not belong to an earlier prediction has one of the names.
        """
        with writing(self.folder, ImageError):
            self.folder.mkdir(parents=True, exist_ok=True)
        with self._lock(_WAIT_S):
            self._recover()
            ours = self.earlier_names()
            for path in outputs:
                if path.exists() and path.name not in ours:
                    raise ImageError(_in_the_way(path))
            commit = Commit(self.folder, self.name, self.is_own)
            try:
                yield commit
            finally:
                commit.discard()

    def finish_interrupted(self) -> None:
        """Put in place, or remove, what a kill or a power cut left of a prediction that was being written.

        Raises
        ------
        ImageError
            If another process is writing this prediction, or the folder can't be written.
        """
        if os.path.lexists(hidden_folder(self.folder, self.name)):
            with self._lock():
                self._recover()

    def earlier(self) -> Prediction | None:
        """Return the finished prediction that is here; None if there is none or another process writes it."""
        if not exists(self.folder):
            return None
        try:
            with self._lock():
                self._recover()
                return Prediction(self.path, Provenance.read(self.path)) if exists(self.path) else None
        except ImageError:
            return None

    def _recover(self) -> None:
        with writing(self.folder, ImageError):
            recover(self.folder, self.name, self.is_own)

    def _lock(self, wait: float = 0.0) -> FileLock:
        lock = self.folder / hidden_name(self.name, "lock")
        return FileLock(lock, f"The prediction {self.path}", ImageError, wait)

    def earlier_names(self) -> set[str]:
        """Return the names of the outputs of the prediction that is here; none where there is none.

        Raises
        ------
        ImageError
            If there is a file of the record's name that is no record.
        """
        if not self.path.exists():
            return set()
        try:
            return set(filter(self.is_own, Provenance.read(self.path).names()))
        except ImageError as error:
            raise ImageError(_in_the_way(self.path)) from error


def find_predictions(folder: str | os.PathLike[str]) -> list[Prediction]:
    """Return the finished predictions in a folder and its subfolders, sorted by path.

    Hidden folders, Zarr stores and JSON files of other kinds are passed over. A prediction that was being
    put in place when its process ended is put in place first.

    Raises
    ------
    ImageError
        If the folder does not exist.
    """
    found = []
    for path in find_records(folder):
        with suppress(ImageError):
            Place(path.parent, path.name.removesuffix(".json")).finish_interrupted()
        with suppress(ImageError):
            prediction = Prediction(path, Provenance.read(path))
            if prediction.provenance.outputs:
                found.append(prediction)
    return found


def _in_the_way(path: Path) -> str:
    return (
        f"{path} is already there and does not belong to a prediction: choose another output folder, "
        "or move it away."
    )
