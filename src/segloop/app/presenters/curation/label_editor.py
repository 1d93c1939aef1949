"""Correcting the labels of the current sample: an editable copy, and what is done to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from segloop.app.presenters.messages import Messages
from segloop.artifacts.dataset.label_changes import LabelChange
from segloop.artifacts.dataset.manifest import Sample
from segloop.core.errors import SegloopError
from segloop.curation.pixels import Stack
from segloop.curation.session import ReviewSession
from segloop.curation.snapshot import Snapshot
from segloop.images.lazy_stack import LazyStack

Tool = Literal["delete", "join", "cut", "fill", "smooth", "grow", "shrink", "snap", "interpolate"]

LINE_TOOLS: tuple[Tool, ...] = ("join", "cut")
"""Tools that act on the objects under a line; the others act on the object that is clicked."""


class _ClickTool(NamedTuple):
    """A function of `label_edits` for the object that is clicked, and what to say of the result."""

    function: str
    done: str
    nothing: str
    takes_image: bool = False


_BY_CLICK: dict[Tool, _ClickTool] = {
    "delete": _ClickTool("delete", "Object {} deleted", ""),
    "fill": _ClickTool("fill_holes", "Holes of object {} filled", "Object {} has no holes."),
    "smooth": _ClickTool("smooth", "Object {} smoothed", "The outline of object {} is smooth already."),
    "grow": _ClickTool("grow", "Object {} grown by a pixel", "There is no room around object {}."),
    "shrink": _ClickTool("shrink", "Object {} shrunk by a pixel", ""),
    "snap": _ClickTool(
        "snap",
        "Outline of object {} moved to the edges",
        "The outline of object {} is at the edges already.",
        takes_image=True,
    ),
    "interpolate": _ClickTool(
        "interpolate",
        "Object {} filled in between its slices",
        "No slice is missing between those with object {}.",
    ),
}
TOOLS: tuple[Tool, ...] = get_args(Tool)

Everything = (slice(None), slice(None), slice(None))


class LabelEditor:
    """State and commands of correcting labels.

    What is edited is the base segmentation of the sample on screen. Its original file is never changed: each
    edit is stored in the dataset before the method returns.

    Parameters
    ----------
    session : callable
        Returns the review, or None.
    snapshot : callable
        Returns what is on screen, or None.
    ready : callable
        Whether the current sample is on screen; says so if it isn't.
    messages : Messages
        Says what was done and what went wrong.

    Attributes
    ----------
    labels : (Z, Y, X) uint32 array or None
        The labels as they are now, which the view may change before it calls `take`. None while nothing is
        corrected.
    segmentation : str
        Name of the segmentation that is corrected.
    tool : str
        The tool in use; empty for none, or for one of napari's.
    """

    began = Signal()
    """Labels can be corrected now."""

    ended = Signal()
    """Labels can't be corrected any more."""

    changed = Signal()
    """The labels are other ones: the view shows them again."""

    tool_changed = Signal(str)
    """Another tool is in use, or none (empty)."""

    def __init__(
        self,
        session: Callable[[], ReviewSession | None],
        snapshot: Callable[[], Snapshot | None],
        ready: Callable[[], bool],
        messages: Messages,
    ) -> None:
        self._session, self._snapshot, self._ready = session, snapshot, ready
        self._messages = messages
        self._saved: NDArray[np.uint32] | None = None
        self._sample: Sample | None = None
        self._storing = False
        self._goes_on = False
        self.labels: NDArray[np.uint32] | None = None
        self.segmentation = ""
        self.tool: Tool | Literal[""] = ""

    @property
    def active(self) -> bool:
        """Whether labels are corrected."""
        return self.labels is not None

    def begin(self) -> bool:
        """Start to correct the sample on screen; returns whether that is possible."""
        if self.active:
            return True
        snapshot = self._snapshot()
        session = self._session()
        if session is None or not self._ready() or snapshot is None:
            return False
        stored = snapshot.pixels.segmentations[session.current.base]
        if isinstance(stored, LazyStack):
            self._messages.info(
                f"{session.current.id} is too large to correct: cut out a part with 'segloop dataset crop', "
                "and add it."
            )
            return False
        self._goes_on = True
        self._sample = session.current
        self.segmentation = session.current.base
        self._saved = stored.astype(np.uint32)
        self.labels = self._saved.copy()
        self.began.emit()
        return True

    def begin_soon(self) -> None:
        """Start to correct as soon as the current sample is on screen."""
        self._goes_on = True

    def end(self) -> None:
        """Stop correcting labels."""
        self._goes_on = False
        self._leave()

    def toggle(self) -> None:
        """Start or stop correcting labels."""
        if self.active:
            self.end()
        else:
            self.begin()

    def leave_sample(self) -> None:
        """Another sample becomes the current one: go on with that one, once `arrive` is called."""
        self._leave()

    def arrive(self) -> None:
        """A sample is on screen."""
        if self._goes_on and not self.active:
            self.begin()

    def use(self, tool: Tool | Literal[""]) -> None:
        """Take a tool, or put it away if it is in use; labels are corrected from now on."""
        if tool == self.tool:
            tool = ""
        if not tool or self.begin():
            self._set_tool(tool)

    # What is done to labels

    def take(self, region: tuple[slice, ...] = Everything, action: str = "paint") -> None:
        """Store what the user has painted into `labels`.

        Parameters
        ----------
        region : tuple of slice
            The part, along Z, Y and X, outside of which nothing was changed.
        action : str
            What was done, in a word or two.
        """
        if self.labels is None or self._saved is None:
            return
        change = LabelChange.between(self._saved, self.labels, region)
        if len(change) and not self._store(change, action) and self.active:
            self.labels[region] = self._saved[region]
            self.changed.emit()

    def click(self, place: Sequence[float]) -> None:
        """Use the tool on the object at a place (z, y, x), in pixels."""
        from segloop.curation import label_edits  # imports SciPy

        if self.labels is None or self.tool not in _BY_CLICK:
            return
        number = label_edits.object_at(self.labels, place)
        if not number:
            self._messages.info("There is no object: click on one.")
            return
        tool = _BY_CLICK[self.tool]
        image = (self._image(),) if tool.takes_image else ()
        change = getattr(label_edits, tool.function)(self.labels, *image, number)
        self._edit(change, self.tool, tool.done.format(number), tool.nothing.format(number))

    def delete(self, number: int) -> bool:
        """Delete an object; returns whether there was one."""
        from segloop.curation import label_edits  # imports SciPy

        if self.labels is None or not (self.labels == number).any():
            self._messages.info(f"There is no object {number} any more.")
            return False
        return self._edit(label_edits.delete(self.labels, number), "delete", f"Object {number} deleted", "")

    def draw_line(self, z: int, path: Sequence[Sequence[float]]) -> None:
        """Use the tool on the objects under a line of (y, x) corners in a slice, in pixels."""
        from segloop.curation import label_edits  # imports SciPy

        if self.labels is None:
            return
        crossed = label_edits.objects_on(self.labels, z, path)
        if self.tool == "cut":
            self._edit(
                label_edits.cut(self.labels, z, path),
                "cut",
                "Cut" if len(crossed) == 1 else "Objects cut",
                "The line divides no object: draw it from one side of an object to the other.",
            )
        elif self.tool == "join":
            if len(crossed) < 2:
                self._messages.info("Draw a line from one object to another one to join them.")
            else:
                joined = f"Objects {', '.join(map(str, crossed))} joined"
                self._edit(label_edits.join(self.labels, crossed), "join", joined, "")

    def follow(self, sample: Sample) -> bool:
        """Take in that the current sample was changed, such as by an undo.

        Returns
        -------
        bool
            Whether nothing but its corrected labels is different, so that nothing needs to be read again.
        """
        session, before = self._session(), self._sample
        if self.labels is None or self._saved is None or before is None or session is None:
            return False
        self._sample = sample
        if before.segmentations == sample.segmentations and sample.base == self.segmentation:
            return False
        changes = self._changes_between(session, before, sample)
        # Together with one's own edit, what another program changed may have come.
        if changes is None or (self._storing and len(changes) != 1):
            self._leave()
            return False
        if not self._storing:
            for change in changes:
                change.apply(self.labels)
                change.apply(self._saved)
            self.changed.emit()
        return before.model_copy(update={"segmentations": sample.segmentations}) == sample

    def _changes_between(
        self, session: ReviewSession, before: Sample, after: Sample
    ) -> list[LabelChange] | None:
        """Return what leads from one state of the labels to another; None if they must be read again."""
        if after.base != self.segmentation or self.labels is None:
            return None
        try:
            return session.dataset.label_changes(self.segmentation, before, after, self.labels.size)
        except SegloopError:  # reading the labels again says what is wrong
            return None

    def _image(self) -> tuple[Stack, ...]:
        """Return the channels of the raw image."""
        snapshot = self._snapshot()
        assert snapshot is not None  # labels are corrected of what is on screen
        return snapshot.pixels.raw

    def _edit(self, change: LabelChange, action: str, done: str, nothing: str) -> bool:
        if not len(change):
            self._messages.info(nothing or "Nothing was changed.")
            return False
        if not self._store(change, action):
            return False
        if self.labels is not None:
            change.apply(self.labels)
            self.changed.emit()
        self._messages.clear()
        self._messages.acted.emit(done, True)
        return True

    def _store(self, change: LabelChange, action: str) -> bool:
        session, saved = self._session(), self._saved
        if session is None or saved is None:
            return False
        self._storing = True
        try:
            stored = self._messages.attempt(lambda: session.change_labels(self.segmentation, change, action))
        finally:
            self._storing = False
        if stored:
            change.apply(saved)
        return stored

    def _leave(self) -> None:
        if self.active:
            self.labels = self._saved = self._sample = None
            self._set_tool("")
            self.ended.emit()

    def _set_tool(self, tool: Tool | Literal[""]) -> None:
        if tool != self.tool:
            self.tool = tool
            self.tool_changed.emit(tool)
