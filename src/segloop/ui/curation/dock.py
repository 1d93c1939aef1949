"""The Curation dock: binds its widgets and layers to the presenter."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from segloop.app.presenters.curation.curation import CurationPresenter
from segloop.app.presenters.curation.drawing import Kind, SliceChoice
from segloop.app.presenters.curation.label_editor import TOOLS
from segloop.curation.snapshot import Snapshot
from segloop.ui.clock import QtClock
from segloop.ui.curation.activity_row import ActivityRow
from segloop.ui.curation.creation_panel import CreationPanel
from segloop.ui.curation.dataset_row import DatasetRow
from segloop.ui.curation.label_panel import TITLES
from segloop.ui.curation.review_panel import ReviewPanel
from segloop.ui.curation.view import SampleView
from segloop.ui.shortcuts import key_of
from segloop.ui.viewer_app import viewer_app_for
from segloop.ui.widgets.folder_dialog import ask_for_folder
from segloop.ui.widgets.page import Page

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from segloop.app.workspace import Workspace

_N_BASE_KEYS = 6


class CurationDock(Page):
    """Step through samples, decide on them, draw regions; everything is saved as it is done."""

    def __init__(self, napari_viewer: Viewer) -> None:
        shared = viewer_app_for(napari_viewer)
        super().__init__(shared, "Curation")
        self.presenter = CurationPresenter(
            shared.app, self.workers, QtClock(self), shared, lambda: self.view.z
        )
        self.review = self.presenter.review
        self._make_widgets()
        self.view = SampleView(
            shared.viewer,
            self.review.regions,
            self.review.editor,
            self.canvas_keys(),
            _key_hint(),
            _label_hint(),
            self._on_tool,
        )
        self._connect_presenter()
        self._connect_widgets()
        self.on_workspace(shared.app.workspace)

    # Commands of buttons, keys and the command palette. A shape that is being drawn is finished first.

    def accept(self) -> None:
        """Accept the sample and show the next undecided one."""
        self.view.finish()
        self.review.accept()

    def reject(self) -> None:
        """Reject the sample and show the next undecided one."""
        self.view.finish()
        self.review.reject()

    def show_next(self) -> None:
        """Show the next sample of the list."""
        self.view.finish()
        self.review.show_next()

    def show_previous(self) -> None:
        """Show the previous sample of the list."""
        self.view.finish()
        self.review.show_previous()

    def jump(self, sample_id: str) -> None:
        """Show a sample."""
        self.view.finish()
        self.review.jump(sample_id)

    def draw(self, kind: Kind) -> None:
        """Start drawing regions of a kind, or put the tool away if it is in use."""
        sample = self.review.sample
        if kind in self.view.drawing_kinds:
            self.view.stop()
        elif sample is not None and self.review.can_draw(kind):
            self.review.editor.end()
            self.review.regions.begin()
            self.view.draw(sample, kind, self.review.options.shape)
            self.viewer_app.canvas_message.show(
                f"Drawing {kind} regions, {key_of('Curation', kind)} stops drawing"
            )
        else:
            self._on_tool()

    def undo(self) -> None:
        """Take back the last step: the shape being drawn, or else the last change of any sample."""
        self.review.undo(self.view.finish)

    def redo(self) -> None:
        """Redo what was undone."""
        self.view.finish()
        self.review.redo()

    def open_dataset(self, path: Path) -> None:
        """Open a dataset for review."""
        self.presenter.open_dataset(path)

    def correct(self, dataset: Path, sample_id: str, notes: tuple[str, ...] = ()) -> None:
        """Open a dataset at a sample and begin to correct its labels; see `CurationPresenter.correct`."""
        self.view.finish()
        self.presenter.correct(dataset, sample_id, notes)

    # Page

    def on_workspace(self, workspace: Workspace) -> None:
        """List the datasets of the workspace and open the one reviewed last."""
        self.view.finish()
        self.presenter.open_workspace(workspace)

    def on_close(self) -> None:
        """Take the dock's layers out of the viewer."""
        self.creation.disconnect_viewer()
        self.view.finish()
        self.view.close()

    # Binding

    def _make_widgets(self) -> None:
        self.datasets = DatasetRow()
        self.progress = ActivityRow(self.presenter.activity)
        self.creation = CreationPanel(self.presenter.creation, self.viewer_app)
        self.panel = ReviewPanel(self.review, self.presenter.quality, self.viewer_app)
        for widget in (self.datasets, self.progress, self.creation):
            self.column.addWidget(widget)
        self.column.addWidget(self.panel, 1)
        self.footer.addWidget(self.panel.steps)

    def _connect_presenter(self) -> None:
        presenter, review = self.presenter, self.review
        presenter.stage_changed.connect(self._on_stage)
        presenter.datasets_changed.connect(self._on_datasets)
        presenter.messages.changed.connect(self.message.show_message)
        presenter.messages.acted.connect(self._on_acted)
        review.shown.connect(self._on_shown)
        review.truth_shown.connect(self.view.layers.show_truth)
        review.sample_changed.connect(self._on_sample_changed)
        review.cleared.connect(self.view.remove)
        review.training_wanted.connect(self._open_training)
        review.relocation_wanted.connect(self._ask_where_files_are)
        review.options.shape_changed.connect(self._on_shape)
        review.walk.place_wanted.connect(self.view.labels.go_to)
        review.walk.slice_wanted.connect(self.view.labels.show_slice)

    def _connect_widgets(self) -> None:
        presenter, review, panel = self.presenter, self.review, self.panel
        self.datasets.chosen.connect(presenter.open_dataset)
        self.datasets.new_requested.connect(presenter.begin_creation)
        self.datasets.more_requested.connect(presenter.begin_addition)
        self.datasets.export_requested.connect(presenter.export.export)
        self.creation.opened.connect(presenter.begin_creation)
        self.creation.closed.connect(presenter.leave_creation)
        panel.accept.clicked.connect(self.accept)
        panel.reject.clicked.connect(self.reject)
        panel.next.clicked.connect(self.show_next)
        panel.back.clicked.connect(self.show_previous)
        panel.undo.clicked.connect(self.undo)
        panel.redo.clicked.connect(self.redo)
        panel.sample_chosen.connect(self.jump)
        panel.labels.labelled_slices_wanted.connect(review.use_labelled_slices)
        panel.slices_chosen.connect(self._on_slices)
        panel.shown.chosen.connect(self.view.layers.set_visible)
        self.view.layers.shown_changed.connect(panel.shown.set_shown)
        for kind, row in panel.region_rows.items():
            row.draw_requested.connect(partial(self.draw, kind))
            row.select_requested.connect(self.view.regions[kind].select)
            row.remove_requested.connect(lambda region_id: review.regions.remove_regions([region_id]))
            row.cut_requested.connect(review.regions.set_cut)
            row.source_requested.connect(review.regions.set_source)
            row.copy_requested.connect(partial(review.regions.copy, kind))
        self.bind_commands(
            {
                "accept": self.accept,
                "reject": self.reject,
                "next": self.show_next,
                "back": self.show_previous,
                "exclude": partial(self.draw, "exclude"),
                "merge": partial(self.draw, "merge"),
                **{
                    f"base_{number}": partial(review.set_base_number, number)
                    for number in range(1, _N_BASE_KEYS + 1)
                },
                "correct": review.editor.toggle,
                **{tool: partial(review.editor.use, tool) for tool in TOOLS},
                "next_object": partial(review.walk.step, 1),
                "previous_object": partial(review.walk.step, -1),
                "delete_object": review.walk.delete,
                "unlabelled_slice": review.walk.next_unlabelled_slice,
                "labelled_slices": review.use_labelled_slices,
                "undo": self.undo,
                "redo": self.redo,
            }
        )

    def _on_stage(self, stage: str) -> None:
        self.panel.setVisible(stage == "reviewing")
        self.panel.steps.setVisible(stage == "reviewing")
        self.creation.show_stage(stage)

    def _on_datasets(self) -> None:
        for each in (self.datasets, self.creation):
            each.show_datasets(self.presenter.datasets, self.presenter.current_dataset)

    def _on_acted(self, text: str, undoable: bool) -> None:
        hint = f", {key_of('Curation', 'undo')} undoes it" if undoable else ""
        self.viewer_app.canvas_message.show(text + hint)

    def _on_shown(self, snapshot: Snapshot) -> None:
        self.view.show(snapshot)
        self.panel.show_slices(snapshot.pixels.n_slices)

    def _on_sample_changed(self) -> None:
        sample, snapshot = self.review.sample, self.review.snapshot
        if sample is not None and snapshot is not None and snapshot.sample.id == sample.id:
            self.view.show_regions(sample)

    def _on_tool(self) -> None:
        kinds = self.view.drawing_kinds
        if not kinds:
            self.review.regions.begin()
        self.panel.show_drawing(kinds)

    def _on_shape(self, _: str) -> None:
        """Change the tool that is in use."""
        sample = self.review.sample
        for kind in self.view.drawing_kinds:
            if sample is not None:
                self.view.draw(sample, kind, self.review.options.shape)

    def _on_slices(self, choice: SliceChoice) -> None:
        self.review.set_slices(choice, self.view.selected_ids)

    def _ask_where_files_are(self) -> None:
        title = "The folder that the images were moved to"
        ask_for_folder(self, title, "Look here", self.presenter.relocate)

    def _open_training(self) -> None:
        self.viewer_app.dock("Training")


def _key_hint() -> str:
    """Return the main keys and what they do, in a line."""
    names = ("accept", "reject", "next", "back", "exclude", "merge")
    keys = [f"<{key_of('Curation', name)}> {name}" for name in names]
    return ", ".join([*keys, f"<{key_of('Curation', 'base_1')}>, <{key_of('Curation', 'base_2')}>... base"])


def _label_hint() -> str:
    """Return the main keys while labels are corrected, in a line."""
    names = ("delete", "join", "cut", "fill", "smooth")
    keys = [f"<{key_of('Curation', name)}> {TITLES[name][0].lower()}" for name in names]
    return ", ".join([*keys, "<M> new number", f"<{key_of('Curation', 'correct')}> stops correcting"])
