"""A dataset in the format of nnU-Net, version 2.

Source: the description of the format in nnU-Net's repository, ``documentation/dataset_format.md``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from segloop.core.atomic import write_json
from segloop.core.errors import DatasetError
from segloop.core.file_names import plain_file_name
from segloop.curation.export.layout import ExportedSample, Layout
from segloop.images.write import write_image

_NUMBER = 501


class NnunetFolders(Layout):
    """``Dataset501_<name>`` with ``imagesTr``, ``labelsTr``, ``imagesTs``, ``labelsTs`` and ``dataset.json``.

    nnU-Net learns classes, so objects become one class, the foreground. Excluded pixels get nnU-Net's label
    to ignore. nnU-Net makes its own folds of training and validation: both are in ``imagesTr``.
    """

    def prepare(self) -> None:
        """Set up what is collected over all samples."""
        self._root = self.folder / f"Dataset{_NUMBER}_{plain_file_name(self.name, 'dataset', '_')}"
        self._highest, self._excluded, self._n_training = 1, False, 0
        self._unfinished: list[tuple[ExportedSample, Path]] = []

    def write(self, sample: ExportedSample) -> None:
        """Write one sample."""
        where = "Ts" if sample.split == "test" else "Tr"
        classes = sample.labels
        if self.label_kind == "instances":
            classes = (classes > 0).astype(np.int32)
        highest = int(classes.max(initial=0))
        if highest >= 255:
            raise DatasetError(
                f"{sample.id} has the class {highest}, but classes for nnU-Net go up to 254: number them "
                "from 1."
            )
        for number, pixels in enumerate(sample.pixels()):
            path = self._root / f"images{where}" / f"{sample.id}_{number:04}.tif"
            self._write(sample, path, pixels)
        self._highest = max(self._highest, highest)
        self._excluded |= not sample.valid.all()
        self._n_training += where == "Tr"
        # 255 stands for what is excluded until the number of classes is known.
        labels = np.where(sample.valid, classes, 255).astype(np.uint8)
        path = self._root / f"labels{where}" / f"{sample.id}.tif"
        self._write(sample, path, labels)
        if not sample.valid.all():
            self._unfinished.append((sample, path))

    def finish(self) -> None:
        """Write ``dataset.json``, and the number of the label to ignore, which follows the classes."""
        names = {"foreground": 1} if self.label_kind == "instances" else {}
        if not names:
            names = {f"class {number}": number for number in range(1, self._highest + 1)}
        labels = {"background": 0, **names}
        if self._excluded:
            labels["ignore"] = self._highest + 1
        for sample, path in self._unfinished:
            classes = (sample.labels > 0) if self.label_kind == "instances" else sample.labels
            final = np.where(sample.valid, classes, self._highest + 1).astype(np.uint8)
            self._write(sample, path, final)
        write_json(
            self._root / "dataset.json",
            {
                "channel_names": {str(number): name for number, name in enumerate(self.channel_names)},
                "labels": labels,
                "numTraining": self._n_training,
                "file_ending": ".tif",
            },
        )

    def _write(self, sample: ExportedSample, path: Path, array: np.ndarray) -> None:
        """Write a plane or a stack; of a stack, the spacing too, in a file that nnU-Net looks for."""
        axes = "YX" if sample.is_plane else "ZYX"
        size = sample.image.pixel_size_um
        write_image(path, sample.flat(array), axes=axes, pixel_size_um=size)
        if not sample.is_plane:
            stem = path.name.removesuffix(".tif")
            if path.parent.name.startswith("images"):
                stem = stem[:-5]  # without the number of the channel
            spacing = [each if each is not None else 1.0 for each in size]
            write_json(path.with_name(f"{stem}.json"), {"spacing": spacing})
