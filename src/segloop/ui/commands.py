"""Commands of napari's command palette; each opens its dock and does there what the key does."""

from __future__ import annotations

from segloop.ui.viewer_app import viewer_app_for


def _run(dock: str, command: str) -> None:
    from napari import current_viewer

    viewer_app_for(current_viewer()).dock(dock).run_command(command)


def accept() -> None:
    """Accept the sample and show the next undecided one."""
    _run("Curation", "accept")


def reject() -> None:
    """Reject the sample and show the next undecided one."""
    _run("Curation", "reject")


def show_next() -> None:
    """Show the next sample."""
    _run("Curation", "next")


def show_previous() -> None:
    """Show the previous sample."""
    _run("Curation", "back")


def draw_exclude() -> None:
    """Draw a region that training leaves out."""
    _run("Curation", "exclude")


def draw_merge() -> None:
    """Draw a region that takes its labels from another segmentation."""
    _run("Curation", "merge")


def use_first_segmentation() -> None:
    """Let the ground truth start from the first segmentation."""
    _run("Curation", "base_1")


def use_second_segmentation() -> None:
    """Let the ground truth start from the second segmentation."""
    _run("Curation", "base_2")


def use_third_segmentation() -> None:
    """Let the ground truth start from the third segmentation."""
    _run("Curation", "base_3")


def use_fourth_segmentation() -> None:
    """Let the ground truth start from the fourth segmentation."""
    _run("Curation", "base_4")


def use_fifth_segmentation() -> None:
    """Let the ground truth start from the fifth segmentation."""
    _run("Curation", "base_5")


def use_sixth_segmentation() -> None:
    """Let the ground truth start from the sixth segmentation."""
    _run("Curation", "base_6")


def correct_labels() -> None:
    """Start or stop correcting the labels of the sample."""
    _run("Curation", "correct")


def delete_object() -> None:
    """Delete the objects that are clicked."""
    _run("Curation", "delete")


def join_objects() -> None:
    """Join the objects that a line touches."""
    _run("Curation", "join")


def cut_object() -> None:
    """Divide the object that a line crosses."""
    _run("Curation", "cut")


def fill_holes() -> None:
    """Fill the holes of the objects that are clicked."""
    _run("Curation", "fill")


def smooth_object() -> None:
    """Smooth the objects that are clicked."""
    _run("Curation", "smooth")


def grow_object() -> None:
    """Grow the objects that are clicked by a pixel."""
    _run("Curation", "grow")


def shrink_object() -> None:
    """Shrink the objects that are clicked by a pixel."""
    _run("Curation", "shrink")


def snap_object() -> None:
    """Move the outlines of the objects that are clicked to the edges in the image."""
    _run("Curation", "snap")


def interpolate_object() -> None:
    """Fill the objects that are clicked in between the slices they were drawn in."""
    _run("Curation", "interpolate")


def show_next_object() -> None:
    """Bring the next object into the middle of the canvas."""
    _run("Curation", "next_object")


def show_previous_object() -> None:
    """Bring the previous object into the middle of the canvas."""
    _run("Curation", "previous_object")


def delete_shown_object() -> None:
    """Delete the object that was stepped to, and show the next one."""
    _run("Curation", "delete_object")


def use_labelled_slices() -> None:
    """Exclude the slices without labels."""
    _run("Curation", "labelled_slices")


def show_unlabelled_slice() -> None:
    """Show the next slice without labels."""
    _run("Curation", "unlabelled_slice")


def undo() -> None:
    """Undo the last change of curation."""
    _run("Curation", "undo")


def redo() -> None:
    """Redo the change that was undone."""
    _run("Curation", "redo")


def predict() -> None:
    """Apply the chosen model to what is chosen in the Prediction dock."""
    _run("Prediction", "predict")
