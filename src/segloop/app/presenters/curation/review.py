"""The review of a dataset: the current sample, what is decided about it, and what is read for the screen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from psygnal import Signal

from segloop.app.presenters.background import Background, Clock, Memory
from segloop.app.presenters.curation.drawing import DrawingOptions, Kind, SliceChoice
from segloop.app.presenters.curation.label_editor import LabelEditor
from segloop.app.presenters.curation.object_walk import ObjectWalk
from segloop.app.presenters.curation.regions import RegionEditor
from segloop.app.presenters.messages import Messages
from segloop.artifacts.dataset.manifest import Sample, Split
from segloop.core.context import Context
from segloop.core.errors import DatasetError
from segloop.core.wording import counted
from segloop.curation.label_search import unlabelled_ranges
from segloop.curation.pixel_cache import PixelCache
from segloop.curation.session import Filter, ReviewSession, SortKey
from segloop.curation.snapshot import Snapshot, load_snapshot
from segloop.images.lazy_stack import LazyStack

_AHEAD_S = 0.1


class ReviewPresenter:
    """State and commands of a review.

    Parameters
    ----------
    background : Background
        Reads samples in the background.
    clock : Clock
        Waits a moment before the next sample is read ahead.
    memory : Memory
        Where choices are remembered.
    messages : Messages
        Says what was done and what went wrong.
    current_slice : callable
        Returns the slice on screen, counted from 0.

    Attributes
    ----------
    options : DrawingOptions
        The choices for new regions.
    regions : RegionEditor
        Receives what is drawn.
    editor : LabelEditor
        Corrects labels.
    """

    session_changed = Signal()
    """Another dataset is reviewed, or none."""

    moved = Signal()
    """Another sample is the current one."""

    sample_changed = Signal()
    """The current sample was changed."""

    rows_changed = Signal()
    """Other samples are listed, or in another order, or several were changed."""

    row_changed = Signal(str)
    """One sample was changed; its id."""

    shown = Signal(Snapshot)
    """The pixels of another sample were read."""

    truth_shown = Signal(Snapshot)
    """The ground truth of the sample on screen is another one."""

    cleared = Signal()
    """There is nothing to show."""

    edited = Signal()
    """Any sample was changed."""

    training_wanted = Signal()
    """The user wants to train on the dataset."""
    relocation_wanted = Signal()
    """The user wants to say where files are that are missing."""

    def __init__(
        self,
        background: Background,
        clock: Clock,
        memory: Memory,
        messages: Messages,
        current_slice: Callable[[], int],
    ) -> None:
        self._background = background
        self._messages = messages
        self._current_slice = current_slice
        self._cache = PixelCache()
        self._unreadable = ""
        self._ahead = clock.timer(_AHEAD_S, self._read_ahead)
        self.session: ReviewSession | None = None
        self.snapshot: Snapshot | None = None
        self.options = DrawingOptions(memory)
        self.regions = RegionEditor(
            lambda: self.session, self.is_ready, messages.attempt, self.options, self._slice_limits
        )
        self.regions.copied.connect(self._on_copied)
        self.editor = LabelEditor(lambda: self.session, lambda: self.snapshot, self.is_ready, messages)
        self.walk = ObjectWalk(self.editor, current_slice, messages)
        self.editor.began.connect(self._on_editor_began)
        self.editor.ended.connect(self._on_editor_ended)

    # Which dataset

    def open(self, session: ReviewSession) -> None:
        """Review a dataset."""
        self.close()
        self.session = session
        session.moved.connect(self._on_moved)
        session.edited.connect(self._on_edited)
        session.filtered.connect(self._on_filtered)
        self._offer_sources()
        self.session_changed.emit()
        self._load()

    def close(self) -> None:
        """Review nothing."""
        self.editor.end()
        session = self.session
        if session is not None:
            session.moved.disconnect(self._on_moved)
            session.edited.disconnect(self._on_edited)
            session.filtered.disconnect(self._on_filtered)
        self.session = None
        self.snapshot = None
        self._unreadable = ""
        self._ahead.stop()
        self._background.drop("load")
        self._background.drop("prefetch")
        self.cleared.emit()
        if session is not None:
            self.session_changed.emit()

    @property
    def dataset_path(self) -> Path | None:
        """Folder of the dataset; None without one."""
        return self.session.dataset.path if self.session is not None else None

    # Which sample

    @property
    def sample(self) -> Sample | None:
        """The current sample."""
        return self.session.current if self.session is not None else None

    def show_next(self) -> None:
        """Show the next sample of the list."""
        self._step(lambda session: session.next(), "last")

    def show_previous(self) -> None:
        """Show the previous sample of the list."""
        self._step(lambda session: session.previous(), "first")

    def jump(self, sample_id: str) -> None:
        """Show a sample."""
        session = self.session
        if session is not None:
            self._messages.attempt(lambda: session.jump(sample_id))

    def set_filter(self, wanted: Filter) -> None:
        """List the samples with one verdict, or all."""
        if self.session is not None:
            self.session.set_filter(wanted)

    def search(self, text: str) -> None:
        """List the samples whose id, group, split or note contains a text."""
        if self.session is not None:
            self.session.search(text)

    def sort(self, key: SortKey, descending: bool) -> None:
        """List the samples in another order."""
        if self.session is not None:
            self.session.sort(key, descending)

    # What is decided

    def accept(self) -> None:
        """Accept the sample and show the next undecided one."""
        self._decide("accept")

    def reject(self) -> None:
        """Reject the sample and show the next undecided one."""
        self._decide("reject")

    def set_base(self, name: str) -> None:
        """Choose the segmentation that the ground truth starts from."""
        if self._edit(lambda session: session.set_base(name)):
            self._messages.acted.emit(f"The ground truth starts from {name}", True)

    def set_base_number(self, number: int) -> None:
        """Choose the first (1), second (2), ... segmentation as the base."""
        sample = self.sample
        if sample is None:
            return
        names = sample.segmentation_names
        if number <= len(names):
            self.set_base(names[number - 1])
        else:
            has = counted(len(names), "segmentation")
            self._messages.info(f"{sample.id} has {has}: {', '.join(names)}.")

    def set_split(self, split: Split) -> None:
        """Choose what the sample, and with it its whole group, is used for."""
        moved: list[int] = []
        self._edit(lambda session: moved.append(session.set_split(split)))
        if moved and moved[0] > 1:
            self._messages.info(
                f"{moved[0]} samples were moved to {split}: samples of one group share their split."
            )

    def set_note(self, note: str) -> None:
        """Keep a note about the sample."""
        self._edit(lambda session: session.set_note(note))

    def undo(self, finish_shape: Callable[[], bool]) -> None:
        """Take back the last step: the shape that is being drawn, or else the last change of any sample.

        Parameters
        ----------
        finish_shape : callable
            Ends the shape that is being drawn, which may add a region; returns whether there was one.
        """
        session = self.session
        if session is None:
            return
        regions = session.current.regions
        if finish_shape() and session.current.regions == regions:
            self._messages.acted.emit("The shape was discarded", False)
        elif self._messages.attempt(lambda: _require(session.undo(), "There is nothing to undo.")):
            self._messages.clear()
            self._messages.acted.emit(f"Undone in {session.current.id}", False)

    def redo(self) -> None:
        """Redo what was undone."""
        session = self.session
        if session is not None and self._messages.attempt(
            lambda: _require(session.redo(), "There is nothing to redo.")
        ):
            self._messages.clear()
            self._messages.acted.emit(f"Redone in {session.current.id}", True)

    # Drawing

    def can_draw(self, kind: Kind) -> bool:
        """Whether regions of a kind can be drawn at this moment; says why if not."""
        session = self.session
        if session is None or not self.is_ready():
            return False
        return kind != "merge" or self._messages.attempt(session.merge_sources)

    def use_labelled_slices(self) -> None:
        """Exclude the slices of a stack that have no labels, so that training leaves them out."""
        sample, snapshot, session = self.sample, self.snapshot, self.session
        if sample is None or session is None or not self.is_ready() or snapshot is None:
            return
        labels = self.editor.labels if self.editor.active else snapshot.pixels.segmentations[sample.base]
        if labels is None or len(labels) == 1:
            self._messages.info(f"{sample.id} is not a stack.")
        elif isinstance(labels, LazyStack):
            self._messages.info(f"Looking for labels in {len(labels)} slices...")
            self._background.run(
                _unlabelled,
                labels,
                lane="labelled slices",
                on_result=lambda ranges: self._exclude_unlabelled(sample.id, labels.shape, ranges),
                on_error=self._messages.error,
            )
        else:
            z, y, x = labels.shape
            self._exclude_unlabelled(sample.id, (z, y, x), unlabelled_ranges(labels))

    def _exclude_unlabelled(
        self, sample_id: str, shape: tuple[int, int, int], ranges: Sequence[tuple[int, int]]
    ) -> None:
        if self.sample is None or self.sample.id != sample_id:
            return  # they were looked for in the sample before
        n_slices = shape[0]
        n_empty = sum(last + 1 - first for first, last in ranges)
        if n_empty == n_slices:
            self._messages.info("No slice has labels yet: label one or more first.")
        elif self._edit(lambda session: session.exclude_slices(ranges, shape[1:])):
            self._messages.info(
                f"{n_slices - n_empty} of {n_slices} slices have labels; the others are excluded."
                if n_empty
                else "All slices have labels; none is excluded."
            )

    def set_slices(self, slices: SliceChoice, selected_ids: Sequence[str]) -> None:
        """Choose the slices for new regions, for the selected ones, and for the one just drawn."""
        self.options.set_slices(slices)
        if self.is_stack:
            self.regions.apply_slices(selected_ids)

    @property
    def is_stack(self) -> bool:
        """Whether the sample on screen has several slices."""
        return self.snapshot is not None and self.snapshot.pixels.n_slices > 1

    def is_ready(self) -> bool:
        """Whether the current sample is on screen; says that it is still being read if it isn't."""
        sample = self.sample
        if sample is None:
            return False
        if self.snapshot is not None and self.snapshot.sample.id == sample.id:
            return True
        if sample.id != self._unreadable:
            self._messages.info(f"{sample.id} is still being read.")
        return False

    def _slice_limits(self) -> tuple[int | None, int | None]:
        return self.options.slices.limits(self._current_slice()) if self.is_stack else (None, None)

    def _decide(self, action: Literal["accept", "reject"]) -> None:
        session = self.session
        if session is None:
            return
        decided = session.current.id
        if not (decided == self._unreadable and action == "reject") and not self.is_ready():
            return
        more: list[bool] = []
        if not self._messages.attempt(lambda: more.append(getattr(session, action)())):
            return
        self._messages.acted.emit(f"{decided} {action}ed", True)
        if not more[0]:
            counts = session.counts()
            self._messages.info(
                f"All {counts.total} samples are reviewed: "
                f"{counts.accepted} accepted, {counts.rejected} rejected.",
                "Train on them",
                self.training_wanted.emit,
            )

    def _edit(self, edit: Callable[[ReviewSession], object]) -> bool:
        session = self.session
        if session is None:
            return False
        done = self._messages.attempt(lambda: edit(session))
        if not done:
            self.sample_changed.emit()  # widgets show what is still so
        return done

    def _step(self, step: Callable[[ReviewSession], bool], end: str) -> None:
        session = self.session
        if session is None:
            return
        if step(session):
            self._messages.acted.emit(session.current.id, False)
        else:
            listed = session.filter.value
            of = "" if listed == "all" else f" of the {listed} samples"
            self._messages.info(f"{session.current.id} is the {end} one{of}.")

    def _on_moved(self, _: str) -> None:
        self._messages.clear()
        self._unreadable = ""
        self._offer_sources()
        self.editor.leave_sample()
        self.moved.emit()
        self._load()

    def _on_edited(self, sample_id: str) -> None:
        session = self.session
        if session is None:
            return
        self.edited.emit()
        if session.filter is Filter.all and not session.search_text:
            self.row_changed.emit(sample_id)
        else:
            self.rows_changed.emit()
        if sample_id == session.current.id:
            self._offer_sources()
            self.sample_changed.emit()
            shown = self.snapshot is not None and self.snapshot.sample.id == sample_id
            if not self.editor.follow(session.current) and shown:
                self._load()

    def _on_copied(self, sample_ids: tuple[str, ...], n_copied: int) -> None:
        where = sample_ids[0] if len(sample_ids) == 1 else f"{len(sample_ids)} samples of the group"
        if n_copied:
            self._messages.info(f"{counted(n_copied, 'region')} copied to {where}.")
        else:
            has, lacks = ("has", "lacks") if len(sample_ids) == 1 else ("have", "lack")
            self._messages.info(f"{where} {has} these regions already, or {lacks} the segmentation.")

    def _on_filtered(self) -> None:
        self.rows_changed.emit()

    def _offer_sources(self) -> None:
        sample = self.sample
        if sample is not None:
            self.options.offer_sources([name for name in sample.segmentation_names if name != sample.base])

    def _load(self) -> None:
        session = self.session
        if session is None:
            return
        self._ahead.stop()
        self._background.run(
            load_snapshot,
            session.dataset,
            session.current,
            self._cache,
            self.snapshot,
            lane="load",
            on_result=self._on_loaded,
            on_error=self._on_not_loaded,
        )

    def _on_loaded(self, snapshot: Snapshot) -> None:
        sample = self.sample
        if sample is None or snapshot.sample.id != sample.id:
            return
        before, self.snapshot = self.snapshot, snapshot
        if before is not None and before.pixels is snapshot.pixels and before.sample.id == sample.id:
            self.truth_shown.emit(snapshot)
        else:
            self.shown.emit(snapshot)
            self._ahead.start()
        self.editor.arrive()

    def _on_editor_began(self) -> None:
        """Import what the tools need while the user chooses one."""
        self._background.run(_import_edits, lane="label edits", on_error=_ignore)

    def _on_editor_ended(self) -> None:
        """Show the ground truth with the labels as they were corrected."""
        sample = self.sample
        if sample is not None and self.snapshot is not None and self.snapshot.sample.id == sample.id:
            self._load()

    def _on_not_loaded(self, error: Exception) -> None:
        sample = self.sample
        if sample is not None:
            self._unreadable = sample.id
            self.snapshot = None
            self.cleared.emit()
            session = self.session
            if session is not None and session.dataset.missing_files(sample):
                self._messages.error(error, "Find moved files", self.relocation_wanted.emit)
            else:
                self._messages.error(error, "Reject it", self.reject)

    def _read_ahead(self) -> None:
        session = self.session
        next_id = session.next_id() if session is not None else None
        if session is not None and next_id is not None:
            self._background.run(
                load_snapshot,
                session.dataset,
                session.samples[next_id],
                self._cache,
                lane="prefetch",
                on_error=_ignore,
            )


def _require(found: Sample | None, sentence: str) -> None:
    if found is None:
        raise DatasetError(sentence)


def _import_edits(context: Context) -> None:
    import segloop.curation.label_edits  # noqa: F401


def _unlabelled(labels: LazyStack, context: Context) -> list[tuple[int, int]]:
    return unlabelled_ranges(labels, context)


def _ignore(error: Exception) -> None:
    """Leave it to the moment when the sample is shown to say what is wrong with it."""
