"""The network in training, as a LightningModule."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn

from segloop.config.train import OptimiserConfig
from segloop.training.augmentation import Batch
from segloop.training.losses import TargetLoss
from segloop.training.schedule import WarmUpCosine

_SLOWEST_AVERAGE = 0.999


class SegmentationModule(pl.LightningModule):
    """A network, a running average of its weights, and the step that changes them.

    The average is what is validated and saved: it is steadier than the weights of any one step (Polyak and
    Juditsky 1992; as used by Tarvainen and Valpola 2017, whose growing decay is taken here).

    Parameters
    ----------
    network : torch.nn.Module
        (B, C, *S) float to (B, K, *S) logits.
    loss : TargetLoss
        Of the network's logits.
    optimiser : OptimiserConfig
        Learning rate and weight decay.
    fraction : callable
        Returns how much of the training is done, 0 to 1, after a number of steps: the learning rate follows.
    """

    def __init__(
        self,
        network: nn.Module,
        loss: TargetLoss,
        optimiser: OptimiserConfig,
        fraction: Callable[[int], float],
    ) -> None:
        super().__init__()
        self.network = network
        self.average = copy.deepcopy(network).requires_grad_(False).eval()
        self._target_loss = loss
        self._optimiser = optimiser
        self._fraction = fraction
        self._loss = torch.zeros(())
        self.left_out = False
        """Whether the last step was left out, because its loss or gradient was not finite."""

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of one batch."""
        image = batch.image
        if image.ndim == 4:
            # Convolutions in planes are faster on channels-last memory.
            image = image.contiguous(memory_format=torch.channels_last)
        loss = self._target_loss(self.network(image), batch.maps, batch.valid)
        self._loss = loss.detach()
        return loss

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Leave out a step whose loss or gradient is not finite: it would make all weights so."""
        gradients = [p.grad for p in self.network.parameters() if p.grad is not None]
        sizes = torch.stack([self._loss, *torch._foreach_norm(gradients)])
        self.left_out = not bool(sizes.isfinite().all())
        if self.left_out:
            optimizer.zero_grad()  # without a gradient a weight stays as it is

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Move the average towards the new weights."""
        if self.left_out:
            # The statistics of batch norm have seen what made the step unusable; the average has not.
            for good, seen in zip(self.average.buffers(), self.network.buffers(), strict=True):
                seen.copy_(good)
            return
        done = self.global_step
        keep = min(_SLOWEST_AVERAGE, (1 + done) / (10 + done))
        with torch.no_grad():
            pairs = list(zip(_tensors(self.average), _tensors(self.network), strict=True))
            floating = [(old, new) for old, new in pairs if old.dtype.is_floating_point]
            torch._foreach_lerp_([old for old, _ in floating], [new for _, new in floating], 1 - keep)
            for old, new in pairs:
                if not old.dtype.is_floating_point:
                    old.copy_(new)

    @property
    def learning_rate(self) -> float:
        """Learning rate of the next step."""
        return float(self.trainer.optimizers[0].param_groups[0]["lr"])

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """Return AdamW (Loshchilov and Hutter 2019), and the schedule of the learning rate.

        Biases and the weights of batch norm are not decayed.
        """
        parameters = list(self.network.parameters())
        groups = [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": self._optimiser.weight_decay},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, lr=self._optimiser.learning_rate)
        scheduler = WarmUpCosine(optimizer, self._fraction)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """Move a batch to where the network is."""
        return batch.to(device)


def _tensors(network: nn.Module) -> list[Tensor]:
    return [*network.parameters(), *network.buffers()]
