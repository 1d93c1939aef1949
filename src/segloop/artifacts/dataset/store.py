"""The files of a curated dataset: its index, one file a sample, and the journal."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from segloop.artifacts.dataset.journal import REDO, UNDO, Journal, JournalEntry, SampleChange
from segloop.artifacts.dataset.manifest import FORMAT, VERSION, DatasetIndex, Sample, explain
from segloop.artifacts.dataset.references import absolute
from segloop.artifacts.dataset.upgrade import upgrade_index, upgrade_sample
from segloop.core.atomic import atomic_path, text_replaced, write_text
from segloop.core.errors import DatasetError
from segloop.core.file_errors import writing

INDEX_FILE = "dataset.json"
SAMPLES_FOLDER = "samples"
JOURNAL_FILE = "journal.jsonl"

Change = tuple[Sample, Sample]
"""A sample before and after."""


class SampleStore:
    """Reads and writes single samples; each write is complete or leaves no trace, and is in the journal.

    Parameters
    ----------
    folder : Path
        The dataset's folder.
    upgraded : DatasetIndex, optional
        The index in the present version, if the one on disk is older: it is written before the first edit.
    """

    def __init__(self, folder: Path, upgraded: DatasetIndex | None = None) -> None:
        self.folder = folder
        self.journal = Journal(folder / JOURNAL_FILE)
        self._upgraded = upgraded

    def read(self, sample_id: str) -> Sample:
        """Read a sample.

        Raises
        ------
        DatasetError
            If its file is missing or damaged.
        """
        file = self._file(sample_id)
        try:
            return _parse_sample(file.read_bytes())
        except (OSError, ValueError) as error:
            raise DatasetError(f"{file} can't be read ({_why(error)}): restore it from a copy.") from error

    def write(self, changes: Sequence[Change], action: str, takes_back: int | None = None) -> None:
        """Write changed samples and their journal line: a full disk changes none of them.

        Of a single sample, the line is written last: a kill in between only loses the way to undo it. Of
        several, it is written when all are staged and before they are renamed into place: what a kill or a
        failed rename leaves of it, `finish` completes.

        Parameters
        ----------
        changes : sequence of (before, after)
            Each sample as it is, and as it should be.
        action : str
            What was done.
        takes_back : int, optional
            Of an undo or a redo, the offset of the journal's entry that it takes back.

        Raises
        ------
        DatasetError
            If they can't be written. All is then as before, unless it was the renaming of several that
            failed: then `finish` completes it.
        """
        texts = {self._file(after.id): as_text(after) for _, after in changes}
        with writing(self.folder, DatasetError):
            self._write_upgraded_index()
            with ExitStack() as stack:
                for file, text in texts.items():
                    if len(texts) == 1:
                        stack.enter_context(text_replaced(file, text))
                    else:
                        stack.enter_context(atomic_path(file)).write_text(text, encoding="utf-8")
                self.journal.append(action, [SampleChange.between(*each) for each in changes], takes_back)

    def finish(self) -> None:
        """Write what a kill left unwritten of several samples that were changed together.

        Raises
        ------
        DatasetError
            If it can't be written.
        """
        found = self.journal.newest()
        if found is None or len(found[1].changes) < 2:
            return
        with writing(self.folder, DatasetError):
            for change in found[1].changes:
                with suppress(DatasetError):  # a damaged file is reported when its sample is read
                    sample = self.read(change.sample_id)
                    now = sample.model_dump(mode="json")
                    before = change.before or {}
                    if before and all(now.get(key) == value for key, value in before.items()):
                        text = as_text(sample.edit(**change.after))
                        self._write_upgraded_index()
                        write_text(self._file(sample.id), text)

    def undo(self) -> Sample | None:
        """Take back the newest change that isn't taken back; return the sample as it is now, or None."""
        return self._take_back(UNDO, self.journal.undoable())

    def redo(self) -> Sample | None:
        """Redo the change that was undone last; return the sample as it is now, or None."""
        return self._take_back(REDO, self.journal.redoable())

    def _take_back(self, action: str, found: tuple[int, JournalEntry] | None) -> Sample | None:
        if found is None:
            return None
        offset, entry = found
        now = [self.read(change.sample_id) for change in entry.changes]
        changes = [
            (sample, sample.edit(**(change.before or {})))
            for sample, change in zip(now, entry.changes, strict=True)
        ]
        self.write(changes, action, takes_back=offset)
        return changes[0][1]

    def add(self, index: DatasetIndex, samples: Sequence[Sample]) -> None:
        """Write new samples, then the index that lists them: only then they are there.

        Raises
        ------
        DatasetError
            If they can't be written; none of them is then listed.
        """
        with writing(self.folder, DatasetError):
            self._write_upgraded_index()
            for sample in samples:
                write_text(self._file(sample.id), as_text(sample))
                self.journal.append("add", [SampleChange.between(None, sample)])
            write_text(self.folder / INDEX_FILE, as_text(index))

    def _write_upgraded_index(self) -> None:
        if self._upgraded is not None:
            write_text(self.folder / INDEX_FILE, as_text(self._upgraded))
            self._upgraded = None

    def _file(self, sample_id: str) -> Path:
        return self.folder / SAMPLES_FOLDER / f"{sample_id}.json"


