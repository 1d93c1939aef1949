"""The labels of samples: originals are read from their own files, corrections from the dataset.

A corrected version is a label image of its own, ``labels/<sample>/<segmentation>/<number>/labels.ome.zarr``
(OME-Zarr: compressed, in chunks), written once and never changed; or changes of the pixels of another
version, ``changes.jsonl`` in such a folder, to which more can be added.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segloop.artifacts.dataset.label_changes import ChangeFile, LabelChange
from segloop.artifacts.dataset.manifest import Sample
from segloop.artifacts.dataset.references import from_reference
from segloop.artifacts.dataset.segmentation import CorrectedCopy, ImageRef, LabelVersion
from segloop.artifacts.dataset.store import LABELS_FOLDER, require_own
from segloop.core.errors import DatasetError
from segloop.core.file_errors import writing
from segloop.core.paths import exists
from segloop.images.image import UNKNOWN_SIZE, PixelSize
from segloop.images.lazy_stack import LazyStack

VERSION_FILE, CHANGES_FILE = "labels.ome.zarr", "changes.jsonl"


@dataclass(frozen=True)
class LabelFile:
    """Where a version of a segmentation is.

    Attributes
    ----------
    path : Path
        Absolute path of the label image; it need not exist.
    scene, channel : str
        As in `ImageRef`.
    changes : tuple of (ChangeFile, int)
        Changes to apply to it, in this order: each file, and where the newest change in effect starts.
    """

    path: Path
    scene: str = ""
    channel: str = ""
    changes: tuple[tuple[ChangeFile, int], ...] = ()

    def digests(self) -> list[str]:
        """Return a hash of the changes in each file.

        Raises
        ------
        DatasetError
            If one can't be read.
        """
        return [file.digest(newest) for file, newest in self.changes]


class LabelStore:
    """Finds, reads and writes the labels of a dataset.

    Parameters
    ----------
    folder : Path
        The dataset's folder.
    home : str
        Where it was created; see `from_reference`.
    """

    def __init__(self, folder: Path, home: str) -> None:
        self._folder = folder
        self._home = home

    def resolve(self, ref: ImageRef) -> Path:
        """Return the absolute path of an image."""
        return from_reference(ref.path, self._folder, self._home)

    def find(self, sample: Sample, name: str, version: int | None = None) -> LabelFile:
        """Return where a version of a segmentation is.

        Parameters
        ----------
        sample : Sample
        name : str
            Name of the segmentation.
        version : int, optional
            Its number; 0 is the original. The newest by default.

        Raises
        ------
        DatasetError
            If the sample has no such segmentation, or the segmentation no such version.
        """
        segmentation = sample.segmentation(name)
        number = segmentation.newest if version is None else version
        if number == 0:
            if isinstance(segmentation.source, CorrectedCopy):
                return self.find(sample, segmentation.source.of, segmentation.source.version)
            ref = segmentation.source.image
            return LabelFile(self.resolve(ref), ref.scene, ref.channel)
        wanted = segmentation.version(number)
        if wanted is None:
            known = ", ".join(str(each.number) for each in segmentation.versions)
            raise DatasetError(
                f"The segmentation {name} of sample {sample.id} has no version {number}: it has "
                f"{', '.join(filter(None, ('0', known)))}."
            )
        if wanted.base is not None and wanted.change is not None:
            base = self.find(sample, name, wanted.base)
            own = (self.change_file(sample.id, name, number), wanted.change)
            return replace(base, changes=(*base.changes, own))
        return LabelFile(self._version_folder(sample.id, name, number) / VERSION_FILE)

    def change_file(self, sample_id: str, name: str, number: int) -> ChangeFile:
        """Return the file with the changes of a version."""
        return ChangeFile(self._version_folder(sample_id, name, number) / CHANGES_FILE)

    def read(self, sample: Sample, name: str, version: int | None = None) -> NDArray[Any]:
        """Read a version of a segmentation, as a (Z, Y, X) array of integers; parameters as in `find`.

        Raises
        ------
        DatasetError
            If there is no such version, or its file is missing.
        ImageError
            If it can't be read, or doesn't hold labels.
        """
        file = self.find(sample, name, version)
        labels = self._stored(file, sample).load()
        if file.changes:
            labels = np.ascontiguousarray(labels, dtype=np.uint32)
        for changes, newest in file.changes:
            for offset in reversed(list(changes.chain(newest))):
                changes.read(offset, labels.size).apply(labels)
        return labels

    def open(self, sample: Sample, name: str, version: int | None = None) -> LazyStack:
        """Open a version of a segmentation, so that parts of it can be read; as `read` otherwise.

        Of labels with changes everything is read as soon as a part is asked for.
        """
        file = self.find(sample, name, version)
        stored = self._stored(file, sample)
        if not file.changes:
            return stored
        everything: list[NDArray[Any]] = []

        def read(block: tuple[slice, slice, slice]) -> NDArray[Any]:
            if not everything:
                everything.append(self.read(sample, name, version))
            return everything[0][block]

        return LazyStack(stored.shape, np.uint32, read)

    @staticmethod
    def _stored(file: LabelFile, sample: Sample) -> LazyStack:
        """Open the label image itself, without changes."""
        from segloop.images.labels import open_labels

        require_existing(file.path, sample)
        return open_labels(file.path, scene=file.scene or None, channel=file.channel or None)

    def write(
        self,
        sample: Sample,
        name: str,
        labels: NDArray[Any],
        note: str = "",
        pixel_size_um: PixelSize = UNKNOWN_SIZE,
    ) -> LabelVersion:
        """Store labels as a file of their own; the sample doesn't refer to it yet.

        Parameters
        ----------
        sample : Sample
        name : str
            Name of the segmentation.
        labels : (Z, Y, X) integer array
            The corrected labels.
        note : str, optional
            What was corrected.
        pixel_size_um : tuple of float or None, optional
            Z, Y, X.

        Returns
        -------
        LabelVersion
            With a number that no version ever had before, not even one that was undone.

        Raises
        ------
        DatasetError, ImageError
            If the values are not labels, or the file can't be written; nothing refers to what is left of it.
        """
        from segloop.images.write import write_image

        pixels = smallest_label_type(labels, f"The segmentation {name} of sample {sample.id}")
        number = self._new_number(sample, name)
        path = self._version_folder(sample.id, name, number) / VERSION_FILE
        write_image(path, pixels, axes="ZYX", pixel_size_um=pixel_size_um)
        return LabelVersion(number=number, created=_now(), note=note)

    def write_change(
        self, sample: Sample, name: str, change: LabelChange, note: str = "", version: int | None = None
    ) -> LabelVersion:
        """Store a change of pixels; the sample doesn't refer to it yet.

        Parameters
        ----------
        sample : Sample
        name : str
            Name of the segmentation.
        change : LabelChange
            Of its newest version.
        note : str, optional
            What was corrected; of a new version.
        version : int, optional
            The version to go on with. A new one is begun if this one is not the newest, is a whole label
            image, or was copied; by default in any case.

        Returns
        -------
        LabelVersion
            A new one, or the one to go on with, with the change.

        Raises
        ------
        DatasetError
            If the file can't be written.
        """
        segmentation = sample.segmentation(name)
        now = segmentation.version(segmentation.newest)
        copied = any(
            isinstance(each.source, CorrectedCopy)
            and (each.source.of, each.source.version) == (name, version)
            for each in sample.segmentations
        )
        if now is not None and now.number == version and now.base is not None and not copied:
            newest = self.change_file(sample.id, name, now.number).append(change, now.change)
            return now.model_copy(update={"change": newest})
        number = self._new_number(sample, name)
        newest = self.change_file(sample.id, name, number).append(change, None)
        return LabelVersion(number=number, created=_now(), note=note, base=segmentation.newest, change=newest)

    def _new_number(self, sample: Sample, name: str) -> int:
        """Create the folder of a new version and return its number."""
        number = 1 + max((each.number for each in sample.segmentation(name).versions), default=0)
        with writing(self._folder / LABELS_FOLDER, DatasetError):
            while not self._reserve(sample.id, name, number):
                number += 1
        return number

    def _reserve(self, sample_id: str, name: str, number: int) -> bool:
        """Create a version's folder; False if it exists, left by a version that was undone."""
        folder = self._version_folder(sample_id, name, number)
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            folder.mkdir()
        except FileExistsError:
            return False
        return True

    def _version_folder(self, sample_id: str, name: str, number: int) -> Path:
        folder = self._folder / LABELS_FOLDER
        for part in (sample_id, name, str(number)):
            folder = folder / part
            require_own(folder)
        return folder


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def require_existing(path: Path, sample: Sample) -> None:
    """Raise `DatasetError` if a sample's file is missing."""
    if not exists(path):
        raise DatasetError(
            f"{path}, an image of sample {sample.id}, is missing: put it back, or reject the sample."
        )


def smallest_label_type(labels: Any, what: str) -> NDArray[Any]:
    """Return labels as 8, 16 or 32-bit unsigned integers, whichever is the smallest that holds all values.

    Parameters
    ----------
    labels : integer or bool array
    what : str
        What they are, to begin an error message: ``Layer nuclei``.

    Raises
    ------
    DatasetError
        If a value is below 0 or not below 2**32, or the values are not integers.
    """
    array = np.asarray(labels)
    if array.dtype.kind not in "bui":
        raise DatasetError(f"{what} holds {array.dtype} values, not labels: convert it to integers.")
    lowest, highest = int(array.min(initial=0)), int(array.max(initial=0))
    if lowest < 0:
        raise DatasetError(
            f"{what} holds values below 0 (down to {lowest}): "
            "use 0 for the background and numbers from 1 for objects."
        )
    if highest >= 2**32:
        raise DatasetError(
            f"{what} holds values up to {highest}, but files hold labels below {2**32}: "
            "number its objects from 1."
        )
    return array.astype(next(t for t in (np.uint8, np.uint16, np.uint32) if highest <= np.iinfo(t).max))
