"""Plain pairs of files: ``raw``, ``labels`` and ``valid``, with a table of all samples."""

from __future__ import annotations

import csv

import numpy as np

from segloop.curation.export.layout import ExportedSample, Layout, write_labels, write_raw
from segloop.images.write import write_image

_COLUMNS = ("sample", "raw", "labels", "valid", "split", "group", "note")


class PlainPairs(Layout):
    """Image and labels under one name in two folders; ``dataset.csv`` lists them.

    Excluded pixels are 0 in ``labels``, and 0 in a mask in ``valid`` that is only there if some are excluded.
    """

    def prepare(self) -> None:
        """Set up what is collected over all samples."""
        self._rows: list[tuple[str, ...]] = []

    def write(self, sample: ExportedSample) -> None:
        """Write one sample."""
        raw = write_raw(sample, self.folder / "raw", sample.id)
        labels = write_labels(sample, self.folder / "labels" / f"{sample.id}.tif")
        valid = ""
        if not sample.valid.all():
            mask = sample.flat(sample.valid.astype(np.uint8))
            axes = "YX" if mask.ndim == 2 else "ZYX"
            path = write_image(self.folder / "valid" / f"{sample.id}.tif", mask, axes=axes)
            valid = path.relative_to(self.folder).as_posix()
        files = (path.relative_to(self.folder).as_posix() for path in (raw, labels))
        self._rows.append((sample.id, *files, valid, sample.split, sample.group, sample.note))

    def finish(self) -> None:
        """Write the table."""
        with (self.folder / "dataset.csv").open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file)
            table.writerow(_COLUMNS)
            table.writerows(self._rows)
