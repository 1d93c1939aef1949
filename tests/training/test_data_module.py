from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from segloop.config.train import AugmentationConfig, NormalisationConfig
from segloop.training.patches import PatchLoader
from training_fixtures import tiny_sample

TESTS = Path(__file__).parents[1]

PROGRAM = """
import sys
from pathlib import Path

import lightning.pytorch as pl
import torch
from torch import nn
from training_fixtures import tiny_sample

from segloop.artifacts.run.plan import PlannedDevice, TrainingPlan
from segloop.config.train import OptimiserConfig, TrainConfig
from segloop.targets import LossTerm
from segloop.training.cache import CachedSample
from segloop.training.data_module import PatchDataModule
from segloop.training.losses import TargetLoss
from segloop.training.module import SegmentationModule

folder = Path(sys.argv[1])
sample = CachedSample.open(folder / "entry", "tiny")
plan = TrainingPlan(
    target="semantic", dimensions=2, channels=("0",), network={}, patch_size=(8, 8),
    batch_size=2, batches_per_epoch=5, device=PlannedDevice(kind="cpu"),
)


class Recorder(pl.Callback):
    def __init__(self):
        self.seen = []

    def on_train_batch_start(self, trainer, module, batch, batch_idx):
        self.seen.append((trainer.current_epoch, batch.image.clone()))


recorder = Recorder()
trainer = pl.Trainer(
    accelerator="cpu", devices=2, strategy="ddp", max_epochs=2, callbacks=[recorder], logger=False,
    enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
)
network = nn.Conv2d(1, 1, 3, padding=1)
loss = TargetLoss([LossTerm("foreground", "binary_dice", (0,))])
module = SegmentationModule(network, loss, OptimiserConfig(), lambda step: step / 6)
trainer.fit(module, datamodule=PatchDataModule([sample], plan, TrainConfig()))
torch.save([recorder.seen, network.weight.detach()], folder / f"rank{trainer.global_rank}.pt")
"""


def loader(folder: Path, **ranks: int) -> PatchLoader:
    return PatchLoader(
        [tiny_sample(folder / "entry", side=32)],
        (8, 8),
        2,
        3,
        foreground_fraction=0.5,
        normalisation=NormalisationConfig(),
        augmentation=AugmentationConfig(),
        seed=0,
        **ranks,
    )


def test_processes_that_train_together_draw_what_one_alone_would(tmp_path: Path) -> None:
    alone = loader(tmp_path)
    first, second = (loader(tmp_path, rank=rank, world_size=2) for rank in (0, 1))

    together = [loader.batch(0, number).image for number in range(3) for loader in (first, second)]

    assert all(torch.equal(alone.batch(0, number).image, image) for number, image in enumerate(together))


@pytest.mark.slow
def test_two_processes_draw_different_patches_and_learn_the_same_weights(tmp_path: Path) -> None:
    tiny_sample(tmp_path / "entry", side=32)
    (tmp_path / "program.py").write_text(f"import sys\nsys.path.insert(0, {str(TESTS)!r})\n{PROGRAM}")

    subprocess.run([sys.executable, tmp_path / "program.py", tmp_path], check=True, capture_output=True)

    (first, weights), (second, others) = (
        torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) for rank in (0, 1)
    )
    assert [epoch for epoch, _ in first] == [epoch for epoch, _ in second] == [0, 0, 0, 1, 1, 1]
    drawn = [*(image for _, image in first), *(image for _, image in second)]
    assert not any(torch.equal(a, b) for i, a in enumerate(drawn) for b in drawn[:i])
    assert torch.equal(weights, others)
