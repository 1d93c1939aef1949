"""Summaries of all samples for lists and counters, without reading samples again after each change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from segloop.artifacts.dataset.journal import SampleChange, read_entries
from segloop.artifacts.dataset.manifest import Sample, Split, Verdict
from segloop.core.errors import DatasetError


@dataclass(frozen=True)
class SampleSummary:
    """One sample in a list; the attributes are those of `Sample`."""

    id: str
    verdict: Verdict
    split: Split
    group: str
    n_regions: int
    note: str

    @classmethod
    def of(cls, sample: Sample) -> SampleSummary:
        """Return the summary of a sample."""
        return cls(sample.id, sample.verdict, sample.split, sample.group, len(sample.regions), sample.note)

    def changed(self, change: SampleChange) -> SampleSummary:
        """Return the summary after a change of the sample.

        Raises
        ------
        TypeError, ValueError
            If a field has an impossible value.
        """
        before, fields = change.before or {}, change.after
        changes: dict[str, Any] = {key: fields[key] for key in ("split", "group", "note") if key in fields}
        if "verdict" in fields:
            changes["verdict"] = Verdict(fields["verdict"])
        if "regions" in fields:
            changes["n_regions"] = self.n_regions + len(fields["regions"]) - len(before.get("regions", ()))
        return replace(self, **changes)


@dataclass(frozen=True)
class Counts:
    """How many samples there are, in all and by verdict."""

    total: int
    undecided: int
    accepted: int
    rejected: int

    @classmethod
    def of(cls, verdicts: Iterable[Verdict]) -> Counts:
        """Count the verdicts of samples."""
        found = Counter(verdicts)
        return cls(found.total(), found[Verdict.undecided], found[Verdict.accepted], found[Verdict.rejected])

    @property
    def reviewed(self) -> int:
        """Samples that were accepted or rejected."""
        return self.accepted + self.rejected


class SummaryTable:
    """Reads every sample once; afterwards only the journal's new lines, whichever process wrote them.

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
        self._known: dict[str, SampleSummary] = {}
        self._offset: int | None = None
        self.problems: tuple[str, ...] = ()

    def rows(self, sample_ids: Sequence[str]) -> list[SampleSummary]:
        """Return the summaries of samples, in order; without those that can't be read, see `problems`.

        Raises
        ------
        DatasetError
            If none of them can be read.
        """
        if self._offset is None:
            self._offset = self._journal.stat().st_size if self._journal.exists() else 0
        entries, self._offset = read_entries(self._journal, self._offset)
        for change in (change for entry in entries for change in entry.changes):
            known = self._known.pop(change.sample_id, None)
            if known is not None:
                with suppress(TypeError, ValueError):  # then it is read again below
                    self._known[change.sample_id] = known.changed(change)
        problems = []
        for sample_id in sample_ids:
            if sample_id not in self._known:
                try:
                    self._known[sample_id] = SampleSummary.of(self._read(sample_id))
                except DatasetError as error:
                    problems.append(str(error))
        self.problems = tuple(problems)
        if problems and len(problems) == len(sample_ids):
            raise DatasetError(problems[0])
        return [self._known[sample_id] for sample_id in sample_ids if sample_id in self._known]
