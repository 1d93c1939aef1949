"""One training, step by step: plan, prepare the samples, fit, keep the model."""

from __future__ import annotations

import logging
import math
from contextlib import suppress
from dataclasses import dataclass

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from torch import nn

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.job.job import EventLog
from segloop.artifacts.model.model import Model
from segloop.artifacts.run.plan import TrainingPlan
from segloop.artifacts.run.run import Run
from segloop.config.train import TrainConfig
from segloop.core.errors import Cancelled, DatasetError, RunError
from segloop.core.wording import counted
from segloop.inference.device import ResolvedDevice
from segloop.networks import NetworkSpec, build_network
from segloop.targets import Target, make_target
from segloop.training.cache import CachedSample, cache_folder, prune
from segloop.training.checkpoint_callback import CheckpointCallback
from segloop.training.checkpoints import Checkpoint, find_checkpoint
from segloop.training.data_module import PatchDataModule
from segloop.training.environment import KeepCacheEntries, KeepSignalHandlers
from segloop.training.extras import Extras
from segloop.training.limits import LIMITS, EndedBy
from segloop.training.losses import TargetLoss
from segloop.training.model_export import ModelDescription, ModelExporter, median_range, summary
from segloop.training.module import SegmentationModule
from segloop.training.planning.hardware import find_hardware
from segloop.training.planning.plan import plan_training
from segloop.training.planning.samples import Survey, survey
from segloop.training.planning.target import resolve_target
from segloop.training.prepare import keep_in_memory, prepare
from segloop.training.preview import PreviewingValidator, PreviewWriter
from segloop.training.progress_callback import ProgressCallback
from segloop.training.record import pinned, provenance
from segloop.training.schedule import Schedule
from segloop.training.verdict import found_nothing, nothing_found_message

logger = logging.getLogger("segloop.training")

_CALIBRATION_SHARE = 0.05  # of the time allowed, at most
_GRADIENT_LIMIT = 12.0  # largest norm of a gradient, as in nnU-Net


@dataclass(frozen=True)
class Outcome:
    """How a training ended.

    Attributes
    ----------
    stopped : bool
        Whether by request.
    ended_by : EndedBy
        What ended it.
    """

    stopped: bool
    ended_by: EndedBy


@dataclass(frozen=True)
class TrainingSamples:
    """The samples of a training.

    Attributes
    ----------
    train, val : tuple of CachedSample
        Samples to learn from and to validate on; the latter may be empty.
    """

    train: tuple[CachedSample, ...]
    val: tuple[CachedSample, ...]


def _require_foreground(samples: TrainingSamples, dataset: CuratedDataset) -> None:
    if not any(len(sample.arrays().foreground) for sample in samples.train):
        raise DatasetError(
            f"No training sample of {dataset.path} has any foreground outside of exclude regions, "
            "so there is nothing to learn: check the segmentations and the regions."
        )


