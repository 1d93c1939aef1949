"""What happens around the steps of a training: limits, learning rate, progress, validation, saving."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, Protocol

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from segloop.artifacts.job.job import EventLog
from segloop.artifacts.run.run import Run
from segloop.core.atomic import atomic_path
from segloop.core.context import Progress
from segloop.core.errors import Cancelled, RunError
from segloop.training.budget import Budget, learning_rate_factor
from segloop.training.module import SegmentationModule
from segloop.training.patches import PatchLoader
from segloop.training.validation import Scores

_VALIDATION_SHARE = 0.15  # of the time, at most, as long as there is more than one validation
_LEAST_VALIDATIONS = 3  # since the best, before patience ends a training
_SAVING_SHARE = 0.05  # of the time, at most, for checkpoints to continue from

_MOST_LEFT_OUT = 0.5  # share of the steps of an epoch

logger = logging.getLogger("segloop.training")

EndedBy = Literal["time", "epochs", "patience", "stop"]
"""What ended a training."""


class Pace(Callback):
    """Keeps to the limits: sets the learning rate, tells the time left, ends the training.

    Parameters
    ----------
    budget : Budget
        The clock and the limits.
    log : EventLog
        Receives progress, tells of a stop request.
    loader : PatchLoader
        Told the epoch.
    learning_rate : float
        Its largest value.
    """

    def __init__(self, budget: Budget, log: EventLog, loader: PatchLoader, learning_rate: float) -> None:
        self._budget = budget
        self._loader = loader
        self._log = log
        self._learning_rate = learning_rate
        self._losses: list[Tensor] = []
        self.ended_by: EndedBy = "epochs"
        """What ends the training: their number, unless something else does before."""
        self.reserve = 0.0
        """Seconds to keep for the last validation."""

    @property
    def stopped(self) -> bool:
        """Whether it ends by request."""
        return self.ended_by == "stop"

    def end(self, trainer: pl.Trainer, by: EndedBy) -> None:
        """End the training after this step, or this epoch if it is over."""
        if not trainer.should_stop or by == "stop":
            self.ended_by = by
        trainer.should_stop = True

    def epochs(self, trainer: pl.Trainer) -> float:
        """Return the finished epochs, with a fraction for the one under way."""
        batches = max(1, int(trainer.num_training_batches))
        return trainer.current_epoch + len(self._losses) / batches

    @property
    def mean_loss(self) -> float:
        """Mean training loss of the epoch under way, without the steps that were left out."""
        return float(torch.stack(self._losses).nanmean()) if self._losses else math.nan

    @property
    def left_out(self) -> float:
        """Share of the steps of the epoch under way that were left out."""
        return float(torch.stack(self._losses).isnan().float().mean()) if self._losses else 0.0

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Forget the losses of the last epoch, and have the epoch's own patches drawn."""
        self._losses.clear()
        self._loader.epoch = trainer.current_epoch

    def on_train_batch_start(
        self, trainer: pl.Trainer, module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Set the learning rate of the step."""
        rate = self._learning_rate * learning_rate_factor(self._budget.fraction(self.epochs(trainer)))
        for optimizer in trainer.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Note the loss, tell the progress, end the training where a limit is reached."""
        assert isinstance(module, SegmentationModule)
        loss = outputs["loss"].detach()
        self._losses.append(torch.full_like(loss, math.nan) if module.left_out else loss)
        epochs = self.epochs(trainer)
        if self._log.stop_requested():
            self.end(trainer, "stop")
        elif self._budget.time_is_up(self.reserve):
            self.end(trainer, "time")
        left = self._budget.seconds_left(epochs)
        self._log.progress(Progress(self._budget.fraction(epochs), 1.0, f"Epoch {int(epochs) + 1}", left))

    def state_dict(self) -> dict[str, Any]:
        """Return the seconds trained."""
        return {"elapsed": self._budget.elapsed}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on counting from the seconds trained before."""
        self._budget.spent += float(state_dict["elapsed"])


class Judge(Protocol):
    """Scores the averaged network, and makes a model of it."""

    def validate(self, module: SegmentationModule) -> Scores | None:
        """Return scores on the validation images, None without any; `Cancelled` on a stop request."""
        ...

    def save_model(self, module: SegmentationModule, epoch: int, scores: Scores | None) -> None:
        """Replace the run's model."""
        ...


@dataclass(frozen=True)
class Best:
    """The best validation so far.

    Attributes
    ----------
    score : float
        Highest score so far, whatever its loss.
    loss : float
        Validation loss of the model that is kept.
    epoch : int
        Epoch of the model that is kept, from 1; 0 before there is one.
    since : int
        Number of validations since that epoch's.
    """

    score: float = -math.inf
    loss: float = math.inf
    epoch: int = 0
    since: int = 0

    def next(self, scores: Scores, epoch: int) -> Best:
        """Return what is best after another validation.

        A clearly higher score wins. Scores that a few objects more or less explain are as good as equal:
        among those the lowest loss wins, which measures the same thing with far less noise.
        """
        top = max(self.score, scores.score)
        clearly_better = scores.score > self.score + scores.uncertainty
        as_good = scores.score >= top - scores.uncertainty
        if self.epoch == 0 or clearly_better or (as_good and scores.loss < self.loss):
            return Best(top, scores.loss, epoch)
        return replace(self, score=top, since=self.since + 1)

    def is_final(self, epoch: int, patience: int) -> bool:
        """Return whether patience is used up after ``epoch``; never where ``patience`` is 0.

        Validations are spaced out where they are dear, so that epochs alone don't tell: most of them may not
        have been validated.
        """
        waited = self.epoch > 0 and epoch - self.epoch >= patience > 0
        return waited and self.since >= _LEAST_VALIDATIONS


class Keeper(Callback):
    """Validates, records, and keeps what is worth keeping.

    Parameters
    ----------
    run : Run
        Where to.
    log : EventLog
        Receives metrics and messages.
    pace : Pace
        Knows the loss and the time.
    budget : Budget
        The clock.
    judge : Judge
        Scores and saves.
    """

    def __init__(self, run: Run, log: EventLog, pace: Pace, budget: Budget, judge: Judge) -> None:
        self._run = run
        self._log = log
        self._pace = pace
        self._budget = budget
        self._judge = judge
        self._best = Best()
        self._validated_at = -math.inf
        self._cost = 0.0
        self._saved_at = -math.inf
        self._save_cost = 0.0

    @property
    def best_epoch(self) -> int:
        """Epoch of the best validation, counted from 1; 0 before there is one."""
        return self._best.epoch

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Bring back a model that was lost: its run may have been killed just while replacing it."""
        assert isinstance(module, SegmentationModule)
        if trainer.current_epoch > 0 and not self._run.model_dir.is_dir():
            self._judge.save_model(module, trainer.current_epoch, None)

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Validate if it is time to, record the epoch, save."""
        assert isinstance(module, SegmentationModule)
        epoch = trainer.current_epoch + 1
        row: dict[str, float] = {
            "train_loss": self._pace.mean_loss,
            "learning_rate": float(trainer.optimizers[0].param_groups[0]["lr"]),
        }
        left_out = self._pace.left_out
        if left_out > _MOST_LEFT_OUT:
            raise RunError(
                f"The training diverged in epoch {epoch} (its loss is no number any more): "
                "start again with a lower optimiser.learning_rate."
            )
        if left_out:
            text = f"Left out {left_out:.1%} of the steps of epoch {epoch}: loss or gradient was no number."
            logger.warning(text)
            self._log.message(text, "warning")
        last = trainer.should_stop or epoch == trainer.max_epochs
        patience = self._budget.limits.patience
        due = _is_due(self._validated_at, self._cost, _VALIDATION_SHARE)
        # Patience never ends a training by an epoch that was not validated.
        if not self._pace.stopped and (last or due or self._best.is_final(epoch, patience)):
            row.update(self._validate(trainer, module, epoch))
        self._log.metrics(epoch, row)
        counts = {"epoch": epoch, "step": int(trainer.global_step)}
        self._run.append_metrics({**counts, "seconds": self._budget.elapsed, **row})
        if not last and not self._pace.stopped and self._best.is_final(epoch, patience):
            self._log.message(f"Stopped early: no better validation since epoch {self._best.epoch}.")
            self._pace.end(trainer, "patience")
        if last or trainer.should_stop or _is_due(self._saved_at, self._save_cost, _SAVING_SHARE):
            self._checkpoint(trainer)
        self._log.progress(
            Progress(self._budget.fraction(epoch), 1.0, f"Epoch {epoch}", self._budget.seconds_left(epoch))
        )

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Make sure that there is a model, however early the training was stopped."""
        assert isinstance(module, SegmentationModule)
        if not self._run.model_dir.is_dir():
            self._judge.save_model(module, trainer.current_epoch, None)

    def state_dict(self) -> dict[str, Any]:
        """Return what is known of the best validation."""
        return asdict(self._best)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with the best validation so far."""
        self._best = Best(**state_dict)

    def _validate(self, trainer: pl.Trainer, module: SegmentationModule, epoch: int) -> dict[str, float]:
        started = time.monotonic()
        try:
            scores = self._judge.validate(module)
        except Cancelled:
            self._pace.end(trainer, "stop")
            return {}
        if scores is None:
            self._judge.save_model(module, epoch, None)
        else:
            self._best = self._best.next(scores, epoch)
            if self._best.epoch == epoch:
                self._judge.save_model(module, epoch, scores)
                self._save(trainer, self._run.best_checkpoint.name)
        self._validated_at = time.monotonic()
        self._cost = self._validated_at - started
        # The last validation belongs to the time allowed, unless little else would be left.
        self._pace.reserve = min(self._cost, 0.2 * self._budget.seconds)
        return {} if scores is None else scores.values()

    def _checkpoint(self, trainer: pl.Trainer) -> None:
        started = time.monotonic()
        self._save(trainer, self._run.last_checkpoint.name)
        self._saved_at = time.monotonic()
        self._save_cost = self._saved_at - started

    def _save(self, trainer: pl.Trainer, name: str) -> None:
        with atomic_path(self._run.checkpoints_dir / name) as partial:
            trainer.save_checkpoint(partial)


def _is_due(last: float, cost: float, share: float) -> bool:
    """Return whether what took ``cost`` seconds, done at ``last``, keeps within its share of the time."""
    return time.monotonic() - last >= cost * (1 / share - 1)
