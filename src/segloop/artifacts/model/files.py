"""The files of a model, out of a folder or a zip that may come from a stranger."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from segloop.artifacts.model.file_names import CARD, FILES, TEST_INPUT, TEST_OUTPUT, WEIGHTS, ZOO_DESCRIPTIONS
from segloop.core.atomic import atomic_path, clear_abandoned
from segloop.core.errors import ModelError
from segloop.core.file_errors import reading, writing
from segloop.core.own_files import read_own_bytes
from segloop.core.paths import exists
from segloop.core.zip_reading import DAMAGED, fault_of_entry, read_entry

_LIMITS = {CARD: 4 * 2**20, WEIGHTS: 4 * 2**30, TEST_INPUT: 256 * 2**20, TEST_OUTPUT: 256 * 2**20}
# Weights look random; what shrinks more than this was not made by training, unless it is small.
_LARGEST_RATIO = 10
_SMALL = 16 * 2**20


class Files(Protocol):
    """Reads the files of a model by name."""

    path: Path

    def read(self, name: str) -> bytes:
        """Return a file's content, or raise `ModelError`."""
        ...


class FolderFiles:
    """The files of a model folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, name: str) -> bytes:
        """Return a file's content, or raise `ModelError`."""
        file = self.path / name
        with reading(file, ModelError):
            return read_own_bytes(file, _LIMITS[name])


class ZipFiles:
    """The files of a model zip; refused as a whole if it holds anything else.

    Raises
    ------
    ModelError
        If it is no zip, or has unknown, repeated, linked or absurdly large entries.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not exists(path):
            raise ModelError(f"There is no file {path}: check its name.")
        try:
            with zipfile.ZipFile(path) as archive:
                entries = archive.infolist()
            self._size = path.stat().st_size
        except DAMAGED as error:
            raise ModelError(
                f"{path} is not a model, it can't be read as a zip file ({error}): get a new copy of it."
            ) from error
        names = [entry.filename for entry in entries]
        if CARD not in names:
            if any(name in names for name in ZOO_DESCRIPTIONS):
                raise ModelError(
                    f"{path} is a package of the BioImage Model Zoo: "
                    "import it first by `segloop model import`."
                )
            raise ModelError(
                f"{path} is not a model, {CARD} is missing in it: "
                "choose a zip that `segloop model export` wrote."
            )
        for entry in entries:
            self._check(entry)
        if len(set(names)) != len(names):
            raise ModelError(f"{path} is not a genuine model, it holds a file twice: get a new copy of it.")

    def _check(self, entry: zipfile.ZipInfo) -> None:
        name = entry.filename
        if name not in FILES:
            raise ModelError(
                f"{self.path} is not a genuine model, it holds '{name[:80]}', which no model has: "
                "get a new copy of it."
            )
        fault = fault_of_entry(entry, self._size, _LIMITS[name], _LARGEST_RATIO, _SMALL)
        if fault:
            raise ModelError(f"{self.path} is not a genuine model, {name} {fault}: get a new copy of it.")

    def read(self, name: str) -> bytes:
        """Return a file's content, or raise `ModelError`."""
        try:
            return read_entry(self.path, name, _LIMITS[name])
        except KeyError as error:
            raise ModelError(f"{name} is missing in the model {self.path}: get a new copy of it.") from error
        except DAMAGED as error:
            raise ModelError(f"{name} in the model {self.path} is damaged: get a new copy of it.") from error


def clear_abandoned_models(folder: Path) -> None:
    """Delete the models that killed processes were writing in a folder."""
    clear_abandoned(
        folder, lambda path, _: path.is_dir() and {each.name for each in path.iterdir()} <= set(FILES)
    )


@contextmanager
def unless_taken(taken: ModelError | None) -> Iterator[None]:
    """Raise ``taken`` where the body finds that what it writes is there already."""
    try:
        yield
    except FileExistsError:
        if taken is None:
            raise
        raise taken from None


def new_zip(file: str | os.PathLike[str]) -> tuple[Path, ModelError]:
    """Return the path of a zip file that is to be written, with its suffix, and what to raise if it is taken.

    Raises
    ------
    ModelError
        If it is there already.
    """
    path = Path(file)
    if path.suffix.lower() != ".zip":
        path = path.with_name(path.name + ".zip")
    taken = ModelError(f"{path} already exists: choose another name or delete it first.")
    if os.path.lexists(path):
        raise taken
    return path, taken


def write_zip(path: Path, parts: Mapping[str, bytes], taken: ModelError) -> None:
    """Write a new model zip, atomically; the weights are stored as they are, the rest is compressed.

    Raises
    ------
    ModelError
        ``taken`` if the file is there already; another one if it can't be written.
    """
    clear_abandoned(path.parent, lambda _, name: name == path.name)
    with (
        writing(path, ModelError),
        unless_taken(taken),
        atomic_path(path, exclusive=True) as partial,
        zipfile.ZipFile(partial, "w") as archive,
    ):
        for name, content in parts.items():
            stored = zipfile.ZIP_STORED if name == WEIGHTS else zipfile.ZIP_DEFLATED
            archive.writestr(name, content, compress_type=stored)
