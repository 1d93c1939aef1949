"""What lists and counters need to know of all samples, without reading them again after each change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from segloop.artifacts.journal import read_entries
from segloop.artifacts.manifest import Sample, Split, Verdict


@dataclass(frozen=True)
class Summary:
    """One sample in a list; the attributes are those of `Sample`."""

    id: str
    verdict: Verdict
    split: Split
    group: str
    n_regions: int
    note: str

    @classmethod
    def of(cls, sample: Sample) -> Summary:
        """Return the summary of a sample."""
        return cls(sample.id, sample.verdict, sample.split, sample.group, len(sample.regions), sample.note)


@dataclass(frozen=True)
class Counts:
    """How many samples there are, in all and by verdict."""

    total: int
    undecided: int
    accepted: int
    rejected: int


class SummaryTable:
    """Reads every sample once; afterwards only what the journal tells of changes, whoever made them.

    Parameters
    ----------
    journal : Path
        The dataset's journal.
    read : callable
        Reads a sample by its id.
    """

    def __init__(self, journal: Path, read: Callable[[str], Sample]) -> None:
        self._journal = journal
        self._read = read
        self._known: dict[str, Summary] = {}
        self._offset: int | None = None

    def rows(self, sample_ids: Sequence[str]) -> list[Summary]:
        """Return the summaries of samples.

        Raises
        ------
        DatasetError
            If the file of a sample that wasn't read yet is missing or damaged.
        """
        if self._offset is None:
            self._offset = self._journal.stat().st_size if self._journal.exists() else 0
        changes, self._offset = read_entries(self._journal, self._offset)
        for change in changes:
            self._known[change.sample_id] = Summary.of(change.sample("after"))
        for sample_id in sample_ids:
            if sample_id not in self._known:
                self._known[sample_id] = Summary.of(self._read(sample_id))
        return [self._known[sample_id] for sample_id in sample_ids]
