"""Curated datasets for other tools: one module a format, all in `FORMATS`."""

from __future__ import annotations

from segloop.curation.export.cellpose import CellposeFolders
from segloop.curation.export.coco import CocoFiles
from segloop.curation.export.layout import Layout
from segloop.curation.export.nnunet import NnunetFolders
from segloop.curation.export.ome_zarr import OmeZarrImages
from segloop.curation.export.pairs import PlainPairs
from segloop.curation.export.stardist import StardistFolders

FORMATS: dict[str, type[Layout]] = {
    "pairs": PlainPairs,
    "cellpose": CellposeFolders,
    "stardist": StardistFolders,
    "nnunet": NnunetFolders,
    "coco": CocoFiles,
    "ome-zarr": OmeZarrImages,
}
"""By the name that ``segloop dataset export --to`` takes."""
