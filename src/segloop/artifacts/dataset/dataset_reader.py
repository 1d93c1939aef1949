"""What a curated dataset holds: samples, their images and labels, the ground truth composed of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segloop.artifacts.dataset.journal import JournalEntry
from segloop.artifacts.dataset.labels import LabelFile, LabelStore, require_existing
from segloop.artifacts.dataset.manifest import DatasetIndex, LabelKind, Sample, Split, Verdict
from segloop.artifacts.dataset.relocation import References
from segloop.artifacts.dataset.segmentation import ImageRef
from segloop.artifacts.dataset.store import JOURNAL_FILE, SampleStore
from segloop.artifacts.dataset.summary import Counts, SampleSummary, SummaryTable
from segloop.core.errors import DatasetError
from segloop.core.paths import exists

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from segloop.artifacts.dataset.ground_truth import GroundTruth
    from segloop.images.image import Image, PixelSize
    from segloop.images.lazy_stack import LazyStack


class DatasetReader:
    """The part of `CuratedDataset` that reads.

    Parameters
    ----------
    path : Path
        The dataset's folder, absolute.
    index : DatasetIndex
        What its index file says, in the present version.
    older : bool, optional
        Whether the index file is of an older version.
    """

    def __init__(self, path: Path, index: DatasetIndex, older: bool = False) -> None:
        self.path = path
        self.index = index
        self._store = SampleStore(path, index if older else None)
        self._labels = LabelStore(path, index.home)
        self._ids = frozenset(index.samples)
        self._table = SummaryTable(path / JOURNAL_FILE, self._store.read)

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

    def journal(self) -> tuple[JournalEntry, ...]:
        """Return every change ever made, oldest first."""
        return self._store.journal.entries()

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

    def missing_files(self, sample: Sample) -> tuple[Path, ...]:
        """Return the files that a sample refers to and that do not exist."""
        files = References(self.path, self.index.home).files(sample)
        return tuple(path for path in files if not exists(path))

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

    def open_labels(self, sample: Sample, segmentation: str | None = None) -> LazyStack:
        """Open a segmentation in its newest version, to read parts of it; as `labels` otherwise."""
        return self._labels.open(sample, segmentation or sample.base)

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
