"""The curated dataset: a folder that remembers, for each image, what the curator decided about it.

``dataset.json`` is a small index that edits leave untouched, ``samples/<id>.json`` holds one sample each,
``journal.jsonl`` every change ever made, ``labels/`` the corrected versions of segmentations. So an edit
costs the same whatever the size of the dataset, and a kill at any moment loses at most that edit. Images are
referred to, never copied or changed.

The format's version is 3. A dataset of an older version opens too: nothing is rewritten until it is edited.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from segloop.artifacts.dataset.dataset_editor import DatasetEditor
from segloop.artifacts.dataset.manifest import DatasetIndex, LabelKind, Sample
from segloop.artifacts.dataset.references import absolute, short
from segloop.artifacts.dataset.store import read_index
from segloop.core.context import Context
from segloop.core.errors import DatasetError

if TYPE_CHECKING:
    from segloop.images.pairing import Pair


class CuratedDataset(DatasetEditor):
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
        from segloop.artifacts.dataset.creation import create_files

        folder = absolute(path)
        index, problems, warnings = create_files(
            folder,
            pairs,
            channel=channel,
            val=val,
            test=test,
            group_by=group_by,
            seed=seed,
            name=name,
            accept_all=accept_all,
            label_kind=label_kind,
            axes=axes,
            context=context or Context(),
        )
        made = cls(folder, index)
        made.creation_problems, made.creation_warnings = tuple(problems), tuple(warnings)
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
        opened._store.recover()
        return opened

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
        from segloop.artifacts.dataset.creation import examine_more
        from segloop.artifacts.dataset.new_samples import new_samples

        self._read_index()
        present = self._raw_files()
        known = [pair for pair in pairs if absolute(pair.raw) in present]
        new = [pair for pair in pairs if absolute(pair.raw) not in present]
        candidates, problems = examine_more(new, self.index, context or Context())
        with self._store.locked():
            if self._read_index():  # another program added samples while the images were examined
                present = self._raw_files()
                candidates = [each for each in candidates if absolute(each.pair.raw) not in present]
            samples = new_samples(candidates, self.path, self.index, self.summaries(), accept_all)
            if samples:
                index = self.index.with_samples(samples)
                self._store.add(index, samples)
                self._take_index(index)
        again = (f"{short(pair.raw)} is in {self.name} already: nothing was changed." for pair in known)
        return (*again, *problems)

    def add_dataset(self, path: str | os.PathLike[str], *, context: Context | None = None) -> tuple[str, ...]:
        """Add the samples of another dataset, with their verdicts, regions, corrected labels and splits.

        The other dataset stays as it is, and later changes of one don't reach the other. Images are not
        copied. Samples whose group is known here follow its split.

        Parameters
        ----------
        path : path-like
            Folder of the other dataset.
        context : Context, optional
            Progress and cancel.

        Returns
        -------
        tuple of str
            A sentence for each sample that was left out, naming file and remedy.

        Raises
        ------
        DatasetError
            If the labels of the datasets don't mean the same, or this one can't be written.
        Cancelled
            If asked to stop in between; nothing was added.
        """
        from segloop.artifacts.dataset.joining import (
            already_there,
            copied_labels,
            require_alike,
            taken_over,
            usable_samples,
        )

        context = context or Context()
        other = CuratedDataset.open(path)
        if other.path == self.path:
            raise DatasetError(f"{self.name} can't be added to itself: choose another dataset.")
        require_alike(self.index, other)
        usable, problems = usable_samples(other, self.channels, context)
        with self._store.locked():
            self._read_index()
            present = {self._image(sample) for sample in self.samples()}
            new = [each for each in usable if other._image(each) not in present]
            known = [each for each in usable if other._image(each) in present]
            samples = taken_over(new, other, self.path, self.index, self.summaries())
            with copied_labels(other.path, self.path, list(zip(new, samples, strict=True)), context):
                if samples:
                    index = self.index.with_samples(samples)
                    self._store.add(index, samples)
                    self._take_index(index)
        return (*already_there(self.name, known), *problems)

    def _image(self, sample: Sample) -> tuple[Path, str]:
        return self.resolve(sample.raw), sample.raw.scene

    def _read_index(self) -> bool:
        """Read the index again; return whether another program has changed it."""
        _, index, older = read_index(self.path)
        is_other = not older and index != self.index
        if is_other:
            self._take_index(index)
        return is_other

    def _take_index(self, index: DatasetIndex) -> None:
        self.index, self._ids = index, frozenset(index.samples)

    def _raw_files(self) -> set[Path]:
        return {self.resolve(sample.raw) for sample in self.samples()}
