"""Folders as Cellpose trains on: ``train`` and ``test``, masks beside their images."""

from __future__ import annotations

from segloop.curation.export.layout import ExportedSample, Layout, require_objects, write_labels, write_pixels

_FOLDERS = {"train": "train", "val": "test", "test": "held_out"}


class CellposeFolders(Layout):
    """``train/<id>.tif`` with ``train/<id>_masks.tif``; samples for validation are in ``test``.

    Cellpose has no place for excluded pixels: they are background.
    """

    def write(self, sample: ExportedSample) -> None:
        """Write one sample."""
        require_objects(self, "Cellpose")
        if not sample.valid.all():
            self.note("Cellpose knows no excluded pixels: they are background in the masks.")
        folder = self.folder / _FOLDERS[sample.split]
        write_pixels(sample, folder / f"{sample.id}.tif")
        write_labels(sample, folder / f"{sample.id}_masks.tif")
