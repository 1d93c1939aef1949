"""What the three docks of a viewer share: the workspace, the jobs, and signals between docks."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from psygnal import Signal

from segloop.app.helper import PredictionHelper
from segloop.app.jobs import Job, resume_training, start_training
from segloop.app.workspace import Workspace
from segloop.config.train import StopConfig, TrainConfig
from segloop.core.errors import JobError
from segloop.core.paths import is_folder

if TYPE_CHECKING:
    from segloop.app.layers import LayerImage, LayerJob
    from segloop.config.predict import PredictConfig
    from segloop.core.context import Context

REVIEWED_DATASET = "curation.dataset"
"""Key of a choice of the workspace: the dataset reviewed last, relative to the workspace's folder."""


class App:
    """The state that docks share, without Qt. Signals are emitted on the thread that makes the change.

    Parameters
    ----------
    workspace : Workspace
        The workspace to start with.
    """

    workspace_changed = Signal(Workspace)
    datasets_changed = Signal()
    """A curated dataset was created, or its verdicts or regions changed."""
    dataset_chosen = Signal(Path)
    """A curated dataset was opened in the Curation dock."""
    models_changed = Signal()
    """A run has a new model, or a model was imported."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._helper: PredictionHelper | None = None
        self._trainings: dict[Path, Job] = {}
        self._layers_job: Job | None = None

    @property
    def workspace(self) -> Workspace:
        """The present workspace."""
        return self._workspace

    @property
    def dataset(self) -> Path | None:
        """The curated dataset of this workspace that was reviewed last; None without any."""
        last = self._workspace.recall(REVIEWED_DATASET, "")
        folder = self._workspace.path / last
        return folder if last and is_folder(folder) else None

    def open_workspace(self, path: str | Path) -> None:
        """Change to another workspace; running jobs go on."""
        self._workspace = Workspace(path)
        self._workspace.remember_as_last()
        self.workspace_changed.emit(self._workspace)

    @property
    def helper(self) -> PredictionHelper:
        """The process that predicts; created when it is first needed."""
        if self._helper is None:
            self._helper = PredictionHelper(self._workspace)
        return self._helper

    def predict_layers(
        self, model: str, images: Sequence[LayerImage], config: PredictConfig, context: Context | None = None
    ) -> LayerJob:
        """Have the helper predict layers, until `close`; see `segloop.app.layers.start`."""
        from segloop.app import layers

        folder = layers.new_scratch(self._workspace.scratch_dir)
        # The job is known from the beginning, because napari may be closed while the layers are written.
        self._layers_job = Job(folder)
        return layers.start(self.helper, model, images, config, folder, context)

    def start_training(self, config: TrainConfig, name: str) -> Job:
        """Start a training in a new run of this workspace, named like ``name``."""
        run = self._workspace.new_folder(self._workspace.runs_dir, name)
        self._trainings[run] = start_training(config, run, self._workspace)
        return self._trainings[run]

    def resume_training(self, run: Path, stop: StopConfig | None = None) -> Job:
        """Continue a run of this workspace; ``stop`` gives it new limits."""
        self._trainings[run] = resume_training(run, self._workspace, stop)
        return self._trainings[run]

    def training(self, run: Path) -> Job:
        """Return the job of a run: the one started here, or one found again by its folder."""
        return self._trainings.setdefault(run, Job(run))

    def models(self) -> dict[str, Path]:
        """Return what can predict, by the name to show: this workspace's runs, then installed models."""
        from segloop.artifacts.model.model import installed_models

        runs = [run for run in self._workspace.runs() if (run / "model" / "model.json").is_file()]
        found = {f"run {run.name}": run for run in runs}
        return found | {model.path.name: model.path for model in installed_models()}

    def close(self) -> None:
        """Stop a prediction of layers, which nobody will see, and end the helper after its last files.

        Trainings and predictions of files go on.
        """
        if self._layers_job is not None:
            with suppress(JobError):  # where nothing can be written, no result can be either
                self._layers_job.stop()
        if self._helper is not None:
            self._helper.close()
