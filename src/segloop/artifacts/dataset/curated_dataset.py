"""The curated dataset: a folder that remembers, for each image, what the curator decided about it.

``dataset.json`` is a small index that edits leave untouched, ``samples/<id>.json`` holds one sample each,
``journal.jsonl`` every change ever made, ``labels/`` the corrected versions of segmentations. So an edit
costs the same whatever the size of the dataset, and a kill at any moment loses at most that edit. Images are
referred to, never copied or changed.

The format's version is 2. A dataset of version 1 opens too: nothing is rewritten until it is edited.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segloop.artifacts.dataset.journal import JournalEntry
from segloop.artifacts.dataset.labels import LabelFile, LabelStore, require_existing
from segloop.artifacts.dataset.manifest import DatasetIndex, LabelKind, Sample, Split, Verdict
from segloop.artifacts.dataset.references import absolute, short, with_references
from segloop.artifacts.dataset.requirements import require_size_of_raw, require_whole_group
from segloop.artifacts.dataset.segmentation import CorrectedCopy, ImageRef, SegmentationSource
from segloop.artifacts.dataset.sources import source_of
from segloop.artifacts.dataset.store import JOURNAL_FILE, SampleStore, read_index, require_free, write_new
from segloop.artifacts.dataset.summary import Counts, SampleSummary, SummaryTable
from segloop.core.context import Context
from segloop.core.errors import DatasetError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from segloop.artifacts.dataset.ground_truth import GroundTruth
    from segloop.images.image import Image, PixelSize
    from segloop.images.pairing import Pair


class CuratedDataset:
    """A curated dataset on disk; see `create` and `open`.

    Attributes
    ----------
    path : Path
        Its folder, absolute.
    index : DatasetIndex
        What its index file says.
    creation_problems : tuple of str
        After `create`: a sentence for each pair that was left out, naming file and remedy.
    creation_warnings : tuple of str
        After `create`: sentences about the pairs that were used.
    """

    creation_problems: tuple[str, ...] = ()
    creation_warnings: tuple[str, ...] = ()

    def __init__(self, path: Path, index: DatasetIndex, older: bool = False) -> None:
        self.path = path
        self.index = index
        self._store = SampleStore(path, index if older else None)
        self._labels = LabelStore(path, index.home)
        self._ids = frozenset(index.samples)
        self._table = SummaryTable(path / JOURNAL_FILE, self._store.read)

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        pairs: Sequence[Pair],
        *,
        channel: str = "",
        val: float = 0.2,
        test: float = 0.0,
        group_by: str | None = None,
        seed: int = 0,
        name: str | None = None,
        accept_all: bool = False,
        label_kind: LabelKind | None = None,
        axes: str = "",
        context: Context | None = None,
    ) -> CuratedDataset:
        """Create a dataset from pairs of files, completely or not at all.

        Parameters
        ----------
        path : path
            Folder of the new dataset; must not exist yet, or be empty.
        pairs : sequence of Pair
            Raw images with their segmentations. Pairs that can't be used are left out and named in
            `creation_problems`.
        channel : str, optional
            Name or number of the raw channel to use; empty for all of them.
        val, test : float, optional
            Fractions of the samples to hold aside for validation and testing.
        group_by : str, optional
            Regular expression that finds a sample's group in its stem (its first parenthesis, or the whole
            match); the samples of a group always share their split.
        seed : int, optional
            Seed of the split.
        name : str, optional
            Name of the dataset; by default that of its folder.
        accept_all : bool, optional
            Accept every sample right away instead of leaving it undecided.
        label_kind : {"instances", "semantic"}, optional
            Whether labels are objects or classes; by default objects if a segmentation has several values.
        axes : str, optional
            Axes of raw TIFFs that do not name them, such as ``YXC``.
        context : Context, optional
            Progress and cancel.

        Raises
        ------
        DatasetError
            If the folder is taken or can't be written, no pair can be used, or a parameter is out of range.
        Cancelled
            If the context says so; nothing is left behind.
        """
        from segloop.artifacts.dataset.candidates import examine_pairs, remarks
        from segloop.artifacts.dataset.new_samples import new_index, new_samples, require_sensible

        folder = absolute(path)
        require_free(folder)
        require_sensible(val, test, group_by)
        candidates, problems = examine_pairs(pairs, channel, context or Context(), axes)
        if not candidates:
            raise DatasetError(
                f"None of the {len(pairs)} pairs can be used for {folder.name}; the first: {problems[0]}"
                if problems
                else f"There are no pairs of files for {folder.name}: choose images and segmentations."
            )
        empty = new_index(
            folder,
            candidates,
            channel=channel,
            val=val,
            test=test,
            group_by=group_by,
            seed=seed,
            name=name,
            label_kind=label_kind,
            axes=axes,
        )
        samples = new_samples(candidates, folder, empty, (), accept_all)
        index = empty.with_samples(samples)
        write_new(folder, index, samples)
        made = cls(folder, index)
        made.creation_problems, made.creation_warnings = tuple(problems), remarks(candidates, axes)
        return made

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> CuratedDataset:
        """Open a dataset by its folder (or its index file); reads the index and the end of the journal.

        If a kill interrupted moving a group to another split, the move is finished. A dataset of version 1 is
        upgraded as it is read; its files are rewritten only as they are edited.

        Raises
        ------
        DatasetError
            If there is no dataset, it is damaged, or was created by a newer version of segloop; or if such a
            move can't be finished because the folder can't be written.
        """
        opened = cls(*read_index(path))
        opened._store.finish()
        return opened

    @property
    def name(self) -> str:
        """What the dataset is called on screen."""
        return self.index.name

    @property
    def sample_ids(self) -> tuple[str, ...]:
        """The ids of all samples in order."""
        return self.index.samples

    @property
    def label_kind(self) -> LabelKind:
        """Whether labels number objects (``instances``) or name classes (``semantic``)."""
        return self.index.label_kind

    @property
    def channels(self) -> tuple[str, ...]:
        """Names or numbers of the raw channels to use unless a recipe says otherwise."""
        return self.index.channels

    @property
    def pixel_size_um(self) -> PixelSize:
        """Typical size of a pixel along (Z, Y, X) in micrometres; None where unknown."""
        return self.index.pixel_size_um

    def sample(self, sample_id: str) -> Sample:
        """Read a sample.

        Raises
        ------
        DatasetError
            If there is no such sample, or its file is missing or damaged.
        """
        if sample_id not in self._ids:
            raise DatasetError(
                f"{self.name} has no sample {sample_id}: choose one of its {len(self.sample_ids)}."
            )
        return self._store.read(sample_id)

    def samples(self) -> Iterator[Sample]:
        """Read all samples, one after the other, in order."""
        return (self.sample(sample_id) for sample_id in self.sample_ids)

    def save(self, sample: Sample, action: str) -> None:
        """Write a changed sample, and the change into the journal; without a change, do nothing.

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
        before = self.sample(sample.id)
        if (sample.split, sample.group) != (before.split, before.group):
            require_whole_group(sample, self.summaries())
        if sample != before:
            self._store.write([(before, sample)], action)

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
        chosen = self.sample(sample_id)
        if group_ids is None:
            group_ids = (each.id for each in self.summaries() if each.group == chosen.group)
        others = (each for each in group_ids if each != sample_id) if chosen.group else ()
        group = [chosen, *(each for each in map(self.sample, others) if each.group == chosen.group)]
        changes = [(before, before.edit(split=split)) for before in group if before.split != split]
        if changes:
            self._store.write(changes, "split")
        return tuple(after for _, after in changes)

    def undo(self) -> Sample | None:
        """Take back the newest change that isn't taken back yet; return the sample as it is now, or None.

        Works across reopening, and is written into the journal as a change of its own. Of a group that was
        moved to another split, all samples are moved back, and the one that it was moved with is returned.
        """
        return self._store.undo()

    def redo(self) -> Sample | None:
        """Redo the change that was undone last; return the sample as it is now, or None."""
        return self._store.redo()

    def journal(self) -> tuple[JournalEntry, ...]:
        """Return every change ever made, oldest first."""
        return self._store.journal.entries()

    def add(
        self, pairs: Sequence[Pair], *, accept_all: bool = False, context: Context | None = None
    ) -> tuple[str, ...]:
        """Add samples; those already there keep their splits, and new ones of a known group share its split.

        Returns
        -------
        tuple of str
            A sentence for each pair that was left out, naming file and remedy.

        Raises
        ------
        DatasetError
            If the dataset can't be written.
        """
        from segloop.artifacts.dataset.candidates import examine_pairs, with_channels
        from segloop.artifacts.dataset.new_samples import new_samples

        present = {self.resolve(sample.raw) for sample in self.samples()}
        known = [pair for pair in pairs if absolute(pair.raw) in present]
        new = [pair for pair in pairs if absolute(pair.raw) not in present]
        candidates, unusable = examine_pairs(new, self.index.channel, context or Context(), self.index.axes)
        candidates, odd = with_channels(candidates, self.channels)
        samples = new_samples(candidates, self.path, self.index, self.summaries(), accept_all)
        if samples:
            index = self.index.with_samples(samples)
            self._store.add(index, samples)
            self.index, self._ids = index, frozenset(index.samples)
        again = (f"{short(pair.raw)} is in {self.name} already: nothing was changed." for pair in known)
        return (*again, *unusable, *odd)

    def summaries(self) -> list[SampleSummary]:
        """Return what lists and counters need of all samples, in order; later calls read new changes only."""
        return self._table.rows(self.sample_ids)

    @property
    def problems(self) -> tuple[str, ...]:
        """A sentence for each sample that the last `summaries` or `counts` left out as unreadable."""
        return self._table.problems

    def counts(self) -> Counts:
        """Count the samples, in all and by verdict."""
        return Counts.of(summary.verdict for summary in self.summaries())

    def split(self, name: Split) -> tuple[str, ...]:
        """Return the ids of the accepted samples of a split."""
        return tuple(
            summary.id
            for summary in self.summaries()
            if summary.split == name and summary.verdict is Verdict.accepted
        )

    def resolve(self, ref: ImageRef) -> Path:
        """Return the absolute path of an image."""
        return self._labels.resolve(ref)

    def raw(self, sample: Sample) -> Image:
        """Open the raw image of a sample, with all its channels, lazily.

        Raises
        ------
        DatasetError
            If the file is missing.
        ImageError
            If it can't be read.
        """
        from segloop.images.read import open_image

        path = self.resolve(sample.raw)
        require_existing(path, sample)
        return open_image(path, scene=sample.raw.scene or None, axes=self.index.axes)

    def label_file(
        self, sample: Sample, segmentation: str | None = None, version: int | None = None
    ) -> LabelFile:
        """Return where the labels that `labels` would read are; parameters as there.

        Raises
        ------
        DatasetError
            If the sample has no such segmentation, or the segmentation no such version.
        """
        return self._labels.find(sample, segmentation or sample.base, version)

    def labels(
        self, sample: Sample, segmentation: str | None = None, version: int | None = None
    ) -> NDArray[Any]:
        """Read a segmentation of a sample, as a (Z, Y, X) array of integers.

        Parameters
        ----------
        sample : Sample
        segmentation : str, optional
            Its name; the base of the ground truth by default.
        version : int, optional
            Number of the version; 0 is the original. The newest by default.

        Raises
        ------
        DatasetError
            If there is no such segmentation or version, or its file is missing.
        ImageError
            If it can't be read, or doesn't hold labels.
        """
        return self._labels.read(sample, segmentation or sample.base, version)

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
        now = self.sample(sample_id)
        if isinstance(source, str | os.PathLike):
            source = source_of(absolute(source), self.path)
        added = {"name": name, "source": with_references(source, self.path)}
        after = now.edit(segmentations=(*now.segmentations, added))
        require_size_of_raw(after, name, self.labels(after, name).shape, self.raw(after).shape[2:])
        self.save(after, f"add segmentation {name}")
        return after

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
        # Another reviewer may have edited the sample while the labels were written.
        after = self.sample(sample_id).with_version(segmentation, version)
        self.save(after, f"correct {segmentation}")
        return after

    def ground_truth(self, sample: Sample) -> GroundTruth:
        """Compose the ground truth of a sample; reads only the segmentations it takes.

        Raises
        ------
        DatasetError, ImageError
            If a segmentation is missing, can't be read, or differs from the others in size.
        """
        from segloop.artifacts.dataset.ground_truth import compose

        labels = {name: self.labels(sample, name) for name in sample.used_segmentations}
        return compose(labels, sample, instances=self.label_kind == "instances")
