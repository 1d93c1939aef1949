"""What lists and counters need to know of all samples, without reading them again after each change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from segloop.artifacts.dataset.journal import read_entries
from segloop.artifacts.dataset.manifest import Sample, Split, Verdict
from segloop.core.errors import DatasetError


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

    Samples that can't be read are left out, and tried again next time.

    Parameters
    ----------
    journal : Path
        The dataset's journal.
    read : callable
        Reads a sample by its id.

    Attributes
    ----------
    problems : tuple of str
        A sentence for each sample that `rows` left out the last time, naming file and remedy.
    """

    def __init__(self, journal: Path, read: Callable[[str], Sample]) -> None:
        self._journal = journal
        self._read = read
        self._known: dict[str, Summary] = {}
        self._offset: int | None = None
        self.problems: tuple[str, ...] = ()

    def rows(self, sample_ids: Sequence[str]) -> list[Summary]:
        """Return the summaries of samples, in order; without those that can't be read, see `problems`.

        Raises
        ------
        DatasetError
            If none of them can be read.
        """
        if self._offset is None:
            self._offset = self._journal.stat().st_size if self._journal.exists() else 0
        changes, self._offset = read_entries(self._journal, self._offset)
        for change in changes:
            try:
                self._known.update((sample.id, Summary.of(sample)) for sample in change.samples("after"))
            except ValidationError:
                self._known.pop(change.sample_id, None)
        problems = []
        for sample_id in sample_ids:
            if sample_id not in self._known:
                try:
                    self._known[sample_id] = Summary.of(self._read(sample_id))
                except DatasetError as error:
                    problems.append(str(error))
        self.problems = tuple(problems)
        if problems and len(problems) == len(sample_ids):
            raise DatasetError(problems[0])
        return [self._known[sample_id] for sample_id in sample_ids if sample_id in self._known]
