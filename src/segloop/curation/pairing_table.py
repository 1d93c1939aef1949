"""The files of a new dataset as a table of pairs, to be confirmed before anything is created."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from segloop.core.context import Context
from segloop.core.errors import SegloopError
from segloop.curation.creating import Folders, pair_folders, plan_folders
from segloop.images.pairing import Pair, Unpaired

if TYPE_CHECKING:
    from segloop.curation.importing import PlannedImport

Status = Literal["paired", "unmatched", "ambiguous", "unequal", "unusable"]

BY_HAND = "chosen by hand"
"""Why files are a pair that the user has put together."""


@dataclass(frozen=True)
class PairingRow:
    """One line of the table: a raw image with its segmentations, or a file without a partner.

    Attributes
    ----------
    raw : Path or None
        The raw image; None for a segmentation that belongs to none.
    segmentations : mapping of str to Path
        Its segmentations by name; of a file without a partner, none, or that file.
    status : {"paired", "unmatched", "ambiguous", "unequal", "unusable"}
        Whether a sample can be made of it: no partner, several candidates, another size, or another reason
        against it.
    why : str
        The rule by which the files are a pair, or a sentence that says what is wrong.
    pair : Pair or None
        The pair, which is not used unless its status is "paired".
    """

    raw: Path | None
    segmentations: Mapping[str, Path]
    status: Status
    why: str
    pair: Pair | None = field(default=None, compare=False)


@dataclass(frozen=True)
class PairingTable:
    """Outcome of pairing the files in folders.

    Attributes
    ----------
    rows : tuple of PairingRow
        What needs attention first.
    free : tuple of Path
        Files of the first segmentation that are in no usable pair, to choose from by hand.
    """

    rows: tuple[PairingRow, ...]
    free: tuple[Path, ...]


def make_pairing_table(source: Folders, context: Context) -> PairingTable:
    """Pair the files in folders by their names and look whether each pair can be used.

    Parameters
    ----------
    source : Folders
        What to pair, and the rule.
    context : Context
        Progress and cancel.

    Raises
    ------
    SegloopError
        If a folder is not chosen or missing, nothing can be paired, or the rule is wrong.
    Cancelled
        If the user asked to stop.
    """
    plan = plan_folders(source)
    pairing = plan.before_import()
    pairs = context.track(pairing.pairs, len(pairing.pairs), "Examining the pairs")
    rows = [*_lone(pairing.unpaired, source), *(_examine(pair, source, plan) for pair in pairs)]
    good = {row.pair.seg for row in rows if row.pair is not None and row.status == "paired"}
    taken = good | {row.raw for row in rows}
    first = next(iter(source.segmentations.items()))
    free = tuple(file for file in plan.files(*first) if file not in taken)
    return PairingTable(tuple(sorted(rows, key=lambda row: row.status == "paired")), free)


def pair_by_hand(row: PairingRow, file: Path, source: Folders, context: Context) -> PairingRow:
    """Return the row of a raw image with another file as its first segmentation."""
    context.check()
    assert row.raw is not None
    name = next(iter(source.segmentations))
    others = {other: path for other, path in row.segmentations.items() if other != name}
    stem = row.pair.stem if row.pair is not None else _stem_of(row.raw)
    return _examine(Pair(stem, row.raw, file, others, name, BY_HAND), source, plan_folders(source))


def _examine(pair: Pair, source: Folders, plan: PlannedImport) -> PairingRow:
    """Return the row of a pair, which says whether a sample can be made of it."""
    from segloop.artifacts.dataset.candidates import UnequalSizeError, examine_pair

    status: Status = "paired"
    why = pair.rule
    try:
        examine_pair(pair, source.channel, source.axes, plan.labels_reader(pair))
    except UnequalSizeError as error:
        status, why = "unequal", str(error)
    except SegloopError as error:
        status, why = "unusable", str(error)
    return PairingRow(pair.raw, pair.segmentations, status, why, pair)


def _lone(unpaired: Sequence[Unpaired], source: Folders) -> list[PairingRow]:
    """Return the rows of files without a partner; of a raw image, with its further segmentations."""
    further = _further(source) if any(one.is_raw for one in unpaired) else {}
    rows = []
    for one in unpaired:
        status: Status = "ambiguous" if one.ambiguous else "unmatched"
        found = {name: files[one.path] for name, files in further.items() if one.path in files}
        raw, segmentations = (one.path, found) if one.is_raw else (None, {"": one.path})
        rows.append(PairingRow(raw, segmentations, status, one.problem))
    return rows


def _further(source: Folders) -> dict[str, dict[Path, Path]]:
    """Return for each segmentation but the first which file belongs to which raw image."""
    found = {}
    for name, folder in list(source.segmentations.items())[1:]:
        with suppress(SegloopError):
            pairs = pair_folders(replace(source, segmentations={name: folder})).pairs
            found[name] = {pair.raw: pair.seg for pair in pairs}
    return found


def _stem_of(raw: Path) -> str:
    from segloop.images.names import stem_of

    return stem_of(raw)
