"""One curator's review of a curated dataset; every decision is on disk before the method returns."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from types import MappingProxyType
from typing import Any, Literal, get_args

from psygnal import Signal

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.label_changes import LabelChange
from segloop.artifacts.dataset.manifest import LabelStatus, Region, Sample, Split, Verdict
from segloop.artifacts.dataset.summary import Counts
from segloop.core.atomic import write_json
from segloop.core.context import Context
from segloop.core.errors import DatasetError
from segloop.core.own_files import read_own_json
from segloop.curation.region_edits import copied_regions, new_id, with_excluded_slices

logger = logging.getLogger(__name__)

POSITION_FILE = "position.json"
"""Where, in the dataset's folder, the place that the curator left is kept."""


class Filter(Enum):
    """Which samples the list and the steps are limited to."""

    all = "all"
    undecided = "undecided"
    accepted = "accepted"
    rejected = "rejected"


class SortKey(Enum):
    """Keys that the list of samples can be sorted by."""

    sample = "sample"
    verdict = "verdict"
    split = "split"
    labels = "labels"
    regions = "regions"
    note = "note"


class ReviewSession:
    """The state of a review: which sample is the current one, and what was decided about all of them.

    Reading all samples takes a while for a large dataset, so create it on a worker thread; afterwards use it
    on one thread only.

    Parameters
    ----------
    dataset : CuratedDataset
        What to review.
    context : Context, optional
        For progress and cancel while the samples are read.

    Raises
    ------
    DatasetError
        If the dataset has no samples, or none can be read.

    Attributes
    ----------
    problems : tuple of str
        A sentence for each sample that can't be read and so is not reviewed.
    """

    moved = Signal(str)
    """Another sample is the current one; its id."""

    edited = Signal(str)
    """A sample was changed; its id."""

    filtered = Signal()
    """Other samples are listed, or in another order, or several were changed at once."""

    def __init__(self, dataset: CuratedDataset, context: Context | None = None) -> None:
        self.dataset = dataset
        if not dataset.sample_ids:
            raise DatasetError(
                f"The dataset {dataset.path} has no samples: add raw images with their segmentations."
            )
        self._samples, self.problems = _read(dataset, context or Context())
        self._ids = tuple(self._samples)
        self._order = {sample_id: index for index, sample_id in enumerate(self._ids)}
        self._filter = Filter.all
        self._search = ""
        self._current = self._ids[0]
        self.saved_at: float | None = None
        self._versions: dict[tuple[str, str], int] = {}  # begun in this review
        self._restore_position()

    @property
    def samples(self) -> Mapping[str, Sample]:
        """All samples by id, in the dataset's order."""
        return MappingProxyType(self._samples)

    @property
    def current(self) -> Sample:
        """The current sample."""
        return self._samples[self._current]

    @property
    def filter(self) -> Filter:
        """Which samples the steps are limited to."""
        return self._filter

    def counts(self) -> Counts:
        """Count the verdicts."""
        return Counts.of(sample.verdict for sample in self._samples.values())

    def visible_ids(self) -> tuple[str, ...]:
        """Return the ids that pass the filter and the search, in the order of the list."""
        return tuple(sample_id for sample_id in self._ids if self._passes(sample_id))

    def next_id(self) -> str | None:
        """Return the id that `next` would show; None at the end."""
        return next((sample_id for sample_id in self._after() if self._passes(sample_id)), None)

    def set_filter(self, wanted: Filter) -> None:
        """Limit the list and the steps; the current sample stays even if it does not pass."""
        if wanted is not self._filter:
            self._filter = wanted
            self._save_position()
            self.filtered.emit()

    @property
    def search_text(self) -> str:
        """The text that listed samples contain; empty if all are listed."""
        return self._search

    def search(self, text: str) -> None:
        """Limit the list and the steps to samples whose id, group or note contains a text, in any case."""
        wanted = text.strip().casefold()
        if wanted != self._search:
            self._search = wanted
            self.filtered.emit()

    def sort(self, key: SortKey, descending: bool = False) -> None:
        """Sort the samples, for the list and the steps.

        They stay in this order while they are edited, so that the list doesn't move under the mouse. Equal
        ones stay in the dataset's order.
        """
        values: dict[SortKey, Callable[[Sample], Any]] = {
            SortKey.verdict: lambda sample: list(Verdict).index(sample.verdict),
            SortKey.split: lambda sample: get_args(Split).index(sample.split),
            SortKey.labels: lambda sample: list(LabelStatus).index(sample.label_status),
            SortKey.regions: lambda sample: len(sample.regions),
            SortKey.note: lambda sample: (not sample.note, sample.note.casefold()),
        }
        ids = list(self._samples)
        if key is SortKey.sample:
            ids = ids[::-1] if descending else ids
        else:
            ids.sort(key=lambda each: values[key](self._samples[each]), reverse=descending)
        if ids != list(self._ids):
            self._ids = tuple(ids)
            self._order = {sample_id: index for index, sample_id in enumerate(ids)}
            self.filtered.emit()

    def next(self) -> bool:
        """Show the next sample that passes the filter; False at the end."""
        wanted = self.next_id()
        return wanted is not None and self.jump(wanted)

    def previous(self) -> bool:
        """Show the sample before that passes the filter; False at the beginning."""
        before = reversed(self._ids[: self._order[self._current]])
        wanted = next((sample_id for sample_id in before if self._passes(sample_id)), None)
        return wanted is not None and self.jump(wanted)

    def jump(self, sample_id: str) -> bool:
        """Show any sample by its id.

        Raises
        ------
        DatasetError
            If there is no such sample.
        """
        if sample_id not in self._samples:
            raise DatasetError(f"The dataset {self.dataset.name} has no sample {sample_id}.")
        if sample_id != self._current:
            self._current = sample_id
            self._save_position()
            self.moved.emit(sample_id)
        return True

    def accept(self) -> bool:
        """Accept the sample and show the next undecided one; False if none is left."""
        return self._decide(Verdict.accepted, "accept")

    def reject(self) -> bool:
        """Reject the sample and show the next undecided one; False if none is left."""
        return self._decide(Verdict.rejected, "reject")

    def reconsider(self) -> None:
        """Set the verdict back to undecided."""
        self._edit("reconsider", lambda now: now.edit(verdict=Verdict.undecided))

    def set_base(self, name: str) -> None:
        """Choose the segmentation that the ground truth starts from.

        Raises
        ------
        DatasetError
            If the sample has no segmentation of that name.
        """
        self.current.segmentation(name)
        self._edit("base", lambda now: now.edit(base=name))

    def set_split(self, split: Split) -> int:
        """Choose what the sample is used for, and with it all samples of its group.

        Returns
        -------
        int
            How many samples were moved.
        """
        moved = self.dataset.set_split(self._current, split, self._group(self.current))
        if moved:
            self._take(*moved)
        return len(moved)

    def set_note(self, note: str) -> None:
        """Keep a note about the sample."""
        # An unchanged note must not overwrite what another reviewer wrote meanwhile.
        if note != self.current.note:
            self._edit("note", lambda now: now.edit(note=note))

    def add_region(
        self,
        kind: Literal["exclude", "merge"],
        shape: Literal["polygon", "rectangle", "ellipse", "path"],
        vertices: Iterable[Sequence[float]],
        z_first: int | None = None,
        z_last: int | None = None,
        segmentation: str = "",
    ) -> Region:
        """Add a region to the current sample.

        Parameters
        ----------
        kind, shape, z_first, z_last
            See `Region`. A merge follows objects where labels number objects, else it cuts at its edge.
        vertices : iterable of (y, x)
            In pixels of the raw image.
        segmentation : str, optional
            Of a merge: the segmentation to take labels from; the first one that is not the base by default.

        Raises
        ------
        DatasetError
            If a merge region is added to a sample that has only one segmentation.
        """
        if kind == "merge":
            segmentation = segmentation or self.merge_sources()[0]
        region = Region(
            id=new_id(),
            kind=kind,
            shape=shape,
            vertices=_plain(vertices),
            z_first=z_first,
            z_last=z_last,
            segmentation=segmentation if kind == "merge" else "",
            cut="object" if kind == "merge" and self.dataset.label_kind == "instances" else "edge",
        )
        self._edit(f"add {kind} region", lambda now: now.edit(regions=(*now.regions, region)))
        return region

    def merge_sources(self) -> tuple[str, ...]:
        """Return the segmentations of the current sample that a merge region can take labels from.

        Raises
        ------
        DatasetError
            If the sample has only one segmentation.
        """
        sample = self.current
        names = tuple(name for name in sample.segmentation_names if name != sample.base)
        if not names:
            raise DatasetError(
                f"Sample {sample.id} has only one segmentation, so there is none to merge from: "
                "add another one to it."
            )
        return names

    def replace_regions(self, replaced: Sequence[Region]) -> None:
        """Change regions of the current sample; each is found by its id.

        Only what differs from the regions of `current` is changed, and regions that another reviewer removed
        meanwhile stay removed.
        """
        known = {region.id: dict(region) for region in self.current.regions}
        changes = {
            region.id: {key: value for key, value in region if value != known[region.id][key]}
            for region in replaced
            if region.id in known
        }
        self._edit(
            "change region",
            lambda now: now.edit(
                regions=[each.model_copy(update=changes.get(each.id)) for each in now.regions]
            ),
        )

    def remove_regions(self, region_ids: Iterable[str]) -> None:
        """Remove regions of the current sample by their ids."""
        gone = set(region_ids)
        self._edit(
            "remove region",
            lambda now: now.edit(regions=[each for each in now.regions if each.id not in gone]),
        )

    def exclude_slices(self, ranges: Iterable[tuple[int, int]], plane: tuple[int, int]) -> None:
        """Exclude whole slices of the current sample, instead of those that this has excluded before.

        Parameters
        ----------
        ranges : iterable of (first, last)
            Slices, both inclusive.
        plane : (Y, X)
            Size of a slice.
        """
        self._edit(
            "exclude slices",
            lambda now: now.edit(regions=with_excluded_slices(now.regions, ranges, plane)),
        )

    def copy_regions(
        self, kind: Literal["exclude", "merge"], to: Literal["next", "group"] = "next"
    ) -> tuple[tuple[str, ...], int]:
        """Copy the regions of a kind to the next sample of the list, or to all others of the group.

        Left out are those that a sample has already, and merges from a segmentation that it lacks. One undo
        takes all back.

        Returns
        -------
        sample_ids : tuple of str
            The next sample, or the others of the group.
        n_copied : int
            How many regions they got together.

        Raises
        ------
        DatasetError
            If there is no such sample, or one can't be written.
        """
        following = self.next_id() if to == "next" else None
        others = [each for each in self._group(self.current) if each != self._current]
        wanted = ((following,) if following else ()) if to == "next" else tuple(others)
        if not wanted:
            here = self.current.id
            raise DatasetError(
                f"No sample of the list comes after {here}."
                if to == "next"
                else f"{here} is the only sample of its group."
            )
        copied: list[Region] = []

        def add(now: Sample) -> Sample:
            new = copied_regions(self.current, kind, now)
            copied.extend(new)
            return now.edit(regions=(*now.regions, *new))

        changed = self.dataset.edit_together(wanted, add, f"copy {kind} regions")
        if changed:
            self._take(*changed)
        return wanted, len(copied)

    def change_labels(self, segmentation: str, change: LabelChange, action: str) -> None:
        """Change pixels of a segmentation of the current sample, such as by a brush stroke.

        The changes of one review are one version of the segmentation.

        Parameters
        ----------
        segmentation : str
            Its name.
        change : LabelChange
            The pixels of its newest version that got another value.
        action : str
            What was done, in a word or two.
        """
        key = self._current, segmentation
        after = self.dataset.change_labels(
            self._current, segmentation, change, action, self._versions.get(key)
        )
        self._versions[key] = after.segmentation(segmentation).newest
        if after != self.current:
            self._take(after)

    def undo(self) -> Sample | None:
        """Take back the last change, whichever sample it was made to, and show that sample."""
        return self._show_restored(self.dataset.undo())

    def redo(self) -> Sample | None:
        """Redo what was undone, and show that sample."""
        return self._show_restored(self.dataset.redo())

    def _decide(self, verdict: Verdict, action: str) -> bool:
        self._edit(action, lambda now: now.edit(verdict=verdict))
        undecided = (
            each for each in self._after(wrap=True) if self._samples[each].verdict is Verdict.undecided
        )
        wanted = next(undecided, None)
        return wanted is not None and self.jump(wanted)

    def _edit(self, action: str, change: Callable[[Sample], Sample]) -> None:
        """Change the current sample as it is on disk: another reviewer may have changed it meanwhile."""
        after = self.dataset.edit(self._current, change, action)
        if after != self.current:
            self._take(after)

    def _show_restored(self, samples: tuple[Sample, ...]) -> Sample | None:
        if not samples:
            return None
        self._take(*samples)
        self.jump(samples[0].id)
        return samples[0]

    def _take(self, *samples: Sample) -> None:
        self._samples.update({sample.id: sample for sample in samples})
        self.saved_at = time.time()
        self.edited.emit(samples[0].id)
        if len(samples) > 1:
            self.filtered.emit()

    def _group(self, sample: Sample) -> tuple[str, ...]:
        """Return the ids of the samples in a sample's group."""
        if not sample.group:
            return (sample.id,)
        return tuple(each.id for each in self._samples.values() if each.group == sample.group)

    def _passes(self, sample_id: str) -> bool:
        sample = self._samples[sample_id]
        if self._filter is not Filter.all and sample.verdict.value != self._filter.value:
            return False
        return not self._search or any(
            self._search in each.casefold() for each in (sample.id, sample.group, sample.note)
        )

    def _after(self, wrap: bool = False) -> tuple[str, ...]:
        here = self._order[self._current]
        return self._ids[here + 1 :] + (self._ids[:here] if wrap else ())

    def _restore_position(self) -> None:
        try:
            kept = read_own_json(self.dataset.path / POSITION_FILE)
            if kept["sample"] in self._samples:
                self._current = kept["sample"]
            self._filter = Filter(kept["filter"])
        except (OSError, ValueError, KeyError, TypeError):
            logger.debug("No position to go back to in %s", self.dataset.path)

    def _save_position(self) -> None:
        position = {"version": 1, "sample": self._current, "filter": self._filter.value}
        try:
            write_json(self.dataset.path / POSITION_FILE, position)
        except OSError as error:
            logger.warning("The position in %s can't be kept: %s", self.dataset.path, error)


def _read(dataset: CuratedDataset, report: Context) -> tuple[dict[str, Sample], tuple[str, ...]]:
    """Return the samples that can be read, by id, and a sentence for each that can't."""
    samples: dict[str, Sample] = {}
    problems: list[str] = []
    for sample_id in report.track(dataset.sample_ids, len(dataset.sample_ids), "Reading samples"):
        try:
            samples[sample_id] = dataset.sample(sample_id)
        except DatasetError as error:
            problems.append(str(error))
    if not samples:
        raise DatasetError(problems[0])
    return samples, tuple(problems)


def _plain(vertices: Iterable[Sequence[float]]) -> tuple[tuple[float, float], ...]:
    return tuple((round(float(y), 3), round(float(x), 3)) for y, x in vertices)
