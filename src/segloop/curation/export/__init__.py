"""Curated datasets for other tools: one module a format."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from segloop.curation.export.layout import Layout

FORMATS = {
    "pairs": "images and labels in two folders, with a table",
    "cellpose": "train and test folders with <name>_masks.tif, for Cellpose",
    "stardist": "images and masks folders for each split, for StarDist",
    "nnunet": "imagesTr, labelsTr and dataset.json, for nnU-Net (objects become one class)",
    "coco": "annotations with masks and boxes for each split, in the format of COCO (2D)",
    "ome-zarr": "OME-Zarr images with the labels inside",
}
"""What each format is, by the name that ``segloop dataset export --to`` takes."""


def layout_of(name: str) -> type[Layout]:
    """Return the class that writes a format; it is imported only then.

    Raises
    ------
    KeyError
        If there is no such format.
    """
    from segloop.curation.export.cellpose import CellposeFolders
    from segloop.curation.export.coco import CocoFiles
    from segloop.curation.export.nnunet import NnunetFolders
    from segloop.curation.export.ome_zarr import OmeZarrImages
    from segloop.curation.export.pairs import PlainPairs
    from segloop.curation.export.stardist import StardistFolders

    layouts: dict[str, type[Layout]] = {
        "pairs": PlainPairs,
        "cellpose": CellposeFolders,
        "stardist": StardistFolders,
        "nnunet": NnunetFolders,
        "coco": CocoFiles,
        "ome-zarr": OmeZarrImages,
    }
    return layouts[name]
