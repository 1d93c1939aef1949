"""Looking at the objects of a sample one by one: keep or delete each, and find slices without labels."""

from __future__ import annotations

from collections.abc import Callable

from psygnal import Signal

from segloop.app.presenters.curation.label_editor import LabelEditor
from segloop.app.presenters.messages import Messages
from segloop.curation.label_search import middle_of, neighbour, unlabelled_slice


class ObjectWalk:
    """Commands that bring an object, or a slice, of the labels that are corrected into view.

    Parameters
    ----------
    editor : LabelEditor
        Has the labels; correcting begins if need be.
    current_slice : callable
        Returns the slice on screen, counted from 0.
    messages : Messages
        Says what is shown.

    Attributes
    ----------
    number : int
        The object that was brought into view last; 0 for none.
    """

    place_wanted = Signal(tuple)
    """z, y, x in pixels to bring into the middle of the canvas."""

    slice_wanted = Signal(int)
    """The slice to show."""

    def __init__(self, editor: LabelEditor, current_slice: Callable[[], int], messages: Messages) -> None:
        self._editor, self._current_slice, self._messages = editor, current_slice, messages
        self.number = 0
        editor.began.connect(self._begin)

    def step(self, step: int) -> None:
        """Show the next (1) or the previous (-1) object, by number."""
        if not self._editor.begin() or self._editor.labels is None:
            return
        self.number = neighbour(self._editor.labels, self.number, step)
        if not self.number:
            self._messages.info("There is no object in this sample.")
            return
        self.place_wanted.emit(middle_of(self._editor.labels, self.number))
        self._messages.acted.emit(f"Object {self.number}", False)

    def delete(self) -> None:
        """Delete the object that was shown last, and show the next one."""
        if not self._editor.active or not self.number:
            self._messages.info("Step to an object first.")
            return
        if self._editor.delete(self.number):
            self.step(1)

    def next_unlabelled_slice(self) -> None:
        """Show the next slice without labels."""
        if not self._editor.begin() or self._editor.labels is None:
            return
        z = unlabelled_slice(self._editor.labels, self._current_slice())
        if z is None:
            self._messages.info("All slices have labels.")
        else:
            self.slice_wanted.emit(z)

    def _begin(self) -> None:
        self.number = 0
