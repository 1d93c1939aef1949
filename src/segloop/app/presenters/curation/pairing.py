"""The pairs of a new dataset: looked for, shown as a table, confirmed by the user."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from psygnal import Signal

from segloop.app.presenters.background import Background
from segloop.artifacts.dataset.segmentation import default_name, require_safe_name
from segloop.core.errors import DatasetError
from segloop.core.wording import counted
from segloop.curation.creating import Folders
from segloop.curation.pairing_table import PairingRow, PairingTable, Status, make_pairing_table, pair_by_hand
from segloop.images.pairing import Pair

STATUS_WORDS: dict[Status, str] = {
    "unmatched": "no partner",
    "ambiguous": "several candidates",
    "unequal": "another size",
    "unusable": "another problem",
}
"""What is wrong with a row, in a few words; of a pair, its rule is shown."""

_COUNTED: dict[Status, str] = {
    "unmatched": "without a partner",
    "ambiguous": "with several candidates",
    "unequal": "of another size",
    "unusable": "with another problem",
}

_LANE, _LANE_BY_HAND = "pairing", "pairing by hand"


@dataclass(frozen=True)
class FolderChoice:
    """The folders of a new dataset as the user has filled in the form.

    Attributes
    ----------
    raw : str
        Folder or pattern.
    segmentations : tuple of (name, folder)
        Rows of the form; an empty name stands for the usual one, a row without a folder is ignored.
    channel, axes, rule : str
        As in `segloop.curation.creating.Folders`.
    """

    raw: str
    segmentations: tuple[tuple[str, str], ...]
    channel: str = ""
    axes: str = ""
    rule: str = ""

    def folders(self) -> Folders:
        """Return the folders by the names of their segmentations.

        Raises
        ------
        DatasetError
            If a folder is not chosen, or a name can't be used or occurs twice.
        """
        return Folders(self.raw, by_name(self.segmentations), self.channel, self.axes, self.rule)


def by_name(rows: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return folders or layers by the name of their segmentation.

    Parameters
    ----------
    rows : sequence of (name, source)
        An empty name stands for the usual one; rows without a source are ignored, but for the first.

    Raises
    ------
    DatasetError
        If a name can't be used, or occurs twice.
    """
    named: dict[str, str] = {}
    for number, (name, source) in enumerate(rows, 1):
        if not source and number > 1:
            continue
        name = name or default_name(number)
        try:
            require_safe_name(name, "the name of a segmentation")
        except ValueError as error:
            raise DatasetError(f"{error}.") from error
        if name.casefold() in (other.casefold() for other in named):
            raise DatasetError(f"Two segmentations are named {name}: rename one.")
        named[name] = source
    return named


