"""The files of a curated dataset: its index, one file a sample, and the journal."""

from __future__ import annotations

import json
import os
import stat
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from segloop.artifacts.dataset.delta import ConflictError, changed
from segloop.artifacts.dataset.journal import REDO, UNDO, Journal, JournalEntry, SampleChange
from segloop.artifacts.dataset.manifest import FORMAT, VERSION, DatasetIndex, Region, Sample, explain
from segloop.artifacts.dataset.references import absolute
from segloop.artifacts.dataset.upgrade import upgrade_index, upgrade_sample
from segloop.core.atomic import atomic_path, clear_leftovers, has_leftovers, text_replaced, write_text
from segloop.core.errors import DatasetError
from segloop.core.file_errors import cannot_read, writing
from segloop.core.lock import FileLock
from segloop.core.own_files import read_own_bytes, read_own_json
from segloop.core.paths import is_file, is_folder

INDEX_FILE = "dataset.json"
SAMPLES_FOLDER = "samples"
JOURNAL_FILE = "journal.jsonl"
LABELS_FOLDER = "labels"
LOCK_FILE = ".lock"

_RESTORE = "restore it from a copy"
_WAIT_S = 15.0  # for another program's edit; each takes milliseconds
_REMEMBERED = 16

Change = tuple[Sample, Sample]
"""A sample before and after."""


class SampleStore:
    """Reads and writes single samples; each write is complete or leaves no trace, and is in the journal.

    For everything that writes, the caller holds the lock from before it reads what it changes: see `locked`.

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
        self._remembered: OrderedDict[str, tuple[tuple[int, ...], Sample]] = OrderedDict()
        self._region_texts: dict[str, tuple[Region, str]] = {}

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other programs from editing the dataset for as long as the block lasts.

        Raises
        ------
        DatasetError
            If another program keeps the dataset locked, or the folder can't be written.
        """
        with FileLock(self.folder / LOCK_FILE, f"The dataset {self.folder}", DatasetError, _WAIT_S):
            yield

    def read(self, sample_id: str) -> Sample:
        """Read a sample.

        Raises
        ------
        DatasetError
            If its file is missing or damaged.
        """
        file = self._file(sample_id)
        try:
            state = _state(file)
            known = self._remembered.get(sample_id)
            if known is not None and known[0] == state:
                return known[1]
            sample = _parse_sample(read_own_bytes(file))
        except OSError as error:
            raise DatasetError(cannot_read(file, error, _RESTORE)) from error
        except ValueError as error:
            why = explain(error) if isinstance(error, ValidationError) else error
            raise DatasetError(f"{file} can't be read ({why}): {_RESTORE}.") from error
        if sample.id != sample_id:
            raise DatasetError(f"{file} describes another sample, {sample.id!r}: restore it from a copy.")
        self._remember(sample, state)
        return sample

    def _text(self, sample: Sample) -> str:
        """Return what `as_text` does, without spelling out regions again that were just written."""
        known, self._region_texts = self._region_texts, {}
        for region in sample.regions:
            before = known.get(region.id)
            if before is None or before[0] is not region:
                before = region, region.model_dump_json()
            self._region_texts[region.id] = before
        regions = ",".join(text for _, text in self._region_texts.values())
        return f'{sample.model_dump_json(exclude={"regions"})[:-1]},"regions":[{regions}]}}\n'

    def _remember(self, sample: Sample, state: tuple[int, ...]) -> None:
        self._remembered[sample.id] = state, sample
        self._remembered.move_to_end(sample.id)
        if len(self._remembered) > _REMEMBERED:
            self._remembered.popitem(last=False)

    def write(self, changes: Sequence[Change], action: str, takes_back: int | None = None) -> None:
        """Write changed samples and their journal line: a full disk changes none of them. Needs the lock.

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
        texts = {self._file(after.id): self._text(after) for _, after in changes}
        with writing(self.folder, DatasetError):
            self._write_upgraded_index()
            with ExitStack() as stack:
                for file, text in texts.items():
                    if len(texts) == 1:
                        stack.enter_context(text_replaced(file, text))
                    else:
                        stack.enter_context(atomic_path(file)).write_text(text, encoding="utf-8")
                self.journal.append(action, [SampleChange.between(*each) for each in changes], takes_back)
        for _, after in changes:
            with suppress(OSError):
                self._remember(after, _state(self._file(after.id)))

    def recover(self) -> None:
        """Finish what a kill interrupted: files half written, or several samples changed together.

        Raises
        ------
        DatasetError
            If it can't be finished because the folder can't be written.
        """
        folders = (self.folder, self.folder / SAMPLES_FOLDER)
        if any(map(has_leftovers, folders)):
            # What another program is writing at this moment is no leftover; and who may only read leaves it.
            with suppress(DatasetError, OSError), self.locked():
                for folder in folders:
                    clear_leftovers(folder)
        if self._unfinished():
            with self.locked(), writing(self.folder, DatasetError):
                for sample in self._unfinished():
                    self._write_upgraded_index()
                    write_text(self._file(sample.id), as_text(sample))

    def _unfinished(self) -> list[Sample]:
        """Return the samples, as they should be, that a kill left out of the newest change of several."""
        found = self.journal.newest()
        if found is None or len(found[1].changes) < 2:
            return []
        unfinished = []
        for change in found[1].changes:
            with suppress(DatasetError, ConflictError):  # a damaged file is reported when its sample is read
                now = self.read(change.sample_id)
                after = changed(now, change.before or {}, change.after)
                if after != now:
                    unfinished.append(after)
        return unfinished

    def undo(self) -> tuple[Sample, ...]:
        """Take back the newest own change; return its samples as they are now. Needs the lock."""
        return self._take_back(UNDO, self.journal.undoable())

    def redo(self) -> tuple[Sample, ...]:
        """Redo the own change that was undone last; return its samples as they are now. Needs the lock."""
        return self._take_back(REDO, self.journal.redoable())

    def _take_back(self, action: str, found: tuple[int, JournalEntry] | None) -> tuple[Sample, ...]:
        if found is None:
            return ()
        offset, entry = found
        changes = []
        for change in entry.changes:
            now = self.read(change.sample_id)
            try:
                changes.append((now, changed(now, change.after, change.before or {})))
            except ConflictError as field:
                raise DatasetError(
                    f"The {field} of sample {now.id} has been changed again in another window or program, so "
                    "this was not undone: change it by hand."
                ) from field
        self.write(changes, action, takes_back=offset)
        return tuple(after for _, after in changes)

    def add(self, index: DatasetIndex, samples: Sequence[Sample]) -> None:
        """Write new samples, then the index that lists them: only then they are there. Needs the lock.

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
        raise DatasetError(_taken(folder))


