"""The files of a package of the BioImage Model Zoo, a zip or a folder that may come from a stranger.

Nothing is unpacked, nothing is loaded from the internet, and no class that a package names is created.
"""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segloop.artifacts.model.file_names import ZOO_DESCRIPTIONS
from segloop.core.errors import ModelError
from segloop.core.file_errors import reading
from segloop.core.own_files import NotReadableError, read_own_bytes
from segloop.core.own_yaml import LARGEST, checked_yaml
from segloop.core.paths import exists, is_file, is_folder
from segloop.core.zip_reading import DAMAGED, fault_of_entry, read_entry
from segloop.exchange.quiet import quiet, require_packages

_WEIGHTS_LIMIT = 2**31 - 1
_TENSOR_LIMIT = 256 * 2**20
_MOST_ENTRIES = 1000
# Weights look random, so they hardly shrink; the values of a test may all be the same.
_WEIGHTS_RATIO, _TENSOR_RATIO = 10, 1100
_SMALL = 16 * 2**20


class RefusalError(Exception):
    """Why a package can't be imported: the rest of a sentence that begins with its name."""


def is_zoo_package(path: str | os.PathLike[str]) -> bool:
    """Return whether a zip or a folder has the description of a package of the zoo; False if unreadable."""
    if is_folder(path):
        return any(is_file(Path(path) / name) for name in ZOO_DESCRIPTIONS)
    try:
        with zipfile.ZipFile(path) as archive:
            return bool(_descriptions(archive.namelist()))
    except DAMAGED:
        return False