class PairingPresenter:
    """State and commands of the table of pairs.

    Parameters
    ----------
    background : Background
        Pair and read in the background; only the newest question counts.

    Attributes
    ----------
    source : Folders or None
        What was paired.
    searching : bool
        Whether the files are being paired.
    problem : str
        Why there is no table; empty if there is one, or not all folders are chosen yet.
    """

    changed = Signal()
    """The table, or whether it is being made, has changed."""

    def __init__(self, background: Background) -> None:
        self._background = background
        self._table = PairingTable((), ())
        self._by_hand: dict[Path, PairingRow] = {}
        self._unticked: set[Path] = set()
        self.source: Folders | None = None
        self.searching = False
        self.problem = ""

    @property
    def rows(self) -> tuple[PairingRow, ...]:
        """The table, what needs attention first."""
        chosen = {row.pair.seg for row in self._by_hand.values() if row.pair is not None}
        return tuple(
            self._by_hand.get(row.raw, row) if row.raw is not None else row
            for row in self._table.rows
            if row.raw is not None or not chosen.issuperset(row.segmentations.values())
        )

    @property
    def n_used(self) -> int:
        """How many samples will be made."""
        return sum(map(self.is_used, self.rows))

    @property
    def blank(self) -> bool:
        """Whether no segmentation is chosen, so that all labels are to be drawn."""
        return self.source is not None and self.source.blank

    def counted(self, number: int) -> str:
        """Return a number of pairs in words, or of images without a segmentation."""
        return f"{counted(number, 'image')} to label" if self.blank else counted(number, "pair")

    @property
    def summary(self) -> str:
        """What was found, in a line."""
        if self.searching:
            return "Pairing the files…"
        if not self._table.rows:
            return self.problem
        rows = self.rows
        used, paired = self.n_used, sum(row.status == "paired" for row in rows)
        parts = [self.counted(used)]
        parts += [f"{paired - used} not ticked"] if used < paired else []
        for status, words in _COUNTED.items():
            number = sum(row.status == status for row in rows)
            parts += [f"{number} {words}"] if number else []
        return ", ".join(parts)

    def look(self, choice: FolderChoice) -> None:
        """Pair the files in the chosen folders; as long as one is not chosen there is no table."""
        self.clear()
        try:
            source = self.source = choice.folders()
        except DatasetError as error:
            self._on_error(error)
            return
        if source.raw:
            self.searching = True
            self._background.run(
                make_pairing_table, source, lane=_LANE, on_result=self._on_table, on_error=self._on_error
            )
            self.changed.emit()

    def clear(self) -> None:
        """Forget the table."""
        self._background.drop(_LANE)
        self._background.drop(_LANE_BY_HAND)
        self._table = PairingTable((), ())
        self._by_hand.clear()
        self._unticked.clear()
        self.source, self.searching, self.problem = None, False, ""
        self.changed.emit()

    def is_used(self, row: PairingRow) -> bool:
        """Whether a sample will be made of a row."""
        return row.status == "paired" and row.raw not in self._unticked

    def use(self, raw: Path, used: bool) -> None:
        """Use the pair of a raw image, or leave it out."""
        (self._unticked.discard if used else self._unticked.add)(raw)
        self.changed.emit()

    def describe(self, row: PairingRow) -> str:
        """Return the names of the files that belong to a raw image, and which segmentations it lacks."""
        if self.blank:
            return "to be drawn"
        words = list(dict.fromkeys(file.name for file in row.segmentations.values()))
        if row.raw is not None and row.segmentations and self.source is not None:
            words += [f"no {name}" for name in self.source.segmentations if name not in row.segmentations]
        return ", ".join(words)

    def choices(self, row: PairingRow) -> tuple[Path, ...]:
        """Return the segmentations to choose from by hand; none where the names settle it."""
        if row.raw is None or (row.status == "paired" and row.raw not in self._by_hand):
            return ()
        elsewhere = {
            other.pair.seg
            for raw, other in self._by_hand.items()
            if raw != row.raw and other.status == "paired" and other.pair is not None
        }
        return tuple(file for file in self._table.free if file not in elsewhere)

    def choose(self, raw: Path, file: Path) -> None:
        """Pair a raw image with a segmentation by hand."""
        row = next((row for row in self.rows if row.raw == raw), None)
        if self.source is None or row is None:
            return
        self.problem = ""
        self._background.run(
            pair_by_hand,
            row,
            file,
            self.source,
            lane=_LANE_BY_HAND,
            on_result=self._on_chosen,
            on_error=self._on_error,
        )

    def pairs(self) -> list[Pair]:
        """Return the pairs to make samples of.

        Raises
        ------
        DatasetError
            If there are none, with the reason.
        """
        if self.searching:
            raise DatasetError("The files are still being paired: wait for the table.")
        if self.problem:
            raise DatasetError(self.problem)
        if not self._table.rows:
            raise DatasetError("No folder with the raw images is chosen: choose one.")
        pairs = [row.pair for row in self.rows if row.pair is not None and self.is_used(row)]
        if not pairs:
            raise DatasetError("No pair is ticked: tick the pairs to use.")
        return pairs

    def _on_table(self, table: PairingTable) -> None:
        self._table, self.searching = table, False
        self.changed.emit()

    def _on_chosen(self, row: PairingRow) -> None:
        if row.raw is not None:
            self._by_hand[row.raw] = row
        self.changed.emit()

    def _on_error(self, error: Exception) -> None:
        self.searching, self.problem = False, str(error)
        self.changed.emit()
