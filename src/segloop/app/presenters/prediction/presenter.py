"""What the Prediction dock knows and does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from psygnal import Signal

from segloop.app import layers as layer_jobs
from segloop.app.importing import UsableModel, usable_model
from segloop.app.jobs import Job
from segloop.app.presenters.messages import Messages
from segloop.app.presenters.prediction.correcting import CorrectionActions
from segloop.app.presenters.prediction.input_check import InputCheck
from segloop.app.presenters.prediction.model_list import ModelEntry, ModelList, load_entries
from segloop.app.presenters.prediction.predicted_files import PredictedFiles
from segloop.app.presenters.prediction.result import Result, ResultView
from segloop.app.presenters.prediction.result_actions import ResultActions
from segloop.app.presenters.prediction.results import Results
from segloop.app.presenters.prediction.running import BUSY, Activity, Ended, RunningJob
from segloop.app.presenters.prediction.settings import Settings
from segloop.artifacts.job.events import MessageEvent
from segloop.artifacts.job.state import JobState
from segloop.config.predict import PredictConfig
from segloop.core.errors import Cancelled, SegloopError
from segloop.targets import NoParameters, ParameterSet
from segloop.targets.output import PROBABILITY, Output

if TYPE_CHECKING:
    from segloop.app.app import App
    from segloop.app.job_watcher import JobUpdate
    from segloop.app.layers import LayerImage, LayerJob
    from segloop.app.presenters.background import Background, Clock, Memory
    from segloop.app.repeating import Repeater
    from segloop.artifacts.model.model import Model
    from segloop.core.context import Context


class ChosenImage(Protocol):
    """One image to predict, from layers of the viewer."""

    @property
    def image(self) -> LayerImage:
        """What the layers contain."""
        ...


class PredictionPresenter:
    """State and commands of the Prediction dock.

    Parameters
    ----------
    app : App
        Use cases, and the workspace.
    memory : Memory
        Keeps the choices of a workspace.
    background : Background
        Work in the background.
    repeater : Repeater
        Looks at the running job again and again.
    clock : Clock
        Time.
    chosen_images : callable
        Returns the ticked images, given how many inputs the model has.
    make_view : callable
        Returns what will show the result of an image, given the image and the model's name.

    Attributes
    ----------
    messages, settings, models, check, job, results, files, actions, correcting
        The parts of the state, with their own commands.
    device : PredictConfig
        With the chosen device and tile size.
    offered : tuple of Output
        Outputs that the model has.
    ticked : tuple of Output
        Outputs that are wanted.
    thresholds, own_thresholds : ParameterSet
        The chosen ones, and those that came with the model that made what is on screen, or will make it.
    """

    ready_changed = Signal()
    """`can_predict` may have changed."""
    mode_changed = Signal()
    """`is_files` or the files and folders in `settings` have changed."""
    outputs_changed = Signal()
    """`offered` or `ticked` has changed."""
    thresholds_changed = Signal()
    """`thresholds` or `own_thresholds` has changed, other than by `set_thresholds`."""
    models_listed = Signal()
    """All models have been looked for."""

    def __init__(
        self,
        app: App,
        memory: Memory,
        background: Background,
        repeater: Repeater,
        clock: Clock,
        chosen_images: Callable[[int], Sequence[ChosenImage]],
        make_view: Callable[[Any, str], ResultView],
    ) -> None:
        self._app = app
        self._background = background
        self._chosen_images = chosen_images
        self._make_view = make_view
        self._inputs: list[str] = []
        self._when_ready = False
        self._looking = False  # for the model that `use_model` was asked for
        self._wanted = ""  # its path, once that is known
        self.messages = Messages()
        self.settings = Settings(memory)
        self.models = ModelList()
        self.check = InputCheck(background, self.settings)
        self.job = RunningJob(background, repeater)
        self.results = Results(background, clock)
        self.files = PredictedFiles(app, background, self.job, self.settings, self.messages)
        self.actions = ResultActions(background, self.job, self.results, self.settings, self.messages)
        self.correcting = CorrectionActions(app, self.job, self.results, self.messages)
        self.device = PredictConfig()
        self.offered: tuple[Output, ...] = ()
        self.ticked: tuple[Output, ...] = ()
        self.thresholds: ParameterSet = NoParameters()
        self.own_thresholds: ParameterSet = NoParameters()
        self._thresholds_of = ""  # hash of the model that they are for
        self._connect()

    def _connect(self) -> None:
        self._app.models_changed.connect(self._on_models_changed)
        self.models.chosen_changed.connect(self._on_model)
        self.check.changed.connect(self.ready_changed)
        self.check.changed.connect(self._on_check)
        self.check.failed.connect(self.messages.error)
        self.job.changed.connect(self.ready_changed)
        self.job.updated.connect(self._on_update)
        self.job.ended.connect(self._on_ended)
        self.job.failed.connect(self._on_failed)
        self.results.failed.connect(self.messages.error)
        self.results.thresholds_read.connect(self._on_thresholds_read)
        self.results.painted.connect(self._on_painted)
        self.results.changed.connect(self._on_results)

    # State.

    @property
    def is_files(self) -> bool:
        """Whether files are predicted, rather than layers."""
        return self.settings.is_files

    @property
    def can_predict(self) -> bool:
        """Whether `predict` would start."""
        chosen = not self._looking and self.check.fits(self.models.chosen)
        return not self.job.busy and chosen and bool(self.ticked)

    @property
    def save_folder(self) -> str:
        """Where the dialog for saving begins."""
        return self.settings.save_folder or str(self._app.workspace.predictions_dir)

    # Choices.

    def open_workspace(self) -> None:
        """Take over the choices remembered for the app's workspace, which may be another one now."""
        self.device = self.settings.device
        self._looking, self._wanted = False, ""
        self.mode_changed.emit()
        self.models.set_entries((), "")
        self._list_models(self.settings.model)
        scratch = self._app.workspace.scratch_dir
        self._background.run(layer_jobs.clean_scratch, scratch, lane="clean", on_error=_ignore)
        self.files.follow_earlier()

    def use_model(self, path: str) -> None:
        """Add a model from elsewhere to the list, and choose it; a package of the zoo is imported first."""
        self._looking, self._wanted = True, ""
        self.ready_changed.emit()
        self._background.run(
            usable_model,
            path,
            lane="import",
            on_result=self._on_usable,
            on_error=self._on_not_usable,
            on_progress=lambda progress: self.messages.info(progress.message),
        )

    def set_mode(self, is_files: bool) -> None:
        """Choose between files and layers."""
        self.settings.is_files = is_files
        self._offer_outputs()
        self.mode_changed.emit()

    def set_inputs(self, inputs: Sequence[str], text: str, out: str) -> None:
        """Choose files.

        Parameters
        ----------
        inputs : sequence of str
            Files, folders and patterns.
        text : str
            How the user wrote them.
        out : str
            Folder for the outputs; empty for a new one in the workspace.
        """
        self._inputs = list(inputs)
        self.settings.inputs, self.settings.out = text, out

    def check_images(self) -> None:
        """Find out whether the model fits what is chosen."""
        self.check.check(self.models.chosen, self._sources())

    def tick(self, kinds: Sequence[Output]) -> None:
        """Choose outputs."""
        self.ticked = tuple(kinds)
        self.settings.remember_outputs(self.is_files, self.ticked)
        if not self.is_files:
            self.results.set_kinds(self.ticked)
        self.ready_changed.emit()

    def set_thresholds(self, thresholds: ParameterSet) -> None:
        """Choose thresholds; results on screen follow."""
        self.thresholds = thresholds
        self.results.set_thresholds(thresholds)

    # Predicting.

    def predict(self) -> None:
        """Apply the model to what is chosen."""
        self._when_ready = False
        self.messages.clear()
        entry = self.models.chosen
        if entry is None or entry.model is None:
            self.messages.error("No model is chosen: choose one at the top.")
        elif self.job.busy:
            self.messages.error(BUSY)
        elif not self.ticked:
            self.messages.error("No output is ticked: tick at least one under Output.")
        elif not self._sources():
            self.messages.error("Nothing is chosen: tick a layer, or choose files or a folder.")
        else:
            if entry.model.sha256 != self._thresholds_of:
                self._take_thresholds(entry.model)
            config = self._config()
            self.settings.remember_thresholds(entry.model, self.thresholds)
            self.settings.remember_device(config)
            try:
                (self._start_files if self.is_files else self._start_layers)(entry, config)
            except (SegloopError, OSError) as error:
                self.messages.error(error)

    def predict_when_ready(self) -> None:
        """Apply the model to what was just chosen, as soon as the check has found that it fits."""
        self._when_ready = True

    def cancel(self) -> None:
        """Stop what runs; what is finished is kept."""
        self.job.cancel()

    def save(self, folder: Path) -> None:
        """Save all results, as they are shown, into a folder."""
        self.actions.save(folder, self.ticked, self.thresholds)

    def correct(self) -> None:
        """Make samples of all results on screen, to be corrected in the Curation dock."""
        self.correcting.correct_results(self.thresholds)

    def rethreshold(self, *, otsu: bool) -> None:
        """Decode the kept probabilities of all listed files again, with Otsu's or the chosen thresholds."""
        self.files.rethreshold(self.thresholds, otsu=otsu)

    def close(self) -> None:
        """Leave layers to the user; a prediction of files goes on, one of layers is stopped."""
        self._app.models_changed.disconnect(self._on_models_changed, missing_ok=True)
        self.job.close()
        self.results.close()

    # Models.

    def _list_models(self, wanted: str) -> None:
        self._background.run(
            _load_models,
            self._app,
            self.settings.extra_models,
            lane="models",
            on_result=partial(self._on_listed, wanted),
            on_error=self._on_not_usable,
        )

    def _on_models_changed(self) -> None:
        if self._looking and not self._wanted:
            return  # they are listed as soon as it can be used
        entry = self.models.chosen
        self._list_models(self._wanted or (entry.path if entry is not None else self.settings.model))

    def _on_usable(self, usable: UsableModel) -> None:
        if usable.message:
            self.messages.info(usable.message)
        else:
            self.settings.add_model(usable.path)
        self._wanted = usable.path if self._looking else ""
        self._list_models(usable.path)

    def _on_not_usable(self, error: Exception) -> None:
        self._looking, self._wanted = False, ""
        self.ready_changed.emit()
        self.messages.error(error)

    def _on_listed(self, wanted: str, entries: list[ModelEntry]) -> None:
        self.models.set_entries(entries, wanted)
        if self._looking and wanted == self._wanted:
            self._looking, self._wanted = False, ""
            self.ready_changed.emit()
        self.models_listed.emit()
        problem = next((each.problem for each in entries if each.path == wanted and each.problem), "")
        if problem:
            self.messages.error(problem)

    def _on_model(self) -> None:
        entry = self.models.chosen
        if entry is None:
            return
        self.settings.model = entry.path
        if entry.model is not None:
            # What is on screen keeps its thresholds, which may mean nothing to this model.
            if not self.results.finished():
                self._take_thresholds(entry.model)
            self._offer_outputs()
            self.results.set_kinds(self.ticked)
        self.check_images()

    def _on_results(self) -> None:
        model = self.models.model
        if model is not None and not self.results.finished() and model.sha256 != self._thresholds_of:
            self._take_thresholds(model)

    def _take_thresholds(self, model: Model) -> None:
        """Choose the thresholds used last with a model, or else its own."""
        self._thresholds_of = model.sha256
        self.own_thresholds = model.parameters
        self.thresholds = self.settings.thresholds(model) or self.own_thresholds
        self.thresholds_changed.emit()

    def _on_check(self) -> None:
        if self._when_ready and self.can_predict:
            self.predict()
        elif self.check.result.n_images:  # it does not fit, or something else is running
            self._when_ready = False

    def _offer_outputs(self) -> None:
        model = self.models.model
        if model is None:
            return
        self.offered = tuple(model.target().outputs)
        wanted = self.settings.outputs(self.is_files)
        if not any(kind.name in wanted for kind in self.offered):
            wanted = [self.offered[0].name] + ([PROBABILITY.name] if self.is_files else [])
        self.ticked = tuple(kind for kind in self.offered if kind.name in wanted)
        self.outputs_changed.emit()
        self.ready_changed.emit()

    # The job.

    def _sources(self) -> Sequence[LayerImage | str]:
        if self.is_files:
            return self._inputs
        return [each.image for each in self._chosen_images(self.models.n_inputs)]

    def _config(self) -> PredictConfig:
        own = self.own_thresholds.values()
        chosen = {name: value for name, value in self.thresholds.values().items() if own.get(name) != value}
        return replace(
            self.check.apply(self.device), outputs=[kind.name for kind in self.ticked], threshold=chosen
        )

    def _start_files(self, entry: ModelEntry, config: PredictConfig) -> None:
        out, folder = self.files.begin(self.settings.out, self._inputs[0])
        start = partial(
            layer_jobs.start_files, self._app.helper, entry.path, self._inputs, config, out, folder
        )
        self.job.run(Activity.files, "Starting", start, then=lambda job: job)

    def _start_layers(self, entry: ModelEntry, config: PredictConfig) -> None:
        # The thresholds act on the probability, so it is always asked for.
        ticked = [kind for kind in self.ticked if kind != PROBABILITY] or [self.offered[0]]
        config = replace(config, outputs=[kind.name for kind in (*ticked, PROBABILITY)])
        chosen = list(self._chosen_images(self.models.n_inputs))
        start = partial(self._app.predict_layers, entry.path, [each.image for each in chosen], config)
        then = partial(self._on_layers_started, chosen, entry.name, self.thresholds)
        self.job.run(Activity.layers, "Starting", start, then=then)

    def _on_layers_started(
        self, chosen: Sequence[ChosenImage], model: str, thresholds: ParameterSet, started: LayerJob
    ) -> Job:
        results = []
        for each, path in zip(chosen, started.inputs, strict=True):
            view = self._make_view(each, model)
            record = started.folder / "output" / f"{Path(path).name.removesuffix('.ome.zarr')}.json"
            results.append(Result(view, path, record, started.folder, each.image.source))
        self.results.start(results, thresholds)
        return started.job

    def _on_update(self, update: JobUpdate) -> None:
        if self.job.activity is Activity.files:
            self.files.list.on_events(update.events)
        else:
            self.results.on_events(update.events)

    def _on_failed(self, error: Exception) -> None:
        if isinstance(error, Cancelled):
            self.messages.info("Cancelled.")
        else:
            self.messages.error(error)

    def _on_ended(self, ended: Ended) -> None:
        is_files, update = ended.activity is Activity.files, ended.update
        errors = [event.text for event in update.events_of(MessageEvent) if event.level == "error"]
        if is_files:
            self.files.refresh()
        else:
            self.results.drop_unfinished()
        if not ended.seen:
            return
        if ended.cancelled:
            self.messages.info(f"Cancelled{'; what was finished is kept' if is_files else ''}.")
        elif update.state is JobState.lost:
            self.messages.error(_lost(update.failure, is_files), "Predict again", self.predict)
        elif update.state is JobState.failed:
            self.messages.error(update.failure or "The prediction failed: try again.")
        elif errors and not is_files:
            self.messages.error(errors[-1])
        # The process may be gone; another one should be ready when it is needed.
        self.warm_up()

    def warm_up(self) -> None:
        """Start the prediction process, so that it is ready when it is needed."""
        self._background.run(_warm_up, self._app, lane="warm up", on_error=self.messages.error)

    # Results and files, once there.

    def _on_thresholds_read(self, thresholds: ParameterSet) -> None:
        self.thresholds = thresholds
        if type(thresholds) is not type(self.own_thresholds):
            self.own_thresholds, self._thresholds_of = thresholds, ""
        self.thresholds_changed.emit()

    def _on_painted(self, name: str) -> None:
        self.messages.info(
            f"You painted on {name}, so Segloop no longer changes it: moving a threshold creates a new "
            "layer. "
            "Save yours with File > Save Selected Layers.",
        )


def _warm_up(app: App, context: Context) -> None:
    context.check()
    app.helper.warm_up()


def _load_models(app: App, extra: Sequence[str], context: Context) -> list[ModelEntry]:
    return load_entries(app.models(), extra, context)


def _lost(failure: str, is_files: bool) -> str:
    _, _, last = failure.partition("Its last message: ")
    kept = "; what was finished is kept" if is_files else ""
    return (
        f"The prediction process ended unexpectedly{kept}. "
        + (f"Its last message: {last} " if last else "")
        + "If this happens again, choose a smaller tile size."
    )


def _ignore(error: Exception) -> None:
    """Ignore an error of work that the user did not ask for."""