class ZooPackage:
    """A package whose description is valid.

    Parameters
    ----------
    path : path
        Zip file or folder.

    Attributes
    ----------
    path : Path
        The same.
    description : bioimageio.spec.model.v0_5.ModelDescr
        What the package says; an older description is converted.

    Raises
    ------
    RefusalError
        If it can't be read, is not a model, or its description is not valid.
    ModelError
        If a package of Python is missing, or there is no such file.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        if not exists(path):
            raise ModelError(f"There is no file {path}: check its name.")
        self._entries: dict[str, zipfile.ZipInfo] | None = None if is_folder(path) else self._list()
        names = _descriptions(
            self._entries or [name for name in ZOO_DESCRIPTIONS if is_file(self.path / name)]
        )
        if not names:
            raise RefusalError("it holds no rdf.yaml, as packages of the BioImage Model Zoo do")
        self.description: Any = _described(self._read(names[0], LARGEST, _WEIGHTS_RATIO))

    def weights(self) -> bytes:
        """Return the ONNX file.

        Raises
        ------
        RefusalError
            If there is none, or it is damaged.
        """
        weights = self.description.weights
        if weights.onnx is None:
            others = ", ".join(name for name, value in weights if value is not None)
            raise RefusalError(
                f"its weights are {others or 'missing'}, but only onnx can be used, because others "
                "may contain code: ask its authors for ONNX weights"
            )
        if weights.onnx.external_data is not None:
            raise RefusalError("its ONNX weights are in several files: export them as one file")
        return self._named(weights.onnx, _WEIGHTS_LIMIT, _WEIGHTS_RATIO)

    def array(self, described: Any) -> NDArray[Any]:
        """Return an array of an ``.npy`` file.

        Raises
        ------
        RefusalError
            If it is missing or damaged.
        """
        if described is None:
            raise RefusalError("it has no test, by which it could be checked")
        content = self._named(described, _TENSOR_LIMIT, _TENSOR_RATIO)
        try:
            array: NDArray[Any] = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
            if array.dtype.kind not in "buif":
                raise ValueError(f"values of the type {array.dtype}")
            return array.astype(np.uint8 if array.dtype.kind == "b" else array.dtype.newbyteorder("="))
        except Exception as error:  # a stranger's header may raise anything
            raise RefusalError(f"{described.source} is no plain .npy file: get a new copy of it") from error

    def attached(self, name: str) -> bytes | None:
        """Return an attached file of this name; None if there is none."""
        for each in self.description.attachments:
            if PurePosixPath(str(each.source)).name == name:
                return self._named(each, 2 * _WEIGHTS_LIMIT, _WEIGHTS_RATIO)
        return None

    def _list(self) -> dict[str, zipfile.ZipInfo]:
        try:
            with zipfile.ZipFile(self.path) as archive:
                entries = archive.infolist()
            self._size = self.path.stat().st_size
        except DAMAGED as error:
            raise RefusalError(f"it can't be read as a zip file ({error}): get a new copy of it") from error
        by_name = {entry.filename: entry for entry in entries}
        if len(by_name) != len(entries) or len(entries) > _MOST_ENTRIES:
            raise RefusalError("it holds a file twice, or far too many: get a new copy of it")
        for name in by_name:
            _require_inside(name)
        return by_name

    def _named(self, described: Any, limit: int, ratio: int) -> bytes:
        """Return the content of a file that the description names, which must have the stated hash."""
        source = str(described.source)
        if "://" in source:
            raise RefusalError(
                f"its file {source[:200]} is on the internet: fetch the whole package with "
                "`segloop model fetch`, then import that"
            )
        content = self._read(source, limit, ratio)
        if described.sha256 and hashlib.sha256(content).hexdigest() != str(described.sha256):
            raise RefusalError(f"its file {source} is not the one that it describes: get a new copy of it")
        return content

    def _read(self, name: str, limit: int, ratio: int) -> bytes:
        _require_inside(name)
        if self._entries is None:
            return self._read_from_folder(name, limit)
        entry = self._entries.get(name)
        if entry is None:
            raise RefusalError(f"its file {name} is missing: get a new copy of it")
        fault = fault_of_entry(entry, self._size, limit, ratio, _SMALL)
        if fault:
            raise RefusalError(f"its file {name} {fault}: get a new copy of it")
        try:
            return read_entry(self.path, name, limit)
        except (KeyError, *DAMAGED) as error:
            raise RefusalError(f"its file {name} is damaged: get a new copy of it") from error

    def _read_from_folder(self, name: str, limit: int) -> bytes:
        file = self.path / name
        if not os.path.lexists(file):
            raise RefusalError(f"its file {name} is missing: get a new copy of it")
        inner = (folder for folder in file.parents if self.path in folder.parents)
        if any(folder.is_symlink() for folder in inner):
            raise RefusalError(f"its file {name} is in a folder that is a link: put the folder in its place")
        with reading(file, ModelError):
            return read_own_bytes(file, limit)


def _descriptions(names: Sequence[str] | dict[str, Any]) -> list[str]:
    """Return which of these names are descriptions, the one that counts first."""
    known = [name for name in ZOO_DESCRIPTIONS if name in names]
    return known + sorted(name for name in names if name.endswith(".bioimageio.yaml") and "/" not in name)


def _require_inside(name: str) -> None:
    """Raise `RefusalError` unless a name is that of a file inside the package."""
    windows = PureWindowsPath(name)
    if not name or windows.anchor or name.startswith("/") or ".." in windows.parts or "\0" in name:
        raise RefusalError(f"it names '{name[:100]}', a file outside of it: get a new copy of it")


def _described(content: bytes) -> Any:
    require_packages("bioimageio.spec", "onnx", "onnxruntime")
    from bioimageio.spec import InvalidDescr, ValidationContext, build_description
    from bioimageio.spec.model.v0_5 import ModelDescr
    from bioimageio.spec.utils import read_yaml

    try:
        text = checked_yaml(content, references=True)
    except NotReadableError as error:
        raise RefusalError(f"its description can't be read ({error}): get a new copy of it") from error
    with quiet():
        try:
            context = ValidationContext(perform_io_checks=False, log_warnings=False)
            found = build_description(read_yaml(text), context=context, format_version="latest")
        except Exception as error:  # reading what a stranger wrote may raise anything
            reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
            raise RefusalError(f"its description is not valid ({reason}): get a new copy of it") from error
    if isinstance(found, InvalidDescr):
        raise RefusalError(f"its description is not valid ({_first_error(found)}): get a new copy of it")
    if not isinstance(found, ModelDescr):
        raise RefusalError(f"it is a {str(found.type)[:50]}, not a model: choose a package of a model")
    return found


def _first_error(found: Any) -> str:
    for detail in found.validation_summary.details:
        for error in detail.errors:
            place = ".".join(str(part) for part in error.loc)
            return f"{place}: {error.msg}"[:300] if place else str(error.msg)[:300]
    return "it says nothing that is known"
