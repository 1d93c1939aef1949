"""The part of the dock that corrects labels: starts and stops it, and offers the dock's tools."""

from __future__ import annotations

from collections.abc import Mapping

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QPushButton, QWidget

from segloop.app.presenters.background import Memory
from segloop.app.presenters.curation.label_editor import LINE_TOOLS, TOOLS, LabelEditor, Tool
from segloop.app.presenters.curation.object_walk import ObjectWalk
from segloop.ui.shortcuts import key_of, with_key
from segloop.ui.widgets.fold import Fold

TITLES: dict[str, tuple[str, str]] = {
    "delete": ("Delete", "Click on an object to delete it"),
    "join": ("Join", "Draw a line from object to object to make them one"),
    "cut": ("Cut", "Draw a line across an object to divide it"),
    "fill": ("Fill holes", "Click on an object to fill its holes"),
    "smooth": ("Smooth", "Click on an object to smooth its outline"),
    "grow": ("Grow", "Click on an object to grow it by a pixel"),
    "shrink": ("Shrink", "Click on an object to shrink it by a pixel"),
    "snap": ("Snap", "Click on an object to move its outline to the edges in the image"),
    "interpolate": ("Interpolate", "Click on an object to fill it in between the slices it was drawn in"),
}
_OBJECT_STEPS: dict[str, tuple[str, str]] = {
    "previous_object": ("◀  {}", "Show the previous object"),
    "next_object": ("▶  {}", "Show the next object, and keep this one"),
    "delete_object": ("Delete it  {}", "Delete the object that was stepped to, and show the next one"),
}
_SLICE_STEPS: dict[str, tuple[str, str]] = {
    "unlabelled_slice": ("Next empty  {}", "Show the next slice without labels"),
    "labelled_slices": ("Only labelled  {}", "Exclude all slices without labels from training"),
}
_COLUMNS = 4


class LabelPanel(Fold):
    """Buttons for correcting labels; each has a key.

    Parameters
    ----------
    editor : LabelEditor
        What the buttons do.
    walk : ObjectWalk
        Shows one object after the other.
    memory : Memory
        For what is folded.
    """

    labelled_slices_wanted = Signal()
    """Exclude the slices without labels."""

    def __init__(self, editor: LabelEditor, walk: ObjectWalk, memory: Memory) -> None:
        super().__init__("Labels", memory, "curation.labels", opened=True)
        self._editor = editor
        self.correct = QPushButton(f"Correct  {key_of('Curation', 'correct')}", checkable=True)
        self.correct.setToolTip(
            with_key("Paint, erase and fill labels of the base with napari's tools", "Curation", "correct")
        )
        self.correct.clicked.connect(lambda: self._toggle())
        self.hint = QLabel(textFormat=Qt.TextFormat.PlainText)
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(4)
        grid.addWidget(self.correct, 0, 0)
        self.tools: dict[str, QPushButton] = {}
        for number, tool in enumerate(TOOLS, 1):
            title, tip = TITLES[tool]
            button = QPushButton(f"{title}  {key_of('Curation', tool)}", checkable=True)
            button.setToolTip(with_key(tip, "Curation", tool))
            button.clicked.connect(lambda _=False, tool=tool: self._use(tool))
            self.tools[tool] = button
            grid.addWidget(button, number // _COLUMNS, number % _COLUMNS)
        for column in range(_COLUMNS):
            grid.setColumnStretch(column, 1)
        self.body.addLayout(grid)
        grid.addWidget(self.hint, grid.rowCount(), 0, 1, _COLUMNS)
        self.steps: dict[str, QPushButton] = {}
        self._slices = self._make_row("Slices", _SLICE_STEPS)
        for row in (self._make_row("Object", _OBJECT_STEPS), self._slices):
            self.body.addWidget(row)
        self.steps["previous_object"].clicked.connect(lambda: walk.step(-1))
        self.steps["next_object"].clicked.connect(lambda: walk.step(1))
        self.steps["delete_object"].clicked.connect(walk.delete)
        self.steps["unlabelled_slice"].clicked.connect(walk.next_unlabelled_slice)
        self.steps["labelled_slices"].clicked.connect(self.labelled_slices_wanted)
        self.show_stack(False)
        for signal in (editor.began, editor.ended, editor.tool_changed):
            signal.connect(self._show_state)
        self._show_state()

    def show_stack(self, stack: bool) -> None:
        """Offer what only a stack needs."""
        self.tools["interpolate"].setVisible(stack)
        self._slices.setVisible(stack)

    def _make_row(self, title: str, steps: Mapping[str, tuple[str, str]]) -> QWidget:
        row = QWidget()
        layout = QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(QLabel(title))
        for name, (text, tip) in steps.items():
            button = QPushButton(text.format(key_of("Curation", name)))
            button.setToolTip(with_key(tip, "Curation", name))
            self.steps[name] = button
            layout.addWidget(button)
        layout.addStretch(1)
        return row

    def _toggle(self) -> None:
        self._editor.toggle()
        self._show_state()

    def _use(self, tool: Tool) -> None:
        self._editor.use(tool)
        self._show_state()

    def _show_state(self) -> None:
        self.correct.setChecked(self._editor.active)
        for tool, button in self.tools.items():
            button.setChecked(tool == self._editor.tool)
        if self._editor.tool in LINE_TOOLS:
            self.hint.setText("Draw a line on the canvas.")
        elif self._editor.tool:
            self.hint.setText("Click on objects.")
        else:
            self.hint.setText("Use napari's tools at the top left." if self._editor.active else "")
