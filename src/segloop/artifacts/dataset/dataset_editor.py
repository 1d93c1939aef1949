"""Changing the samples of a curated dataset; each change is on disk, and can be undone, when it returns."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from segloop.artifacts.dataset.dataset_reader import DatasetReader
from segloop.artifacts.dataset.label_changes import ChangeFile, LabelChange, path_between
from segloop.artifacts.dataset.manifest import Sample, Split
from segloop.artifacts.dataset.references import absolute, with_references
from segloop.artifacts.dataset.relocation import References, Relocation
from segloop.artifacts.dataset.requirements import require_size_of_raw, require_whole_group
from segloop.artifacts.dataset.segmentation import CorrectedCopy, SegmentationSource
from segloop.artifacts.dataset.sources import source_of
from segloop.core.errors import DatasetError


class DatasetEditor(DatasetReader):
    """The part of `CuratedDataset` that changes samples."""

    def save(self, sample: Sample, action: str) -> None:
        """Write a whole sample, and what changed into the journal; without a change, do nothing.

        What another program changed of the sample since it was read is overwritten: `edit` keeps it.

        Parameters
        ----------
        sample : Sample
            As it should be from now on (see `Sample.edit`).
        action : str
            Name of the change, in a word or two.

        Raises
        ------
        DatasetError
            If the dataset has no such sample, or can't be written; everything is then as before.
        """
        self.edit(sample.id, lambda _: sample, action)

    def edit(self, sample_id: str, change: Callable[[Sample], Sample], action: str) -> Sample:
        """Change a sample as it is on disk at this moment, also if another program changed it last.

        Other programs wait meanwhile, so no change of theirs is lost.

        Parameters
        ----------
        sample_id : str
            Which sample.
        change : callable
            Takes the sample as it is, and returns it as it should be (see `Sample.edit`).
        action : str
            Name of the change, in a word or two.

        Returns
        -------
        Sample
            As it is now.

        Raises
        ------
        DatasetError
            If the dataset has no such sample, another program keeps it locked, or it can't be written;
            everything is then as before.
        """
        with self._store.locked():
            before = self.sample(sample_id)
            after = change(before)
            if (after.split, after.group) != (before.split, before.group):
                require_whole_group(after, self.summaries())
            if after != before:
                self._store.write([(before, after)], action)
        return after

    def edit_together(
        self, sample_ids: Iterable[str], change: Callable[[Sample], Sample], action: str
    ) -> tuple[Sample, ...]:
        """Change several samples, each as `edit` does: one undo takes all back.

        Returns
        -------
        tuple of Sample
            Those that became another one, as they are now.
        """
        with self._store.locked():
            samples = [self.sample(each) for each in sample_ids]
            changes = [(before, after) for before in samples if (after := change(before)) != before]
            if any((after.split, after.group) != (before.split, before.group) for before, after in changes):
                raise DatasetError(
                    "The split of samples is changed with set_split, and their group not at all."
                )
            if changes:
                self._store.write(changes, action)
        return tuple(after for _, after in changes)

    def set_split(
        self, sample_id: str, split: Split, group_ids: Iterable[str] | None = None
    ) -> tuple[Sample, ...]:
        """Move a sample to a split, and the other samples of its group with it: one undo takes all back.

        Parameters
        ----------
        sample_id : str
            Which sample.
        split : {"train", "val", "test"}
            Where to.
        group_ids : iterable of str, optional
            Ids of the samples in its group, where they are known; otherwise all samples are looked through.

        Returns
        -------
        tuple of Sample
            Those that were moved, as they are now.

        Raises
        ------
        DatasetError
            If the dataset has no such sample, or can't be written.
        """
        with self._store.locked():
            chosen = self.sample(sample_id)
            if group_ids is None:
                group_ids = (each.id for each in self.summaries() if each.group == chosen.group)
            others = (each for each in group_ids if each != sample_id) if chosen.group else ()
            group = [chosen, *(each for each in map(self.sample, others) if each.group == chosen.group)]
            changes = [(before, before.edit(split=split)) for before in group if before.split != split]
            if changes:
                self._store.write(changes, "split")
        return tuple(after for _, after in changes)

    def relocate(self, folder: str | os.PathLike[str]) -> Relocation:
        """Refer to files that were moved where they are now: one undo takes all back.

        Parameters
        ----------
        folder : path-like
            Where the missing files may be now; they kept their places among each other.

        Raises
        ------
        DatasetError
            If there is no such folder, or the dataset can't be written.
        """
        references = References(self.path, self.index.home)
        with self._store.locked():
            samples = [self.sample(each) for each in self.sample_ids]
            relocation, changes = references.relocated(samples, absolute(folder))
            if changes:
                self._store.write(changes, "relocate")
        return relocation

    def undo(self) -> tuple[Sample, ...]:
        """Take back the newest change that isn't taken back yet, of one sample or of several together.

        Works across reopening, and is written into the journal as a change of its own. Changes by other
        users, on other computers, or in a program that still runs are not taken back.

        Returns
        -------
        tuple of Sample
            Those that were changed back, as they are now, first the one that the change began with; empty if
            there is nothing to undo.

        Raises
        ------
        DatasetError
            If what was changed has been changed again by another program, or the dataset can't be written.
        """
        with self._store.locked():
            return self._store.undo()

    def redo(self) -> tuple[Sample, ...]:
        """Redo the change that was undone last; returns and raises as `undo`."""
        with self._store.locked():
            return self._store.redo()

    def add_segmentation(
        self, sample_id: str, name: str, source: str | os.PathLike[str] | SegmentationSource
    ) -> Sample:
        """Add a segmentation to a sample; an undo removes it again.

        Parameters
        ----------
        sample_id : str
            Which sample.
        name : str
            Name of the segmentation, new in the sample: letters, digits, ``_``, ``-`` and ``.``.
        source : path or SegmentationSource
            Path of a label image (a prediction is recognised by the record beside it), or the whole source.

        Returns
        -------
        Sample
            As it is now.

        Raises
        ------
        DatasetError
            If the name is taken or the source doesn't exist, the labels differ from the raw image in size, or
            the dataset can't be written.
        ImageError
            If the labels can't be read.
        """
        if isinstance(source, str | os.PathLike):
            source = source_of(absolute(source), self.path)
        added = {"name": name, "source": with_references(source, self.path)}

        def with_added(sample: Sample) -> Sample:
            return sample.edit(segmentations=(*sample.segmentations, added))

        after = with_added(self.sample(sample_id))
        require_size_of_raw(after, name, self.labels(after, name).shape, self.raw(after).shape[2:])
        return self.edit(sample_id, with_added, f"add segmentation {name}")

    def copy_segmentation(self, sample_id: str, name: str, of: str, version: int | None = None) -> Sample:
        """Add a copy of a segmentation, to be corrected independently of it; no pixels are written.

        Parameters
        ----------
        sample_id, name
            As in `add_segmentation`.
        of : str
            Name of the segmentation to copy.
        version : int, optional
            Which version of it; the newest by default.

        Raises
        ------
        DatasetError
            As `add_segmentation`; or if there is no such segmentation or version.
        """
        newest = self.sample(sample_id).segmentation(of).newest
        copy = CorrectedCopy(of=of, version=newest if version is None else version)
        return self.add_segmentation(sample_id, name, copy)

    def correct_labels(self, sample_id: str, segmentation: str, labels: Any, note: str = "") -> Sample:
        """Store a corrected version of a segmentation, which is used from now on; an undo goes back.

        Parameters
        ----------
        sample_id : str
            Which sample.
        segmentation : str
            Name of the segmentation.
        labels : (Z, Y, X) or, of a single slice, (Y, X) integer array
            The corrected labels. They are stored in the dataset's folder; no other file is changed.
        note : str, optional
            What was corrected.

        Returns
        -------
        Sample
            As it is now; the number of the new version is the `newest` of its segmentation.

        Raises
        ------
        DatasetError
            If there is no such sample or segmentation, the labels differ from the raw image in size or are
            not labels, or the dataset can't be written; the sample is then as before.
        """
        import numpy as np

        array = np.asarray(labels)
        array = array[np.newaxis] if array.ndim == 2 else array
        sample = self.sample(sample_id)
        require_size_of_raw(sample, segmentation, array.shape, self.raw(sample).shape[2:])
        version = self._labels.write(sample, segmentation, array, note, self.raw(sample).pixel_size_um)
        return self.edit(
            sample_id, lambda now: now.with_version(segmentation, version), f"correct {segmentation}"
        )

    def change_labels(
        self,
        sample_id: str,
        segmentation: str,
        change: LabelChange,
        note: str = "",
        version: int | None = None,
    ) -> Sample:
        """Store a change of single pixels of a segmentation, such as a brush stroke; an undo goes back.

        Parameters
        ----------
        sample_id : str
            Which sample.
        segmentation : str
            Name of the segmentation.
        change : LabelChange
            The pixels of its newest version that got another value.
        note : str, optional
            What was done, in a word or two.
        version : int, optional
            Number of the version that earlier changes of the same sitting made, to which this one is added;
            a new one by default.

        Returns
        -------
        Sample
            As it is now; the number of the version is the `newest` of its segmentation.

        Raises
        ------
        DatasetError
            If there is no such sample or segmentation, or the dataset can't be written; the sample is then as
            before.
        """
        if not len(change):
            return self.sample(sample_id)
        return self.edit(
            sample_id,
            lambda now: now.with_version(
                segmentation, self._labels.write_change(now, segmentation, change, note, version)
            ),
            note or f"correct {segmentation}",
        )

    def label_changes(
        self, segmentation: str, before: Sample, after: Sample, size: int
    ) -> list[LabelChange] | None:
        """Return what leads from a segmentation in one state of a sample to that in another.

        Parameters
        ----------
        segmentation : str
            Its name.
        before, after : Sample
            Two states of one sample.
        size : int
            Number of pixels of its images.

        Returns
        -------
        list of LabelChange or None
            To apply in this order; None if the two differ in more than changes of single pixels.

        Raises
        ------
        DatasetError
            If a change can't be read.
        """
        here, there = (self.label_file(each, segmentation) for each in (before, after))
        if replace(here, changes=()) != replace(there, changes=()):
            return None
        steps = {file.path: [newest, None] for file, newest in here.changes}
        for file, newest in there.changes:
            steps.setdefault(file.path, [None, None])[1] = newest
        taken_back: list[list[LabelChange]] = []
        made: list[list[LabelChange]] = []
        for path, (start, end) in steps.items():
            file = ChangeFile(path)
            back, forth = path_between(file, start, end)
            taken_back.insert(0, [file.read(offset, size).reversed() for offset in back])
            made.append([file.read(offset, size) for offset in forth])
        return [change for changes in (*taken_back, *made) for change in changes]
