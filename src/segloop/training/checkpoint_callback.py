"""Validates in the course of a training, records its epochs, and keeps what is worth keeping."""

from __future__ import annotations

import logging
import math
from dataclasses import asdict
from typing import Any, Protocol

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback

from segloop.artifacts.job.job import EventLog
from segloop.artifacts.run.run import Run
from segloop.core.atomic import atomic_path
from segloop.core.context import Progress
from segloop.core.errors import Cancelled, RunError
from segloop.training.best_validation import BestValidation
from segloop.training.module import SegmentationModule
from segloop.training.progress_callback import ProgressCallback
from segloop.training.schedule import Schedule
from segloop.training.validation import Scores

_VALIDATION_SHARE = 0.15  # of the time, at most, as long as there is more than one validation
_SAVING_SHARE = 0.05  # of the time, at most, for checkpoints to continue from
_MOST_LEFT_OUT = 0.5  # share of the steps of an epoch

logger = logging.getLogger("segloop.training")


class Validator(Protocol):
    """Scores the averaged network, and makes a model of it."""

    def validate(self, module: SegmentationModule) -> Scores | None:
        """Return scores on the validation images, None without any; `Cancelled` on a stop request."""
        ...

    def save_model(self, module: SegmentationModule, epoch: int, scores: Scores | None) -> None:
        """Replace the run's model."""
        ...


class CheckpointCallback(Callback):
    """Validates, records each epoch, saves the best model and checkpoints to continue from.

    Parameters
    ----------
    run : Run
        Where to save.
    log : EventLog
        Receives metrics and messages.
    progress : ProgressCallback
        Knows the losses of the epoch, and ends the training.
    schedule : Schedule
        The limits and the clock.
    validator : Validator
        Scores and saves the model.
    validate_every : int
        Epochs between two validations in a repeatable training; in others, the time that they take decides.
    """

    def __init__(
        self,
        run: Run,
        log: EventLog,
        progress: ProgressCallback,
        schedule: Schedule,
        validator: Validator,
        validate_every: int = 1,
    ) -> None:
        self._run = run
        self._log = log
        self._progress = progress
        self._schedule = schedule
        self._validator = validator
        self._validate_every = validate_every
        self._best = BestValidation()
        self._validated_at = -math.inf
        self._validation_seconds = 0.0
        self._saved_at = -math.inf
        self._saving_seconds = 0.0

    @property
    def best_epoch(self) -> int:
        """Epoch of the best validation, counted from 1; 0 before there is one."""
        return self._best.epoch

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Bring back a model that was lost: its run may have been killed just while replacing it."""
        assert isinstance(module, SegmentationModule)
        if trainer.current_epoch > 0 and not self._run.model_dir.is_dir():
            self._validator.save_model(module, trainer.current_epoch, None)

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Validate if it is time to, record the epoch, save."""
        assert isinstance(module, SegmentationModule)
        epoch = trainer.current_epoch + 1
        row = {"train_loss": self._progress.mean_loss, "learning_rate": module.learning_rate}
        self._check_left_out(epoch)
        last = trainer.should_stop or epoch == trainer.max_epochs
        patience = self._schedule.limits.patience
        # Patience never ends a training by an epoch that was not validated.
        due = last or self._validation_is_due(epoch) or self._best.is_final(epoch, patience)
        if due and not self._progress.stopped:
            row.update(self._validate(trainer, module, epoch))
        self._record(trainer, module, epoch, row)
        if not last and not self._progress.stopped and self._best.is_final(epoch, patience):
            self._log.message(f"Stopped early: no better validation since epoch {self._best.epoch}.")
            self._progress.end(trainer, "patience")
        if last or trainer.should_stop or self._is_due(self._saved_at, self._saving_seconds, _SAVING_SHARE):
            self._save_last(trainer)
        step = int(trainer.global_step)
        fraction, left = self._schedule.fraction(step), self._schedule.seconds_left(step)
        self._log.progress(Progress(fraction, 1.0, f"Epoch {epoch}", left))

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Make sure that there is a model, however early the training was stopped."""
        assert isinstance(module, SegmentationModule)
        if not self._run.model_dir.is_dir():
            self._validator.save_model(module, trainer.current_epoch, None)

    def state_dict(self) -> dict[str, Any]:
        """Return what is known of the best validation."""
        return asdict(self._best)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with the best validation so far."""
        self._best = BestValidation(**state_dict)

    def _check_left_out(self, epoch: int) -> None:
        left_out = self._progress.left_out
        if left_out > _MOST_LEFT_OUT:
            raise RunError(
                f"The training diverged in epoch {epoch} (its loss is not a finite number any more): "
                "start again with a lower optimiser.learning_rate."
            )
        if left_out:
            text = f"Left out {left_out:.1%} of the steps of epoch {epoch}: loss or gradient was not finite."
            logger.warning(text)
            self._log.message(text, "warning")

    def _validation_is_due(self, epoch: int) -> bool:
        if self._schedule.repeatable:
            return epoch % self._validate_every == 0
        return self._is_due(self._validated_at, self._validation_seconds, _VALIDATION_SHARE)

    def _validate(self, trainer: pl.Trainer, module: SegmentationModule, epoch: int) -> dict[str, float]:
        started = self._schedule.clock()
        try:
            scores = self._validator.validate(module)
        except Cancelled:
            self._progress.end(trainer, "stop")
            return {}
        if scores is None:
            self._validator.save_model(module, epoch, None)
        else:
            self._best = self._best.next(scores, epoch)
            if self._best.epoch == epoch:
                self._validator.save_model(module, epoch, scores)
                self._save(trainer, self._run.best_checkpoint.name)
        self._validated_at = self._schedule.clock()
        self._validation_seconds = self._validated_at - started
        # The last validation belongs to the time allowed, unless little else would be left.
        self._progress.reserve = min(self._validation_seconds, 0.2 * self._schedule.seconds)
        return {} if scores is None else scores.values()

    def _record(
        self, trainer: pl.Trainer, module: SegmentationModule, epoch: int, row: dict[str, float]
    ) -> None:
        counts = {"epoch": epoch, "step": int(trainer.global_step)}
        self._run.append_metrics({**counts, "seconds": self._schedule.elapsed, **row})
        self._log.metrics(epoch, row)  # last, so that an epoch that docks show is in the table
        module.log_dict(row)  # for loggers and callbacks that the caller has passed

    def _save_last(self, trainer: pl.Trainer) -> None:
        started = self._schedule.clock()
        self._save(trainer, self._run.last_checkpoint.name)
        self._saved_at = self._schedule.clock()
        self._saving_seconds = self._saved_at - started

    def _save(self, trainer: pl.Trainer, name: str) -> None:
        with atomic_path(self._run.checkpoints_dir / name) as partial:
            trainer.save_checkpoint(partial)

    def _is_due(self, last: float, seconds: float, share: float) -> bool:
        """Return whether what took some seconds, done at ``last``, keeps within its share of the time."""
        return self._schedule.clock() - last >= seconds * (1 / share - 1)