def require_free(folder: Path) -> None:
    """Raise `DatasetError` unless a dataset can be created in ``folder``: it doesn't exist, or is empty."""
    with writing(folder, DatasetError):
        taken = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    if taken:
        raise DatasetError(f"The name {folder} is already taken: choose another one for the dataset.")


def write_new(folder: Path, index: DatasetIndex, samples: Sequence[Sample]) -> None:
    """Write a new dataset under a temporary name and rename it, so that it is complete or absent.

    Raises
    ------
    DatasetError
        If it can't be written.
    """
    with writing(folder, DatasetError):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(folder) as partial:
            (partial / SAMPLES_FOLDER).mkdir(parents=True)
            for sample in samples:
                (partial / SAMPLES_FOLDER / f"{sample.id}.json").write_text(as_text(sample), "utf-8")
            (partial / INDEX_FILE).write_text(as_text(index), "utf-8")


def read_index(path: str | os.PathLike[str]) -> tuple[Path, DatasetIndex, bool]:
    """Find a dataset by its folder or its index file, and read the index.

    Returns
    -------
    folder : Path
        Absolute.
    index : DatasetIndex
        In the present version.
    older : bool
        Whether the file is of an older version.

    Raises
    ------
    DatasetError
        If there is no dataset, it is damaged, or was created by a newer version of segloop.
    """
    folder = absolute(path)
    if folder.name == INDEX_FILE:
        folder = folder.parent
    file = folder / INDEX_FILE
    if not file.is_file():
        what = "is not a curated dataset" if folder.is_dir() else "does not exist"
        raise DatasetError(
            f"{folder} {what}: choose a folder with a {INDEX_FILE}, or create a dataset first."
        )
    try:
        content: Any = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise DatasetError(f"{file} can't be read ({error}): restore it from a copy.") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise DatasetError(f"{file} does not belong to a curated dataset: choose another folder.")
    version = content.get("version")
    if isinstance(version, int) and version > VERSION:
        raise DatasetError(f"{folder} was created by a newer version of segloop: update napari-segloop.")
    try:
        return folder, DatasetIndex.model_validate(upgrade_index(content)), version != VERSION
    except ValidationError as error:
        raise DatasetError(f"{file} is damaged ({explain(error)}): restore it from a copy.") from error


def as_text(model: Sample | DatasetIndex) -> str:
    """Return what a file of the dataset says."""
    return model.model_dump_json(indent=1) + "\n"


def _why(error: OSError | ValueError) -> str:
    if isinstance(error, ValidationError):
        return explain(error)
    return (error.strerror if isinstance(error, OSError) else "") or str(error)


def _parse_sample(text: bytes) -> Sample:
    try:
        return Sample.model_validate_json(text)
    except ValidationError:
        content = json.loads(text)
        upgraded = upgrade_sample(content)
        if upgraded is content:
            raise
        return Sample.model_validate(upgraded)
