"""Reports the progress of a training, and ends it where a limit is reached."""

from __future__ import annotations

import math
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from segloop.artifacts.job.job import EventLog
from segloop.core.context import Progress
from segloop.training.limits import EndedBy
from segloop.training.module import SegmentationModule
from segloop.training.schedule import Schedule


class ProgressCallback(Callback):
    """Reports progress and time left, collects the losses of an epoch, ends the training at a limit.

    Parameters
    ----------
    schedule : Schedule
        The limits and the clock.
    log : EventLog
        Receives progress; knows of a stop request.
    """

    def __init__(self, schedule: Schedule, log: EventLog) -> None:
        self._schedule = schedule
        self._log = log
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

    @property
    def mean_loss(self) -> float:
        """Mean training loss of the current epoch, without the steps that were left out."""
        return float(torch.stack(self._losses).nanmean()) if self._losses else math.nan

    @property
    def left_out(self) -> float:
        """Share of the steps of the current epoch that were left out."""
        return float(torch.stack(self._losses).isnan().float().mean()) if self._losses else 0.0

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Forget the losses of the last epoch."""
        self._losses.clear()

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Note the loss, report the progress, end the training where a limit is reached."""
        assert isinstance(module, SegmentationModule)
        loss = outputs["loss"].detach()
        self._losses.append(torch.full_like(loss, math.nan) if module.left_out else loss)
        step = int(trainer.global_step)
        if self._log.stop_requested():
            self.end(trainer, "stop")
        elif self._schedule.steps_are_done(step):
            self.end(trainer, "steps")
        elif self._schedule.time_is_up(self.reserve):
            self.end(trainer, "time")
        left = self._schedule.seconds_left(step)
        epoch = f"Epoch {trainer.current_epoch + 1}"
        self._log.progress(Progress(self._schedule.fraction(step), 1.0, epoch, left))

    def state_dict(self) -> dict[str, Any]:
        """Return the seconds trained."""
        return {"elapsed": self._schedule.elapsed}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on counting from the seconds trained before."""
        self._schedule.spent += float(state_dict["elapsed"])
