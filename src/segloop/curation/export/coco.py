"""Objects in the format of COCO: ``annotations/<split>.json`` beside folders of images.

Source: cocodataset.org, "Data format": masks as run lengths down the columns, not compressed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects

from segloop.core.atomic import write_json
from segloop.core.errors import DatasetError
from segloop.curation.export.layout import ExportedSample, Layout, write_raw


class CocoFiles(Layout):
    """One file a split; each object has its mask, box and area. Excluded pixels are a crowd to be ignored."""

    def prepare(self) -> None:
        """Set up what is collected over all samples."""
        self._files: dict[str, dict[str, Any]] = {}
        self._n_images = self._n_objects = 0
        self._categories: set[int] = set()

    def write(self, sample: ExportedSample) -> None:
        """Write one sample."""
        if not sample.is_plane:
            raise DatasetError(
                f"{sample.id} is a stack, which the format of COCO can't hold: export it with --to pairs."
            )
        file = write_raw(sample, self.folder / sample.split, sample.id)
        content = self._files.setdefault(sample.split, {"images": [], "annotations": []})
        self._n_images += 1
        height, width = sample.labels.shape[1:]
        content["images"].append(
            {"id": self._n_images, "file_name": file.name, "width": width, "height": height}
        )
        for number, where in enumerate(find_objects(sample.labels[0]), 1):
            if where is not None:
                category = number if self.label_kind == "semantic" else 1
                self._add(content, category, sample.labels[0] == number)
        if not sample.valid.all():
            self._add(content, 1, ~sample.valid[0], crowd=True)

    def finish(self) -> None:
        """Write the annotations."""
        instances = self.label_kind == "instances"
        categories = [
            {"id": number, "name": "object" if instances else f"class {number}"}
            for number in sorted(self._categories or {1})
        ]
        (self.folder / "annotations").mkdir()
        for split, content in self._files.items():
            write_json(
                self.folder / "annotations" / f"{split}.json",
                {"info": {"description": self.name}, **content, "categories": categories},
            )

    def _add(
        self, content: dict[str, Any], category: int, mask: NDArray[np.bool_], crowd: bool = False
    ) -> None:
        self._n_objects += 1
        self._categories.add(category)
        y, x = np.nonzero(mask)
        box = [int(x.min()), int(y.min()), int(np.ptp(x)) + 1, int(np.ptp(y)) + 1]
        content["annotations"].append(
            {
                "id": self._n_objects,
                "image_id": self._n_images,
                "category_id": category,
                "segmentation": {"size": list(mask.shape), "counts": run_lengths(mask)},
                "area": int(mask.sum()),
                "bbox": box,
                "iscrowd": int(crowd),
            }
        )


def run_lengths(mask: NDArray[np.bool_]) -> list[int]:
    """Return the lengths of runs down the columns, alternately outside and inside, outside first."""
    flat = np.concatenate([[False], mask.ravel(order="F"), [not mask[-1, -1]]])
    changes = np.flatnonzero(flat[1:] != flat[:-1])
    return [int(length) for length in np.diff(changes, prepend=0)]
