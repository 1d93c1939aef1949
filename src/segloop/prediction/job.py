"""Prediction jobs: one model applied to many files, with states and events in the job's folder."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segloop.artifacts.job.job import EventLog
from segloop.artifacts.job.state import JobState
from segloop.artifacts.job.task import PredictTask, RethresholdTask
from segloop.artifacts.model.model import Model
from segloop.config.predict import PredictConfig
from segloop.core.context import Context
from segloop.core.errors import Cancelled, ImageError, JobError, SegloopError
from segloop.core.file_errors import writing
from segloop.core.wording import counted
from segloop.images.read import open_image, scene_names
from segloop.prediction.inputs import Item, check_names, plan_items, scene_stem
from segloop.prediction.predict import predict_image
from segloop.prediction.progress import part_of
from segloop.prediction.rethreshold import rethreshold_folder
from segloop.targets.output import Output

if TYPE_CHECKING:
    from segloop.config.device import DeviceConfig
    from segloop.inference.engine import Engine

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Summary:
    """Result of a job.

    Attributes
    ----------
    n_done : int
        Number of predictions, one per scene.
    problems : tuple of str
        One sentence for each input that failed.
    n_kept : int
        How many of them were there already: by the same model, with the same settings.
    """

    n_done: int
    problems: tuple[str, ...]
    n_kept: int = 0


class ModelCache:
    """Keeps the last model loaded, with its engine, so that the next prediction with it starts at once."""

    def __init__(self) -> None:
        self._key: Any = None
        self._engine: Engine | None = None

    def get(self, name: str, device: DeviceConfig) -> tuple[Model, Engine, str]:
        """Return a model, its engine on a device, and the reason for that device.

        Raises
        ------
        ModelError
            If the model is missing or damaged.
        ConfigError
            If the device does not exist.
        """
        model = Model.load(name)
        # Only now, so that a wrong name is reported before torch is loaded.
        from segloop.inference.device import resolve_device
        from segloop.inference.engine import Engine

        resolved = resolve_device(device)
        key = (model.card.model_dump_json(), resolved.device, resolved.mixed)
        if self._engine is None or key != self._key:
            self._engine, self._key = None, None
            self._engine = Engine(model.network(), model.target(), resolved.device, resolved.mixed)
            self._key = key
        self._engine.forget_limits()
        return model, self._engine, resolved.reason


def predict_files(task: PredictTask, log: EventLog, cache: ModelCache | None = None) -> Summary:
    """Predict all files of a task; those that can't be predicted are reported, and the others are done.

    States, progress with the time left, messages and outputs go into the job's folder; between two tiles, a
    stop request there is looked for.

    Parameters
    ----------
    task : PredictTask
        What to predict, with what, into which folder.
    log : EventLog
        Of the job's folder.
    cache : ModelCache, optional
        Where the model may be loaded already.

    Raises
    ------
    SegloopError
        If nothing can be predicted at all: no such model, a bad config, an output folder that can't be
        written, outputs that would overwrite each other. The job's state is then ``failed``.
    Cancelled
        If the job was asked to stop. Its state is then ``stopped``; finished predictions are kept.
    """
    return report_states(log, "The prediction", lambda: _predict_all(task, log, cache or ModelCache()))


def rethreshold_predictions(task: RethresholdTask, log: EventLog) -> Summary:
    """Decode the kept probabilities of a folder with other thresholds; those that can't be are reported.

    Parameters
    ----------
    task : RethresholdTask
        Which predictions, and which thresholds.
    log : EventLog
        Of the job's folder.

    Raises
    ------
    SegloopError
        If there is nothing to decode. The job's state is then ``failed``.
    Cancelled
        If the job was asked to stop. Its state is then ``stopped``; what was decoded by then is kept.
    """

    def decode() -> Summary:
        done = rethreshold_folder(task.predictions, task.thresholds, log.context(), otsu=task.otsu)
        for problem in done.problems:
            log.message(problem, "error")
        return Summary(done.n_done, done.problems)

    return report_states(log, "The change of thresholds", decode)


def report_states(log: EventLog, subject: str, work: Callable[[], Summary]) -> Summary:
    """Do the work of a job, and write its states.

    Parameters
    ----------
    log : EventLog
        Of the job's folder.
    subject : str
        What an unexpected error is said of, such as ``"The prediction"``.
    work : callable
        Does it.

    Raises
    ------
    SegloopError
        If the work fails. The job's state is then ``failed``.
    Cancelled
        If the job was asked to stop. Its state is then ``stopped``.
    """
    log.state(JobState.running)
    try:
        summary = work()
    except Cancelled:
        log.state(JobState.stopped)
        raise
    except Exception as error:
        sentence = _sentence(error, subject)
        log.message(sentence, "error")
        log.state(JobState.failed, error=sentence)
        if isinstance(error, SegloopError):
            raise
        raise JobError(sentence) from error
    except BaseException:
        log.state(JobState.stopped)
        raise
    failed = summary.n_done == 0 and summary.problems
    log.state(
        JobState.failed if failed else JobState.finished,
        error=summary.problems[0] if failed else "",
        n_done=summary.n_done,
        n_problems=len(summary.problems),
    )
    return summary


def _predict_all(task: PredictTask, log: EventLog, cache: ModelCache) -> Summary:
    config = task.settings()
    out = Path(task.out)
    items, problems = plan_items(task.inputs, out)
    check_names(items, out, config)
    _check_writable(out)
    for problem in problems:
        log.message(problem, "error")
    if not items:
        return Summary(0, tuple(problems))
    context = log.context()
    context.progress(0, 1, "Loading the model")
    model, engine, reason = cache.get(task.model, config.device)
    model.parameters.override(config.threshold)  # a wrong name or value fails the job, not every image
    log.message(reason)
    batch = _Batch(task, config, out, log, model, engine, problems, set(), set())
    for number, item in enumerate(items):
        batch.predict_file(item, part_of(context, number, len(items)))
    context.progress(len(items), len(items), "Done")
    n_done, n_kept = len(batch.taken), len(batch.kept)
    if n_kept:
        log.message(
            f"{n_kept} of {counted(n_done, 'prediction')} {'was' if n_kept == 1 else 'were'} there already, "
            "made by this model with these settings. To predict again, delete them or set again=true."
        )
    return Summary(n_done, tuple(problems), n_kept)


@dataclass(frozen=True)
class _Batch:
    """What the files of a job share.

    ``problems``, ``taken`` (names of predictions) and ``kept`` (those that were there already) grow.
    """

    task: PredictTask
    config: PredictConfig
    out: Path
    log: EventLog
    model: Model
    engine: Engine
    problems: list[str]
    taken: set[str]
    kept: set[str]

    def predict_file(self, item: Item, context: Context) -> None:
        """Predict the scenes of a file."""
        scenes: list[int] = []

        def find_scenes() -> None:
            names = scene_names(item.path)
            wanted = self.task.scene
            if wanted is None:
                scenes.extend(range(len(names)))
            else:
                chosen = open_image(item.path, wanted)
                scenes.append(wanted if isinstance(wanted, int) else list(names).index(chosen.scene))

        self._attempt(item, find_scenes)
        for number, scene in enumerate(scenes):
            part = part_of(context, number, len(scenes))
            self._attempt(item, partial(self._predict_scene, item, scene, part))

    def _predict_scene(self, item: Item, scene: int, context: Context) -> None:
        image = open_image(item.path, scene, axes=self.config.axes)
        for note in image.notes:
            self.log.message(f"`{item.path}`: {note}")
        stem = scene_stem(item.stem, scene, image.scenes)
        if stem.casefold() in self.taken:
            raise JobError(
                f"`{item.path}` would be written to `{stem}` like another input: rename one of them."
            )
        result = predict_image(
            self.model,
            self.engine,
            image,
            self.config,
            self.out,
            stem,
            context,
            on_output=partial(self._announce, item),
            on_message=self.log.message,
        )
        self.taken.add(stem.casefold())
        if result.kept:
            self.kept.add(stem.casefold())

    def _announce(self, item: Item, path: Path, kind: Output, growing: bool) -> None:
        self.log.output(path, input=str(item.path), output_kind=kind.name, partial=growing)

    def _attempt(self, item: Item, action: Callable[[], None]) -> None:
        try:
            action()
        except Cancelled:
            raise
        except Exception as error:
            problem = _sentence(error, f"`{item.path}`")
            self.problems.append(problem)
            self.log.message(problem, "error")


def _sentence(error: Exception, subject: str) -> str:
    """Return what happened in one sentence; an unexpected error is also logged in full."""
    if isinstance(error, SegloopError):
        return str(error)
    logger.error("%s failed", subject, exc_info=error)
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return (
            f"{subject} needs more memory than is free: choose a smaller tile size or close other programs."
        )
    reason = next(iter(str(error).strip().splitlines()), "no reason given")
    return f"{subject} failed ({type(error).__name__}: {reason})."


def _check_writable(out: Path) -> None:
    with writing(out, ImageError):
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
