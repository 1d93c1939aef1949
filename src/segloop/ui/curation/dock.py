"""The Curation dock: wires the review session, the panels and the layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.manifest import Split
from segloop.core.context import Context
from segloop.core.errors import DatasetError
from segloop.curation.session import ReviewSession
from segloop.curation.snapshot import PixelCache, Snapshot, load_snapshot
from segloop.ui.curation.dataset_row import DatasetRow
from segloop.ui.curation.making import DatasetMaker
from segloop.ui.curation.region_editor import RegionEditor
from segloop.ui.curation.region_layer import Kind
from segloop.ui.curation.review_panel import ReviewPanel
from segloop.ui.curation.view import SampleView
from segloop.ui.viewer_app import viewer_app_for
from segloop.ui.widgets.page import Page
from segloop.ui.widgets.progress import ProgressRow

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from segloop.app.workspace import Workspace

_NEWS_DELAY_MS = 300
_AHEAD_DELAY_MS = 100


class CurationDock(Page):
    """Step through samples, decide on them, draw regions; everything is saved as it is done."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(viewer_app_for(napari_viewer), "Curation")
        self.review: ReviewSession | None = None
        self._cache = PixelCache()
        self._shown: Snapshot | None = None
        self._unreadable = ""
        self._make_widgets()
        self.editor = RegionEditor(
            self.attempt, lambda: self._ready() is not None, self._slices, self._merge_source
        )
        self.view = SampleView(self.viewer_app.viewer, self.editor, self.canvas_keys(), self._on_mode)
        self.view.layers.shown_changed.connect(self._on_shown_in_napari)
        self._connect()
        # Other docks needn't hear of each key press of a quick review.
        self._news = QTimer(self, singleShot=True, interval=_NEWS_DELAY_MS)
        self._news.timeout.connect(self._tell)
        # What comes next is read when the sample at hand is on screen.
        self._ahead = QTimer(self, singleShot=True, interval=_AHEAD_DELAY_MS)
        self._ahead.timeout.connect(self._prefetch)
        self.on_workspace(self.viewer_app.app.workspace)

    # What the user can do, by button, key and command alike.

    def accept(self) -> None:
        """Accept the sample and show the next undecided one."""
        self._decide("accept")

    def reject(self) -> None:
        """Reject the sample and show the next undecided one."""
        self._decide("reject")

    def show_next(self) -> None:
        """Show the next sample that passes the filter."""
        if self.review is not None:
            self.view.finish()
            if not self.review.next():
                self.message.show_info(f"{self.review.current.id} is the last one{self._of_filter()}.")

    def show_previous(self) -> None:
        """Show the sample before that passes the filter."""
        if self.review is not None:
            self.view.finish()
            if not self.review.previous():
                self.message.show_info(f"{self.review.current.id} is the first one{self._of_filter()}.")

    def set_base(self, name: str) -> None:
        """Choose the segmentation that the ground truth starts from."""
        if self.review is not None and not self.attempt(partial(self.review.set_base, name)):
            self.panel.show_sample(self.review.current)

    def set_base_number(self, number: int) -> None:
        """Choose the first (1), second (2), ... segmentation as the base."""
        if self.review is None:
            return
        names = self.review.current.segmentation_names
        if number <= len(names):
            self.set_base(names[number - 1])
        else:
            has = f"{len(names)} segmentation{'s' if len(names) > 1 else ''}"
            self.message.show_info(f"{self.review.current.id} has {has}: {', '.join(names)}.")

    def set_split(self, split: Split) -> None:
        """Choose what the sample, and with it its whole group, is used for."""
        moved: list[int] = []
        self._edit(lambda: moved.append(self.review.set_split(split)))
        if moved and moved[0] > 1:
            self.message.show_info(
                f"{moved[0]} samples were moved to {split}: samples of one group share their split."
            )

    def draw(self, kind: Kind) -> None:
        """Start drawing regions of a kind, or put the tool away if it is out."""
        if self._ready() is None:
            self._on_mode()
        elif kind in self.view.drawing_kinds:
            self.view.stop()
        elif kind == "merge" and not self.attempt(self.review.merge_sources):
            self._on_mode()
        else:
            self.view.draw(self.review.current, kind, self.panel.shape_kind())

    def undo(self) -> None:
        """Take back the last step: the shape in hand, or else the last change of whichever sample."""
        if self.review is None:
            return
        regions = self.review.current.regions
        if self.view.finish() and self.review.current.regions == regions:
            return
        if self.attempt(self._undo):
            self.message.clear()

    def redo(self) -> None:
        """Make again what was undone."""
        if self.review is not None:
            self.view.finish()
            self.attempt(self._redo)

    def open_dataset(self, path: Path) -> None:
        """Open a dataset for review, on a worker thread."""
        self.message.clear()
        self.progress.start("Opening the dataset", cancellable=False)
        self.workers.run(
            _open,
            path,
            lane="open",
            on_result=self._on_opened,
            on_error=self._on_not_opened,
            on_progress=self.progress.set_progress,
        )

    # Page

    def on_workspace(self, workspace: Workspace) -> None:
        """List the datasets of the workspace and open the one reviewed last."""
        self.workers.drop("datasets")
        self._close_review()
        self.datasets.show_datasets((), None)
        self.panel.hide()
        self.maker.hide()
        self.progress.start("Looking for datasets", cancellable=False)
        self.workers.run(
            _find, workspace, lane="open", on_result=self._on_found, on_error=self._on_not_opened
        )

    def on_close(self) -> None:
        """Take the own layers out of the viewer."""
        self.maker.disconnect_viewer()
        self.view.finish()
        self.view.close()

    # Wiring

    def _make_widgets(self) -> None:
        self.datasets = DatasetRow()
        self.progress = ProgressRow()
        self.maker = DatasetMaker(self)
        self.panel = ReviewPanel(self.viewer_app)
        self.column.addWidget(self.datasets)
        self.column.addWidget(self.progress)
        self.column.addWidget(self.maker)
        self.column.addWidget(self.panel, 1)

    def _connect(self) -> None:
        self.datasets.chosen.connect(self.open_dataset)
        self.datasets.new_requested.connect(self._on_new)
        self.maker.made.connect(self._on_made)
        self.maker.closed.connect(self._on_maker_closed)
        panel = self.panel
        panel.accept.clicked.connect(self.accept)
        panel.reject.clicked.connect(self.reject)
        panel.next.clicked.connect(self.show_next)
        panel.back.clicked.connect(self.show_previous)
        panel.undo.clicked.connect(self.undo)
        panel.redo.clicked.connect(self.redo)
        panel.sample_chosen.connect(self._on_sample_chosen)
        panel.filter_chosen.connect(lambda wanted: self.review is not None and self.review.set_filter(wanted))
        panel.base_chosen.connect(self.set_base)
        panel.shown_chosen.connect(self.view.layers.set_visible)
        panel.slices_chosen.connect(self._on_slices_chosen)
        panel.split_chosen.connect(self.set_split)
        panel.note_written.connect(lambda note: self._edit(lambda: self.review.set_note(note)))
        for kind, row in (("exclude", panel.exclude), ("merge", panel.merge)):
            row.draw_requested.connect(partial(self.draw, kind))
            row.select_requested.connect(self.view.regions[kind].select)
            row.remove_requested.connect(lambda region_id: self.editor.remove_regions([region_id]))
            row.cut_requested.connect(self.editor.set_cut)
            row.source_requested.connect(self.editor.set_source)
        self.bind_commands(
            {
                "accept": self.accept,
                "reject": self.reject,
                "next": self.show_next,
                "back": self.show_previous,
                "exclude": partial(self.draw, "exclude"),
                "merge": partial(self.draw, "merge"),
                **{f"base_{number}": partial(self.set_base_number, number) for number in range(1, 7)},
                "undo": self.undo,
                "redo": self.redo,
            }
        )

    def _ready(self) -> Snapshot | None:
        """Return what is on screen if it is the sample at hand; else say that it is still being read."""
        if self.review is None:
            return None
        if self._shown is None or self._shown.sample.id != self.review.current.id:
            if self.review.current.id != self._unreadable:
                self.message.show_info(f"{self.review.current.id} is still being read.")
            return None
        return self._shown

    def _slices(self) -> tuple[int | None, int | None]:
        stack = self._shown is not None and self._shown.pixels.n_slices > 1
        return self.panel.slice_range(self.view.z) if stack else (None, None)

    def _merge_source(self) -> str:
        return self.panel.merge.source.currentText()

    def _decide(self, action: str) -> None:
        if self.review is None:
            return
        unreadable = self.review.current.id == self._unreadable
        if not (unreadable and action == "reject") and self._ready() is None:
            return
        self.view.finish()
        more: list[bool] = []
        if self.attempt(lambda: more.append(getattr(self.review, action)())) and not more[0]:
            counts = self.review.counts()
            self.message.show_info(
                f"All {counts.total} samples are reviewed: "
                f"{counts.accepted} accepted, {counts.rejected} rejected.",
                "Train on them",
                lambda: self.viewer_app.dock("Training"),
            )

    def _edit(self, action: Callable[[], None]) -> None:
        if self.review is not None and not self.attempt(action):
            self.panel.show_sample(self.review.current)

    def _undo(self) -> None:
        if self.review.undo() is None:
            raise DatasetError("There is nothing to undo.")

    def _redo(self) -> None:
        if self.review.redo() is None:
            raise DatasetError("There is nothing to redo.")

    def _on_found(self, found: tuple[Path, ...]) -> None:
        if found:
            self.open_dataset(found[0])
        else:
            self.progress.finish()
            self._show_maker()

    def _on_opened(self, review: ReviewSession) -> None:
        self.progress.finish()
        self._close_review()
        self.review = self.editor.review = review
        review.moved.connect(self._on_moved)
        review.edited.connect(self._on_edited)
        review.filtered.connect(self._on_filtered)
        app = self.viewer_app.app
        self.viewer_app.remember("curation.dataset", _relative(review.dataset.path, app.workspace.path))
        self._list_datasets()
        self.maker.hide()
        self.panel.show()
        self.panel.show_session(review)
        self.panel.show_sample(review.current)
        self._load()
        self._warn(review.problems)
        app.dataset_chosen.emit(review.dataset.path)

    def _on_not_opened(self, error: Exception) -> None:
        self.progress.finish()
        self.message.show_error(error)
        self._list_datasets()
        if self.review is None:
            self._show_maker()

    def _on_moved(self, sample_id: str) -> None:
        self.message.clear()
        self._unreadable = ""
        self.panel.list.set_current(sample_id)
        self.panel.show_sample(self.review.current)
        self._load()

    def _on_edited(self, sample_id: str) -> None:
        self._news.start()
        self.panel.show_counts(self.review)
        if self.review.filter.value == "all":
            self.panel.list.refresh(sample_id)
        else:
            self._on_filtered()
        if sample_id != self.review.current.id:
            return
        self.panel.show_sample(self.review.current)
        if self._shown is not None and self._shown.sample.id == sample_id:
            self.view.show_regions(self.review.current)
            self._load()

    def _on_filtered(self) -> None:
        self.panel.list.set_samples(self.review.samples, self.review.visible_ids())
        self.panel.list.set_current(self.review.current.id)

    def _load(self) -> None:
        self._ahead.stop()
        review = self.review
        self.workers.run(
            load_snapshot,
            review.dataset,
            review.current,
            self._cache,
            self._shown,
            lane="load",
            on_result=self._on_loaded,
            on_error=self._on_not_loaded,
        )

    def _on_loaded(self, snapshot: Snapshot) -> None:
        if self.review is None or snapshot.sample.id != self.review.current.id:
            return
        if self._shown is not None and self._shown.sample.id == snapshot.sample.id:
            self.view.layers.show_truth(snapshot)
        else:
            self.view.show(snapshot)
            self.panel.show_slices(snapshot.pixels.n_slices)
            self._ahead.start()
        self._shown = snapshot

    def _on_not_loaded(self, error: Exception) -> None:
        self._unreadable = self.review.current.id
        self._shown = None
        self.view.remove()
        self.message.show_error(error, "Reject it", self.reject)

    def _prefetch(self) -> None:
        following = self.review.following_id()
        if following is not None:
            sample = self.review.samples[following]
            self.workers.run(
                load_snapshot, self.review.dataset, sample, self._cache, lane="prefetch", on_error=_ignore
            )

    def _on_mode(self) -> None:
        self.panel.show_drawing(self.view.drawing_kinds)

    def _on_sample_chosen(self, sample_id: str) -> None:
        self.view.finish()
        self.review.jump(sample_id)

    def _on_shown_in_napari(self, group: str, on: bool) -> None:
        self.panel.shown.set_shown(group, on)

    def _on_slices_chosen(self) -> None:
        """Apply the slices to the selected regions; those drawn from now on get them anyway."""
        if self._shown is not None and not self.view.drawing_kinds:
            self.editor.set_slices(self.view.selected_ids)

    def _list_datasets(self) -> None:
        self.workers.run(_list, self.viewer_app.app.workspace, lane="datasets", on_result=self._on_listed)

    def _on_listed(self, datasets: Sequence[Path]) -> None:
        current = self.review.dataset.path if self.review is not None else None
        self.datasets.show_datasets(datasets, current)

    def _on_new(self) -> None:
        self.panel.hide()
        self.maker.show()
        self.maker.show_folders()

    def _on_made(self, path: Path, problems: Sequence[str]) -> None:
        self.viewer_app.app.datasets_changed.emit()
        if not path.is_relative_to(self.viewer_app.app.workspace.path):
            self.message.show_info(f"The dataset {path} was made in the workspace that was open before.")
            return
        self.open_dataset(path)
        self._warn(problems)

    def _warn(self, problems: Sequence[str]) -> None:
        if problems:
            more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
            self.message.show_warning(f"{problems[0]}{more}")
            self.message.setToolTip("\n".join(problems[:40]))

    def _on_maker_closed(self) -> None:
        if self.review is None:
            self._show_maker()
        else:
            self.maker.hide()
            self.panel.show()

    def _show_maker(self) -> None:
        self.panel.hide()
        self.maker.show()
        self.maker.show_empty()

    def _close_review(self) -> None:
        if self.review is not None:
            self.view.finish()
            self.review.moved.disconnect()
            self.review.edited.disconnect()
            self.review.filtered.disconnect()
        self.review = self.editor.review = None
        self._shown = None
        self._unreadable = ""
        self._ahead.stop()
        self.workers.drop("load")
        self.workers.drop("prefetch")
        self.view.remove()

    def _of_filter(self) -> str:
        name = self.review.filter.value
        return "" if name == "all" else f" of the {name} ones"

    def _tell(self) -> None:
        self.viewer_app.app.datasets_changed.emit()


def _list(workspace: Workspace, context: Context) -> list[Path]:
    return workspace.datasets()


def _find(workspace: Workspace, context: Context) -> tuple[Path, ...]:
    """Return the dataset to open: the one reviewed last, else the newest; nothing if there is none."""
    last = workspace.recall("curation.dataset", "")
    if last and (workspace.path / last).is_dir():
        return (workspace.path / last,)
    return tuple(workspace.datasets()[:1])


def _open(path: Path, context: Context) -> ReviewSession:
    return ReviewSession(CuratedDataset.open(path), context)


def _relative(path: Path, base: Path) -> str:
    return path.relative_to(base).as_posix() if path.is_relative_to(base) else str(path)


def _ignore(error: Any) -> None:
    """Leave it to the moment the sample is shown to say what is wrong with it."""