class TrainingRun:
    """The training of one run in this process.

    Parameters
    ----------
    run : Run
        Holds the config and gets the results.
    log : EventLog
        Of the run's folder.
    extras : Extras, optional
        What the caller has passed.
    """

    def __init__(self, run: Run, log: EventLog, extras: Extras | None = None) -> None:
        self._run = run
        self._log = log
        self._config: TrainConfig = run.config
        self._context = log.context()
        extras = extras or Extras()
        self._callbacks, self._loggers, self._clock = extras.callbacks, extras.loggers, extras.clock

    def train(self, *, resumed: bool) -> Outcome:
        """Train until a limit is reached or a stop is requested.

        Parameters
        ----------
        resumed : bool
            Whether to go on from the last checkpoint that can be used, if there is one.

        Raises
        ------
        SegloopError
            See `segloop.training.fit.fit`; `Cancelled` if stopped before the first step.
        """
        checkpoint = self._checkpoint(resumed)
        previous = self._run.plan if checkpoint is not None else None
        dataset = CuratedDataset.open(self._config.dataset)
        self._config = resolve_target(self._config, dataset.label_kind)
        self._run.change_target(self._config.target)
        config = pinned(self._config, previous) if previous is not None else self._config
        hardware = find_hardware(config.device)
        device = ResolvedDevice(hardware.device, hardware.mixed, hardware.reason)
        found = survey(dataset, config, self._context)
        for problem in found.problems:
            self._say(f"Left out: {problem}", "warning")
        target = make_target(
            config.target.kind, found.options, dims=found.dims, voxel_size=found.voxel_size_um
        )
        loss = TargetLoss(target.losses, config.loss)
        prepared = self._prepare(dataset, found, target)
        init = Model.load(config.init) if config.init and previous is None else None
        plan = plan_training(
            found,
            config,
            hardware,
            usable={sample.id: len(sample.arrays().sizes) for sample in prepared.values()},
            previous=previous,
            init=init,
        )
        samples = TrainingSamples(
            tuple(prepared[i] for i in plan.train_samples), tuple(prepared[i] for i in plan.val_samples)
        )
        _require_foreground(samples, dataset)
        for text in plan.warnings:
            self._say(text, "warning")
        for text in plan.notes:
            self._say(text)
        torch.manual_seed(config.seed)
        spec = NetworkSpec.from_dict(plan.network)
        network = init.network().train() if init is not None else build_network(spec)
        size = sum(parameter.numel() for parameter in network.parameters())
        self._say(f"The network has {size / 1e6:.2f} million weights.")
        description = self._describe(dataset, found, samples, target, loss, spec, device)
        plan = plan.model_copy(update={"parameters": description.parameters.values()})
        self._run.write_plan(plan)
        example = (samples.val or samples.train)[0]
        exporter = ModelExporter(self._run, description, samples.val, example, device, self._context)
        preview = PreviewWriter(self._log, description, example, device)
        return self._fit(network, target, loss, samples, plan, exporter, preview, checkpoint)

    def _checkpoint(self, resumed: bool) -> Checkpoint | None:
        if not resumed:
            return None
        self._run.remove_leftovers()
        found, note = find_checkpoint(self._run)
        self._say(note, "warning")
        return found

    def _say(self, text: str, level: str = "info") -> None:
        if text:
            logger.log({"info": logging.INFO, "warning": logging.WARNING}[level], "%s", text)
            self._log.message(text, level)

    def _prepare(self, dataset: CuratedDataset, found: Survey, target: Target) -> dict[str, CachedSample]:
        root = cache_folder()

        def warn(text: str) -> None:
            self._say(text, "warning")

        headers = [*found.train, *found.val]
        samples = prepare(dataset, headers, target, self._config.normalisation, root, self._context, warn)
        if not samples:
            raise DatasetError(
                f"No sample of {dataset.path} can be used for training; the messages above say why."
            )
        samples = keep_in_memory(samples)
        prune(root, [sample.folder for sample in samples])
        return {sample.id: sample for sample in samples}

    def _describe(
        self,
        dataset: CuratedDataset,
        found: Survey,
        samples: TrainingSamples,
        target: Target,
        loss: TargetLoss,
        spec: NetworkSpec,
        device: ResolvedDevice,
    ) -> ModelDescription:
        sizes = np.concatenate([sample.arrays().sizes for sample in samples.train])
        parameters, note = target.initial_parameters(sizes)
        self._say(note)
        medians = [sample.medians for sample in samples.train if len(sample.arrays().foreground)]
        return ModelDescription(
            spec=spec,
            target=target,
            loss=loss,
            parameters=parameters,
            recipe=found.recipe,
            normalisation=self._config.normalisation,
            voxel_size_um=found.voxel_size_um,
            median_range=median_range(medians),
            provenance=provenance(self._config, dataset, samples.train, samples.val, device),
        )

    def _fit(
        self,
        network: nn.Module,
        target: Target,
        loss: TargetLoss,
        samples: TrainingSamples,
        plan: TrainingPlan,
        exporter: ModelExporter,
        preview: PreviewWriter,
        checkpoint: Checkpoint | None,
    ) -> Outcome:
        config, run = self._config, self._run
        schedule = Schedule(config.stop, plan.batches_per_epoch, clock=self._clock)
        if plan.dimensions == 2:
            network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        module = SegmentationModule(network, loss, config.optimiser, schedule.fraction)
        if checkpoint is not None:
            self._say(f"Resuming after epoch {checkpoint.epoch}.")
        run.drop_metrics_after(checkpoint.epoch if checkpoint is not None else 0)
        progress = ProgressCallback(schedule, self._log)
        validator = PreviewingValidator(exporter, preview)
        checkpoints = CheckpointCallback(run, self._log, progress, schedule, validator, plan.validate_every)
        trainer = pl.Trainer(
            accelerator="gpu" if plan.device.kind == "cuda" else plan.device.kind,
            devices=1,
            precision=plan.device.precision,  # type: ignore[arg-type]
            max_epochs=config.stop.max_epochs,
            callbacks=[
                progress,
                checkpoints,
                KeepSignalHandlers(),
                KeepCacheEntries([*samples.train, *samples.val]),
                *self._callbacks,
            ],
            plugins=[LightningEnvironment()],
            gradient_clip_val=_GRADIENT_LIMIT,
            benchmark=plan.device.kind == "cuda",
            logger=list(self._loggers) or False,
            log_every_n_steps=1,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            default_root_dir=run.path,
        )
        patches = PatchDataModule(samples.train, plan, config, target)
        trainer.fit(
            module,
            datamodule=patches,
            ckpt_path=checkpoint.path if checkpoint is not None else None,
            weights_only=True,
        )
        if not progress.stopped:
            seconds = math.inf if schedule.repeatable else _CALIBRATION_SHARE * schedule.seconds
            with suppress(Cancelled):
                self._say(exporter.calibrate(seconds))
        return self._conclude(trainer, target, exporter, progress, checkpoints, schedule)

    def _conclude(
        self,
        trainer: pl.Trainer,
        target: Target,
        exporter: ModelExporter,
        progress: ProgressCallback,
        checkpoints: CheckpointCallback,
        schedule: Schedule,
    ) -> Outcome:
        scores = {name: curve[-1][1] for name, curve in self._run.metrics().items()}
        at_best = {
            name: value
            for name, curve in self._run.metrics().items()
            for epoch, value in curve
            if epoch == checkpoints.best_epoch
        }
        verb = "Stopped" if progress.stopped else "Finished"
        steps = f"{counted(int(trainer.global_step), 'step')} in {counted(trainer.current_epoch, 'epoch')}"
        text = f"{verb} after {steps} and {schedule.elapsed / 60:.1f} minutes"
        if checkpoints.best_epoch:
            score = summary(at_best, target.metrics)
            text += f"; the model is that of epoch {checkpoints.best_epoch} (in validation {score})"
        elif not math.isnan(scores.get("train_loss", math.nan)):
            text += "; the latest model is kept, without validation"
        self._say(f"{text}.")
        # To train for longer takes more epochs, even if the time was used up by the last of them.
        all_done = not progress.stopped and trainer.current_epoch >= schedule.limits.max_epochs
        ended_by = "epochs" if all_done else progress.ended_by
        if not progress.stopped and found_nothing(at_best, exporter.has_validation_foreground):
            limit = f"stop.{LIMITS[ended_by]}"
            raise RunError(nothing_found_message(self._run.path, int(trainer.global_step), limit))
        if schedule.repeatable and progress.ended_by == "time":
            self._say(
                f"The time limit ended the training before its {counted(schedule.steps, 'step')}, so that "
                "the result depends on the speed of this computer: raise stop.max_minutes for a result that "
                "can be repeated.",
                "warning",
            )
        return Outcome(progress.stopped, ended_by)
