"""The curated dataset: a folder that remembers, for each image, what the curator decided about it.

``dataset.json`` is a small index that edits leave untouched, ``samples/<id>.json`` holds one sample each,
``journal.jsonl`` every change ever made. So an edit costs the same whatever the size of the dataset, and a
kill at any moment loses at most the edit in hand. Images are referred to, never copied or changed.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segloop.artifacts.dataset.journal import JournalEntry
from segloop.artifacts.dataset.manifest import DatasetIndex, ImageRef, LabelKind, Sample, Split, Verdict
from segloop.artifacts.dataset.references import absolute, from_reference, short
from segloop.artifacts.dataset.store import JOURNAL_FILE, SampleStore, read_index, require_free, write_new
from segloop.artifacts.dataset.summary import Counts, Summary, SummaryTable
from segloop.core.context import Context
from segloop.core.errors import DatasetError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from segloop.artifacts.dataset.check import CheckReport
    from segloop.artifacts.dataset.ground_truth import GroundTruth
    from segloop.images.image import Image, PixelSize
    from segloop.images.pairing import Pair


class CuratedDataset:
    """A curated dataset on disk; made by `create`, opened by `open`.

    Attributes
    ----------
    path : Path
        Its folder, absolute.
    index : DatasetIndex
        What its index file says.
    creation_problems : tuple of str
        After `create`: a sentence for each pair that was left out, naming file and remedy.
    creation_warnings : tuple of str
        After `create`: what to know about the pairs that went in.
    """

    creation_problems: tuple[str, ...] = ()
    creation_warnings: tuple[str, ...] = ()

    def __init__(self, path: Path, index: DatasetIndex) -> None:
        self.path = path
        self.index = index
        self._store = SampleStore(path)
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
        context: Context | None = None,
    ) -> CuratedDataset:
        """Make a dataset from pairs of files; it is there whole or not at all.

        Parameters
        ----------
        path : path
            Folder of the new dataset; must not exist yet, or be empty.
        pairs : sequence of Pair
            Raw images with their one or two segmentations. Pairs that can't be used are left out and told of
            in `creation_problems`.
        channel : str, optional
            Name or number of the raw channel to use; empty for all of them.
        val, test : float, optional
            Fractions of the samples to hold aside for validation and testing.
        group_by : str, optional
            Regular expression that finds a sample's group in its stem (its first parenthesis, or the whole
            match); a group is never torn apart by the split.
        seed : int, optional
            Seed of the split.
        name : str, optional
            What to call the dataset; by default like its folder.
        accept_all : bool, optional
            Accept every sample right away instead of leaving it undecided.
        label_kind : {"instances", "semantic"}, optional
            Whether labels number objects or name classes; by default instances if any segmentation has more
            than one value besides background.
        context : Context, optional
            Told of the progress; may cancel.

        Raises
        ------
        DatasetError
            If the folder is taken or can't be written, no pair can be used, or a parameter makes no sense.
        Cancelled
            If the context says so; nothing is left behind.
        """
        from segloop.artifacts.dataset.candidates import examine, other_names
        from segloop.artifacts.dataset.new_samples import enrol, new_index, require_sensible

        folder = absolute(path)
        require_free(folder)
        require_sensible(val, test, group_by)
        candidates, problems = examine(pairs, channel, context or Context())
        if not candidates:
            raise DatasetError(
                f"None of the {len(pairs)} pairs can be used for {folder.name}; the first: {problems[0]}"
                if problems
                else f"There are no pairs of files to make {folder.name} of: choose images and segmentations."
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
        )
        samples = enrol(candidates, folder, empty, (), _new_verdict(accept_all))
        index = _index_with(empty, samples)
        write_new(folder, index, samples)
        made = cls(folder, index)
        made.creation_problems, made.creation_warnings = tuple(problems), other_names(candidates)
        return made

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> CuratedDataset:
        """Open a dataset by its folder (or its index file); reads the index and the end of the journal.

        If a kill interrupted moving a group to another split, the move is finished.

        Raises
        ------
        DatasetError
            If there is no dataset, it is damaged, or a newer version of segloop made it; or if such a move
            can't be finished because the folder can't be written.
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
            What was done, in a word or two.

        Raises
        ------
        DatasetError
            If the dataset has no such sample, or can't be written; everything is then as before.
        """
        before = self.sample(sample.id)
        if (sample.split, sample.group) != (before.split, before.group):
            self._require_whole_group(sample)
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
        """Make the change again that was last taken back; return the sample as it is now, or None."""
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
        from segloop.artifacts.dataset.candidates import examine, fitting
        from segloop.artifacts.dataset.new_samples import enrol

        present = {self.resolve(sample.raw) for sample in self.samples()}
        known = [pair for pair in pairs if absolute(pair.raw) in present]
        new = [pair for pair in pairs if absolute(pair.raw) not in present]
        candidates, unusable = examine(new, self.index.channel, context or Context())
        candidates, odd = fitting(candidates, self.channels)
        samples = enrol(candidates, self.path, self.index, self.summaries(), _new_verdict(accept_all))
        if samples:
            index = _index_with(self.index, samples)
            self._store.add(index, samples)
            self.index, self._ids = index, frozenset(index.samples)
        again = (f"{short(pair.raw)} is in {self.name} already: nothing was changed." for pair in known)
        return (*again, *unusable, *odd)

    def summaries(self) -> list[Summary]:
        """Return what lists and counters need of all samples, in order.

        All samples are read once; afterwards only what the journal tells of changes, whoever made them.
        """
        return self._table.rows(self.sample_ids)

    @property
    def problems(self) -> tuple[str, ...]:
        """A sentence for each sample that the last `summaries` or `counts` left out as unreadable."""
        return self._table.problems

    def counts(self) -> Counts:
        """Count the samples, in all and by verdict."""
        found = Counter(summary.verdict for summary in self.summaries())
        return Counts(
            found.total(), found[Verdict.undecided], found[Verdict.accepted], found[Verdict.rejected]
        )

    def split(self, name: Split) -> tuple[str, ...]:
        """Return the ids of the accepted samples of a split."""
        return tuple(
            summary.id
            for summary in self.summaries()
            if summary.split == name and summary.verdict is Verdict.accepted
        )

    def resolve(self, ref: ImageRef) -> Path:
        """Return the absolute path of an image."""
        return from_reference(ref.path, self.path, self.index.home)

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

        return open_image(self._existing(sample, sample.raw), scene=sample.raw.scene or None)

    def labels(self, sample: Sample, which: int = 1) -> NDArray[Any]:
        """Read the first or second segmentation of a sample, as a (Z, Y, X) array of integers.

        Raises
        ------
        DatasetError
            If the sample has no such segmentation, or the file is missing.
        ImageError
            If it can't be read, or doesn't hold labels.
        """
        from segloop.images.labels import read_labels

        ref = sample.seg if which == 1 else sample.seg2
        if ref is None:
            raise DatasetError(f"Sample {sample.id} has no second segmentation: use the first.")
        return read_labels(self._existing(sample, ref), scene=ref.scene or None, channel=ref.channel or None)

    def ground_truth(self, sample: Sample) -> GroundTruth:
        """Compose the ground truth of a sample; reads only the segmentations it takes.

        Raises
        ------
        DatasetError, ImageError
            If a segmentation is missing, can't be read, or doesn't fit the other.
        """
        from segloop.artifacts.dataset.ground_truth import compose

        merges = any(region.kind == "merge" for region in sample.regions)
        seg1 = self.labels(sample, 1) if sample.base == 1 or merges else None
        seg2 = self.labels(sample, 2) if sample.base == 2 or merges else None
        return compose(seg1, seg2, sample, instances=self.label_kind == "instances")

    def check(self, context: Context | None = None) -> CheckReport:
        """Look for what is wrong, sample by sample, and gather statistics; see `dataset.check.check`."""
        from segloop.artifacts.dataset.check import check

        return check(self, context or Context())

    def _existing(self, sample: Sample, ref: ImageRef) -> Path:
        path = self.resolve(ref)
        if not path.exists():
            raise DatasetError(
                f"{path}, an image of sample {sample.id}, is missing: put it back, or reject the sample."
            )
        return path

    def _require_whole_group(self, sample: Sample) -> None:
        """Refuse a change that would put samples of one group on both sides of a split."""
        if not sample.group:
            return
        for other in self.summaries():
            if other.group == sample.group and other.id != sample.id and other.split != sample.split:
                raise DatasetError(
                    f"Sample {sample.id} is in group {sample.group} like {other.id}, which is in the split "
                    f"{other.split}: samples of one group must share their split. Move all with set_split."
                )


def _new_verdict(accept_all: bool) -> Verdict:
    return Verdict.accepted if accept_all else Verdict.undecided


def _index_with(index: DatasetIndex, samples: Sequence[Sample]) -> DatasetIndex:
    ids = (*index.samples, *(sample.id for sample in samples))
    return index.model_copy(update={"samples": ids})
