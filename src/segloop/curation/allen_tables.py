"""Curation done with the Allen Cell Segmenter ML plugin: its tables become a curated dataset.

The plugin writes ``train.csv``, ``test.csv`` and ``val.csv`` into a folder; the last two name the same
images. Each row has the files ``raw``, ``seg1``, ``seg2``, outlines ``merge_mask`` and ``exclude_mask``, and
in ``base_image`` the segmentation that the other one is merged into. Outlines hold in all slices of a stack,
and merges cut at their edge. Sources: github.com/AllenCell/allencell-segmenter-ml, ``utils/file_utils.py``;
github.com/AllenCellModeling/cyto-dl, ``image/io/polygon_loader.py`` and ``image/transforms/merge.py``.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast, get_args

from segloop.artifacts.dataset.creation import create_files
from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.manifest import LabelKind, Region, Sample, Split
from segloop.artifacts.dataset.references import absolute
from segloop.core.context import Context
from segloop.core.errors import DatasetError
from segloop.curation.polygon_file import read_polygons
from segloop.images.names import stem_of
from segloop.images.pairing import Pair

SEGMENTATIONS = ("seg1", "seg2")
_KINDS: dict[str, Literal["exclude", "merge"]] = {"merge_mask": "merge", "exclude_mask": "exclude"}
_REQUIRED = ("raw", "seg1")


@dataclass(frozen=True)
class CuratedRow:
    """A row of a table.

    Attributes
    ----------
    pair : Pair
        Raw image with one or two segmentations.
    base : str
        Name of the segmentation that the ground truth starts from.
    masks : mapping of {"merge", "exclude"} to Path
        Files with outlines.
    split : {"train", "val", "test"} or None
        As the name of the table says; None if it says nothing.
    """

    pair: Pair
    base: str
    masks: Mapping[Literal["exclude", "merge"], Path] = field(default_factory=dict)
    split: Split | None = None


def read_tables(source: Path) -> list[CuratedRow]:
    """Read a table, or those in a folder; an image that is named again is left out.

    Parameters
    ----------
    source : Path
        A ``.csv`` file, or the folder with the plugin's tables (that of the experiment, or its ``data``).

    Raises
    ------
    DatasetError
        If there are no tables, one can't be read, or lacks the columns.
    """
    rows: dict[Path, CuratedRow] = {}
    for table in _tables(source):
        for row in _read_table(table):
            rows.setdefault(row.pair.raw, row)
    if not rows:
        raise DatasetError(
            f"{source} names no images: choose the folder with train.csv, val.csv and test.csv."
        )
    return list(rows.values())


def import_tables(
    path: Path,
    source: Path,
    *,
    channel: str = "",
    val: float = 0.2,
    seed: int = 0,
    label_kind: LabelKind | None = None,
    axes: str = "",
    context: Context | None = None,
) -> tuple[CuratedDataset, tuple[str, ...]]:
    """Create a curated dataset of the images, decisions and outlines in the plugin's tables.

    All samples are accepted, since the plugin writes accepted ones only.

    Parameters
    ----------
    path : Path
        Folder of the new dataset.
    source : Path
        See `read_tables`.
    channel, val, seed, label_kind, axes
        See `CuratedDataset.create`; ``val`` and ``seed`` are for images in a table of another name.
    context : Context, optional
        Progress and cancel.

    Returns
    -------
    dataset : CuratedDataset
    problems : tuple of str
        A sentence for each row that was left out, and for what is noteworthy about the others.

    Raises
    ------
    DatasetError
        As `read_tables` and `CuratedDataset.create`.
    """
    rows = read_tables(source)
    regions: dict[Path, tuple[Region, ...]] = {}
    problems: list[str] = []
    for row in rows:
        try:
            regions[row.pair.raw] = _regions(row)
        except DatasetError as error:
            problems.append(str(error))
    usable = {row.pair.raw: row for row in rows if row.pair.raw in regions}
    if not usable:
        raise DatasetError(f"None of the images in {source} can be used; the first problem: {problems[0]}")

    def decide(sample: Sample, pair: Pair) -> Sample:
        row = usable[pair.raw]
        return sample.edit(base=row.base, regions=regions[pair.raw], split=row.split or sample.split)

    folder = absolute(path)
    _, unusable, warnings = create_files(
        folder,
        [row.pair for row in usable.values()],
        channel=channel,
        val=val,
        test=0.0,
        group_by=None,
        seed=seed,
        name=None,
        accept_all=True,
        label_kind=label_kind,
        axes=axes,
        context=context or Context(),
        decide=decide,
    )
    return CuratedDataset.open(folder), (*problems, *unusable, *warnings)


def _tables(source: Path) -> Sequence[Path]:
    if source.is_file():
        return [source]
    for folder in (source, source / "data"):
        found = [folder / f"{split}.csv" for split in get_args(Split)]
        found = [each for each in found if each.is_file()]
        if found:
            return found
    raise DatasetError(
        f"{source} has no train.csv, val.csv or test.csv: choose the plugin's folder of the experiment."
    )


def _read_table(table: Path) -> list[CuratedRow]:
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = [name for name in _REQUIRED if name not in (reader.fieldnames or ())]
            if missing:
                raise DatasetError(
                    f"{table} has no column {' and no column '.join(missing)}: choose a table that the Allen "
                    "Cell Segmenter ML plugin wrote."
                )
            return [_row(table, number, cells) for number, cells in enumerate(reader, 2)]
    except OSError as error:
        raise DatasetError(f"{table} can't be read ({error.strerror}).") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{table} is no table of comma-separated values ({error}).") from error


def _row(table: Path, number: int, cells: Mapping[str, str | None]) -> CuratedRow:
    def file(name: str) -> Path | None:
        text = (cells.get(name) or "").strip()
        return table.parent / text if text else None

    raw, first, second = (file(name) for name in ("raw", *SEGMENTATIONS))
    if raw is None or first is None:
        raise DatasetError(f"{table}, line {number}, names no file in the column raw or seg1: fill it in.")
    pair = Pair(stem_of(raw), raw, first, {"seg2": second} if second else {}, "seg1", table.name)
    base = (cells.get("base_image") or "").strip()
    base = base if base not in ("", "None") else "seg1"
    if base not in pair.segmentations:
        raise DatasetError(
            f"{table}, line {number}, has the base_image {base[:80]!r}, which names no segmentation of that "
            "line: write seg1 or seg2."
        )
    masks = {kind: path for column, kind in _KINDS.items() if (path := file(column)) is not None}
    name = table.stem.casefold()
    return CuratedRow(pair, base, masks, cast(Split, name) if name in get_args(Split) else None)


def _regions(row: CuratedRow) -> tuple[Region, ...]:
    other = next((name for name in row.pair.segmentations if name != row.base), "")
    regions = []
    for kind, path in row.masks.items():
        if kind == "merge" and not other:
            continue
        for number, outline in enumerate(read_polygons(path), 1):
            regions.append(
                Region(
                    id=f"{kind}{number}",
                    kind=kind,
                    shape="polygon",
                    vertices=tuple((round(float(y), 3), round(float(x), 3)) for y, x in outline),
                    segmentation=other if kind == "merge" else "",
                )
            )
    return tuple(regions)
