"""Commands of napari's command palette; each acts on the Curation dock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from segloop.ui.viewer_app import viewer_app_for

if TYPE_CHECKING:
    from segloop.ui.curation.dock import CurationDock


def _curation() -> CurationDock:
    from napari import current_viewer

    dock: CurationDock = viewer_app_for(current_viewer()).dock("Curation")
    return dock


def accept() -> None:
    """Accept the sample and show the next undecided one."""
    _curation().accept()


def reject() -> None:
    """Reject the sample and show the next undecided one."""
    _curation().reject()


def show_next() -> None:
    """Show the next sample."""
    _curation().show_next()


def show_previous() -> None:
    """Show the sample before."""
    _curation().show_previous()


def draw_exclude() -> None:
    """Draw a region that training leaves out."""
    _curation().draw("exclude")


def draw_merge() -> None:
    """Draw a region that takes its labels from the other segmentation."""
    _curation().draw("merge")


def undo() -> None:
    """Take back the last step of curation."""
    _curation().undo()


def redo() -> None:
    """Make again the step that was taken back."""
    _curation().redo()