def _taken(folder: Path) -> str:
    return f"The name {folder} is already taken: choose another one for the dataset."


def write_new(folder: Path, index: DatasetIndex, samples: Sequence[Sample]) -> None:
    """Write a new dataset under a temporary name and rename it, so that it is complete or absent.

    Raises
    ------
    DatasetError
        If it can't be written.
    """
    with writing(folder, DatasetError):
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            with atomic_path(folder, exclusive=True) as partial:
                (partial / SAMPLES_FOLDER).mkdir(parents=True)
                for sample in samples:
                    (partial / SAMPLES_FOLDER / f"{sample.id}.json").write_text(as_text(sample), "utf-8")
                (partial / INDEX_FILE).write_text(as_text(index), "utf-8")
        except FileExistsError as error:
            raise DatasetError(_taken(folder)) from error


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
    if not is_file(file):
        what = "is not a curated dataset" if is_folder(folder) else "does not exist"
        raise DatasetError(
            f"{folder} {what}: choose a folder with a {INDEX_FILE}, or create a dataset first."
        )
    for each in (INDEX_FILE, SAMPLES_FOLDER, JOURNAL_FILE, LABELS_FOLDER):
        require_own(folder / each)
    try:
        content: Any = read_own_json(file)
    except OSError as error:
        raise DatasetError(cannot_read(file, error, _RESTORE)) from error
    except ValueError as error:
        raise DatasetError(f"{file} can't be read ({error}): {_RESTORE}.") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise DatasetError(f"{file} does not belong to a curated dataset: choose another folder.")
    version = content.get("version")
    if isinstance(version, int) and version > VERSION:
        raise DatasetError(f"{folder} was created by a newer version of segloop: update napari-segloop.")
    try:
        return folder, DatasetIndex.model_validate(upgrade_index(content)), version != VERSION
    except ValidationError as error:
        raise DatasetError(f"{file} is damaged ({explain(error)}): restore it from a copy.") from error


def require_own(path: Path) -> None:
    """Raise `DatasetError` if a part of a dataset is neither a file nor a folder: a link leads out of it."""
    try:
        mode = path.lstat().st_mode
    except OSError:
        return
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        what = "link" if stat.S_ISLNK(mode) else "pipe or device"
        raise DatasetError(
            f"{path} is a {what}, which a dataset may not contain: replace it by a copy of its target."
        )


def as_text(model: Sample | DatasetIndex) -> str:
    """Return what a file of the dataset says."""
    return model.model_dump_json(indent=None if isinstance(model, Sample) else 1) + "\n"


def _state(file: Path) -> tuple[int, ...]:
    """Return what changes whenever a file is written."""
    status = file.lstat()
    return status.st_mtime_ns, status.st_size, status.st_ino


def _parse_sample(text: bytes) -> Sample:
    try:
        return Sample.model_validate_json(text)
    except ValidationError:
        content = json.loads(text)
        upgraded = upgrade_sample(content)
        if upgraded is content:
            raise
        return Sample.model_validate(upgraded)
