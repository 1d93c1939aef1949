"""From a dataset and a config to the plan of a training; pure, and free of torch.

The run, ``segloop train DATASET --plan`` and the Training dock share this plan. A network of an installed
package may need torch to say its stride; see `segloop.networks.plans_without_torch`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.model.model import Model
from segloop.artifacts.run.plan import Choice, PlannedDevice, TrainingPlan
from segloop.config.knob import validate
from segloop.config.train import TrainConfig
from segloop.core.context import Context
from segloop.core.errors import DatasetError
from segloop.core.wording import counted
from segloop.networks import NetworkSpec, network_stride, plan_network
from segloop.targets import make_target
from segloop.training.augmentations import AUGMENTATIONS
from segloop.training.planning.compatibility import require_compatible
from segloop.training.planning.duration import (
    epochs_between_validations,
    plan_duration,
    total_steps,
)
from segloop.training.planning.hardware import Hardware
from segloop.training.planning.objects import ObjectCount, count_objects
from segloop.training.planning.patches import plan_patches
from segloop.training.planning.precision import step_precision
from segloop.training.planning.samples import Survey, survey
from segloop.training.planning.split import split_samples
from segloop.training.planning.target import resolve_target

_COUNTING = 3.0  # seconds to spend on counting objects, for each split


@dataclass(frozen=True)
class Counted:
    """Numbers of objects to learn from and to validate on."""

    train: ObjectCount
    val: ObjectCount


def plan(
    dataset: CuratedDataset,
    config: TrainConfig,
    hardware: Hardware,
    context: Context | None = None,
    init: Model | None = None,
) -> TrainingPlan:
    """Say what a training would do and why, in seconds; reads the headers of all images, and some labels.

    Parameters
    ----------
    dataset : CuratedDataset
        What to learn from.
    config : TrainConfig
        What the user chose; everything else is chosen here.
    hardware : Hardware
        From `find_hardware`, or in a process without torch from `ask_hardware`.
    context : Context, optional
        Receives progress; may cancel.
    init : Model, optional
        The one that ``config.init`` names.

    Raises
    ------
    ConfigError, DatasetError, ModelError
        If the config is not valid, there is nothing to learn from, or the network can't be built.
    Cancelled
        If the context says so.
    """
    validate(config)
    config = resolve_target(config, dataset.label_kind)
    context = context or Context()
    found = survey(dataset, config, context)
    train, val = split_samples(found, found.headers, None, lambda text: None)
    objects = Counted(
        *(
            count_objects(dataset, [found.headers[i] for i in ids], seconds=_COUNTING, context=context)
            for ids in (train, val)
        )
    )
    return plan_training(found, config, hardware, objects=objects, init=init)


def plan_training(
    found: Survey,
    config: TrainConfig,
    hardware: Hardware,
    *,
    usable: Mapping[str, int] | None = None,
    objects: Counted | None = None,
    previous: TrainingPlan | None = None,
    init: Model | None = None,
) -> TrainingPlan:
    """Make the plan from what is known of the samples; see `plan`.

    Parameters
    ----------
    found : Survey
        The samples.
    config, hardware
        As in `plan`; in a run that is resumed the config is pinned to its plan.
    usable : mapping of str to int, optional
        Once the samples were read: the ids of those that can be used, with their numbers of objects.
    objects : Counted, optional
        Numbers of objects, where ``usable`` is not known.
    previous : TrainingPlan, optional
        Of a run that is resumed: its network and split are kept.
    init : Model, optional
        The one that the training starts from.
    """
    for name in config.augmentation.more:
        AUGMENTATIONS.get(name)
    warnings: list[str] = []
    ids = found.headers if usable is None else usable
    train, val = split_samples(found, ids, previous, warnings.append)
    if not train:
        raise DatasetError("No sample of the dataset can be used for training: check why they were left out.")
    if usable is not None:
        objects = Counted(
            *(ObjectCount(sum(usable[i] for i in part), len(part), len(part)) for part in (train, val))
        )
    target = make_target(config.target.kind, found.options, dims=found.dims, voxel_size=found.voxel_size_um)
    shapes = [found.headers[i].shape for i in train]
    if previous is not None:
        spec = NetworkSpec.from_dict(previous.network)
        reason = "The network of the run that is resumed."
    elif init is not None:
        require_compatible(init, target, len(found.recipe.inputs), config.init)
        spec, reason = init.network_spec, f"The network of {config.init}, which the training starts from."
    else:
        typical = np.median(shapes, axis=0).astype(int).tolist()
        spec = plan_network(
            config.network,
            found.dims,
            len(found.recipe.inputs),
            len(target.maps),
            found.voxel_size_um,
            typical,
        )
        reason = f"Network {spec.name}, size {config.network.size.value}, as set by network.size."
    patches = plan_patches(
        config.patch,
        shapes,
        stride=network_stride(spec),
        device=hardware.device,
        network=config.network.size,
        voxel_size_um=found.voxel_size_um,
    )
    precision = step_precision(hardware, config.device.precision, found.dims)
    steps = total_steps(config.stop, patches.batches)
    minutes, duration = plan_duration(config.stop, patches, hardware, config.network.size)
    return TrainingPlan(
        target=target.name,
        target_options=found.options.values(),
        dimensions=found.dims,
        channels=found.recipe.names,
        voxel_size_um=found.voxel_size_um,
        network=spec.to_dict(),
        patch_size=patches.size,
        batch_size=patches.batch_size,
        batches_per_epoch=patches.batches,
        steps=steps,
        validate_every=epochs_between_validations([found.headers[i].shape for i in val], patches, steps),
        device=PlannedDevice(kind=hardware.device, mixed=hardware.mixed, precision=precision.name),
        expected_minutes=round(minutes, 2),
        train_samples=train,
        val_samples=val,
        train_objects=objects.train.n_objects if objects else None,
        val_objects=objects.val.n_objects if objects else None,
        choices=(
            _samples(train, val, objects),
            *found.choices,
            Choice(name="Network", value=spec.name, reason=reason),
            *patches.choices,
            Choice(name="Device", value=hardware.device, reason=hardware.reason),
            *(
                [Choice(name="Precision", value=precision.name, reason=precision.note)]
                if precision.note
                else []
            ),
            duration,
        ),
        warnings=(*warnings, *patches.warnings),
        problems=found.problems,
    )


def _samples(train: tuple[str, ...], val: tuple[str, ...], objects: Counted | None) -> Choice:
    learn = counted(len(train), "sample")
    check = counted(len(val), "other") if val else "none"
    if objects is not None:
        learn += f" ({objects.train})"
        check += f" ({objects.val})" if val else ""
    return Choice(
        name="Samples",
        value=f"{len(train)} + {len(val)}",
        reason=f"Learns from {learn} and validates on {check}.",
    )
