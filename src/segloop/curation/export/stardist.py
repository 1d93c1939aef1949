"""Folders as in StarDist's examples: ``train/images`` and ``train/masks``, likewise ``val`` and ``test``."""

from __future__ import annotations

from segloop.curation.export.layout import ExportedSample, Layout, require_objects, write_labels, write_pixels


class StardistFolders(Layout):
    """``<split>/images/<id>.tif`` and ``<split>/masks/<id>.tif``.

    StarDist has no place for excluded pixels: they are background.
    """

    def write(self, sample: ExportedSample) -> None:
        """Write one sample."""
        require_objects(self, "StarDist")
        if not sample.valid.all():
            self.note("The folders for StarDist know no excluded pixels: they are background in the masks.")
        folder = self.folder / sample.split
        write_pixels(sample, folder / "images" / f"{sample.id}.tif")
        write_labels(sample, folder / "masks" / f"{sample.id}.tif")
