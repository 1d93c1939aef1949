"""Predicted files: which are done, which failed and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from psygnal import Signal

from segloop.artifacts.job.events import JobEvent, MessageEvent, OutputEvent
from segloop.artifacts.prediction.place import find_predictions
from segloop.artifacts.prediction.provenance import Prediction
from segloop.core.context import Context
from segloop.core.errors import ImageError
from segloop.core.wording import counted
from segloop.targets.output import PROBABILITY


@dataclass(frozen=True)
class FileRow:
    """One line of the list.

    Attributes
    ----------
    text : str
        What it says.
    record : Path or None
        Record of the prediction; None of a message.
    """

    text: str
    record: Path | None = None


class FileList:
    """What became of the files of one folder."""

    changed = Signal()
    """There are other rows, or another folder."""

    def __init__(self) -> None:
        self.folder: Path | None = None
        self.rows: list[FileRow] = []
        self.can_rethreshold = False
        self._n_done = 0
        self._n_failed = 0

    @property
    def title(self) -> str:
        """Such as ``"3 done, 1 failed, in /data/predictions"``."""
        failed = f", {self._n_failed} failed" if self._n_failed else ""
        return f"{self._n_done} done{failed}, in {self.folder}"

    def begin(self, folder: Path) -> None:
        """Start a list of what is written to a folder."""
        self.folder = folder
        self.rows = []
        self.can_rethreshold = False
        self._n_done = self._n_failed = 0
        self.changed.emit()

    def on_events(self, events: Sequence[JobEvent]) -> None:
        """Take in the events of the job."""
        for event in events:
            if isinstance(event, OutputEvent) and not event.partial:
                self._add_record(_record_of(Path(event.path), event.output_kind))
            elif isinstance(event, MessageEvent) and event.level != "info":
                failed = event.level == "error"
                self._n_failed += failed
                self.rows.append(FileRow(f"{'✗' if failed else '!'} {event.text}"))
        self.changed.emit()

    def show_found(self, folder: Path, predictions: Sequence[Prediction]) -> None:
        """List what was predicted into a folder earlier."""
        self.begin(folder)
        for each in predictions:
            self._add_record(each.path)
        self.set_found(predictions)

    def set_found(self, predictions: Sequence[Prediction]) -> None:
        """Show what is on disk, once nothing is written any more."""
        found = {each.path: each for each in predictions}
        for index, row in enumerate(self.rows):
            prediction = found.get(row.record) if row.record is not None else None
            if prediction is not None:
                n_objects = prediction.provenance.n_objects
                objects = "" if n_objects is None else f": {counted(n_objects, 'object')}"
                self.rows[index] = FileRow(f"✓ {self._name(prediction.path)}{objects}", row.record)
        self.can_rethreshold = any(each.output(PROBABILITY.name) for each in predictions)
        self.changed.emit()

    def _add_record(self, record: Path) -> None:
        if all(row.record != record for row in self.rows):
            self._n_done += 1
            self.rows.append(FileRow(f"✓ {self._name(record)}", record))

    def _name(self, record: Path) -> str:
        inside = self.folder is not None and record.is_relative_to(self.folder)
        shown = record.relative_to(self.folder) if inside and self.folder is not None else record
        return shown.as_posix().removesuffix(".json")


def find(folder: Path, context: Context) -> list[Prediction]:
    """Return the predictions in a folder; none if the folder does not exist."""
    context.check()
    try:
        return find_predictions(folder)
    except ImageError:
        return []


def find_some(folder: Path, context: Context) -> list[Prediction]:
    """Return the predictions in a folder.

    Raises
    ------
    ImageError
        If there is no such folder, or no prediction in it.
    """
    context.check()
    found = find_predictions(folder)
    if not found:
        raise ImageError(
            f"There are no predictions in {folder}: choose the folder that predictions were written to."
        )
    return found


def _record_of(output: Path, kind: str) -> Path:
    """Return the record beside an output: ``<stem>.json`` of ``<stem>[.<kind>].tif`` or ``.ome.zarr``."""
    stem = output.name.removesuffix(".ome.zarr").removesuffix(".tif")
    own = output.with_name(f"{stem}.json")
    return own if own.exists() else output.with_name(f"{stem.removesuffix(f'.{kind}')}.json")
