"""The Curation dock as a whole: which datasets there are, which one is reviewed, and what the dock shows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from psygnal import Signal

from segloop.app.app import REVIEWED_DATASET, App
from segloop.app.presenters.background import Background, Clock, Memory
from segloop.app.presenters.curation.activity import Activity
from segloop.app.presenters.curation.dataset_creation import DatasetCreation
from segloop.app.presenters.curation.dataset_export import DatasetExport
from segloop.app.presenters.curation.dataset_quality import DatasetQuality
from segloop.app.presenters.curation.review import ReviewPresenter
from segloop.app.presenters.messages import Messages
from segloop.app.workspace import Workspace
from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.relocation import Relocation
from segloop.core.context import Context
from segloop.core.paths import is_folder
from segloop.core.wording import counted
from segloop.curation.session import ReviewSession

Stage = Literal["looking", "empty", "creating", "reviewing"]

_ANNOUNCE_S = 0.3


class CurationPresenter:
    """State and commands of the dock.

    Parameters
    ----------
    app : App
        The workspace, and the signals between docks.
    background : Background
        Work in the background.
    clock : Clock
        For what waits a moment.
    memory : Memory
        Choices of the workspace.
    current_slice : callable
        Returns the slice on screen, counted from 0.

    Attributes
    ----------
    messages : Messages
    activity : Activity
        Looking for datasets, or opening one.
    creation : DatasetCreation
    review : ReviewPresenter
    export : DatasetExport
        Writes the dataset for other tools.
    quality : DatasetQuality
        Looks for what may be wrong in the dataset.
    datasets : tuple of Path
        The datasets of the workspace.
    stage : {"looking", "empty", "creating", "reviewing"}
        What the dock shows: nothing yet, that there is no dataset, the form for a new one, or the review.
    """

    stage_changed = Signal(str)
    """Another stage."""

    datasets_changed = Signal()
    """Other datasets are in the workspace, or another one is reviewed."""

    def __init__(
        self, app: App, background: Background, clock: Clock, memory: Memory, current_slice: Callable[[], int]
    ) -> None:
        self._app = app
        self._background = background
        self._memory = memory
        self.messages = Messages()
        self.activity = Activity()
        self.creation = DatasetCreation(app, background, self.messages)
        self.review = ReviewPresenter(background, clock, memory, self.messages, current_slice)
        self.export = DatasetExport(lambda: self.current_dataset, background, self.activity, self.messages)
        self.quality = DatasetQuality(lambda: self.current_dataset, background, self.activity, self.messages)
        self.review.session_changed.connect(self.quality.forget)
        self.datasets: tuple[Path, ...] = ()
        self.stage: Stage = "looking"
        self._to_correct: tuple[str, tuple[str, ...]] = ("", ())
        # Other docks are not notified of each key press of a quick review.
        self._announcement = clock.timer(_ANNOUNCE_S, app.datasets_changed.emit)
        self.creation.created.connect(self._on_created)
        self.creation.added.connect(self._on_added)
        self.review.edited.connect(self._announcement.start)

    @property
    def current_dataset(self) -> Path | None:
        """Folder of the dataset that is reviewed."""
        return self.review.dataset_path

    def open_workspace(self, workspace: Workspace) -> None:
        """List the datasets of a workspace and open the one reviewed last."""
        self._background.drop("datasets")
        self.review.close()
        self.datasets = ()
        self.datasets_changed.emit()
        self._set_stage("looking")
        self.activity.start("Looking for datasets")
        self._background.run(
            _find, workspace, lane="open", on_result=self._on_found, on_error=self._on_not_opened
        )

    def open_dataset(self, path: Path) -> None:
        """Open a dataset for review."""
        self.messages.clear()
        self.activity.start("Opening the dataset")
        self._background.run(
            _open,
            path,
            lane="open",
            on_result=self._on_opened,
            on_error=self._on_not_opened,
            on_progress=self.activity.progressed.emit,
        )

    def correct(self, dataset: Path, sample_id: str, notes: tuple[str, ...] = ()) -> None:
        """Open a dataset at a sample and begin to correct its labels.

        Parameters
        ----------
        dataset : Path
            Its folder.
        sample_id : str
            The sample; the next ones follow as the user steps on.
        notes : tuple of str
            What to say about it.
        """
        self._to_correct = sample_id, notes
        self._app.datasets_changed.emit()
        self.open_dataset(dataset)

    def relocate(self, folder: Path) -> None:
        """Find files of the dataset that are missing below a folder, and open the dataset again."""
        dataset = self.current_dataset
        if dataset is None:
            return
        self.messages.clear()
        self.activity.start("Looking for the files")
        self._background.run(
            _relocate,
            dataset,
            folder,
            lane="relocate",
            on_result=self._on_relocated,
            on_error=self._on_not_relocated,
        )

    def _on_relocated(self, moved: Relocation) -> None:
        self.activity.end()
        missing = counted(len(moved.missing), "file")
        if moved.found and self.current_dataset is not None:
            found = counted(len(moved.found), "file")
            said = f"{found} found: what was in {moved.old} is in {moved.new} now."
            self.open_dataset(self.current_dataset)
            if moved.missing:
                self.messages.warning(f"{said} {missing} still missing, such as {moved.missing[0]}.")
            else:
                self.messages.info(said)
        else:
            self.messages.error(
                f"None of the {missing} that are missing was found there: choose another folder."
            )

    def _on_not_relocated(self, error: Exception) -> None:
        self.activity.end()
        self.messages.error(error)

    def begin_creation(self) -> None:
        """Show the form for a new dataset."""
        self.creation.add_to(None)
        self._set_stage("creating")

    def begin_addition(self) -> None:
        """Show the form for more samples of the dataset that is reviewed."""
        self.creation.add_to(self.current_dataset)
        self._set_stage("creating")

    def leave_creation(self) -> None:
        """Go back without new samples."""
        self._set_stage("empty" if self.review.session is None else "reviewing")

    def _on_found(self, found: tuple[Path, ...]) -> None:
        if found:
            self.open_dataset(found[0])
        else:
            self.activity.end()
            self._set_stage("empty")

    def _on_opened(self, session: ReviewSession) -> None:
        self.activity.end()
        path = session.dataset.path
        self._memory.remember(REVIEWED_DATASET, _relative(path, self._app.workspace.path))
        self.review.open(session)
        self._list_datasets()
        self._set_stage("reviewing")
        wanted, notes = self._to_correct
        self._to_correct = "", ()
        if wanted in session.samples:
            session.jump(wanted)
            self.review.editor.begin_soon()
        self.messages.problems((*notes, *session.problems))
        self._app.dataset_chosen.emit(path)

    def _on_not_opened(self, error: Exception) -> None:
        self.activity.end()
        self.messages.error(error)
        self._list_datasets()
        if self.review.session is None:
            self._set_stage("empty")

    def _on_created(self, path: Path, problems: tuple[str, ...]) -> None:
        self.open_dataset(path)
        self.messages.problems(problems)

    def _on_added(self, path: Path, problems: tuple[str, ...]) -> None:
        said = self.messages.last
        self.open_dataset(path)
        if problems:
            self.messages.problems(problems)
        elif said is not None:
            self.messages.show(said)

    def _list_datasets(self) -> None:
        self._background.run(_list, self._app.workspace, lane="datasets", on_result=self._on_listed)

    def _on_listed(self, datasets: list[Path]) -> None:
        self.datasets = tuple(datasets)
        self.datasets_changed.emit()

    def _set_stage(self, stage: Stage) -> None:
        if stage != self.stage:
            self.stage = stage
            self.stage_changed.emit(stage)


def _list(workspace: Workspace, context: Context) -> list[Path]:
    return list(workspace.datasets())


def _find(workspace: Workspace, context: Context) -> tuple[Path, ...]:
    """Return the dataset to open: the one reviewed last, else the newest; nothing if there is none."""
    last = workspace.recall(REVIEWED_DATASET, "")
    if last and is_folder(workspace.path / last):
        return (workspace.path / last,)
    return tuple(workspace.datasets()[:1])


def _relocate(path: Path, folder: Path, context: Context) -> Relocation:
    return CuratedDataset.open(path).relocate(folder)


def _open(path: Path, context: Context) -> ReviewSession:
    return ReviewSession(CuratedDataset.open(path), context)


def _relative(path: Path, base: Path) -> str:
    return path.relative_to(base).as_posix() if path.is_relative_to(base) else str(path)
