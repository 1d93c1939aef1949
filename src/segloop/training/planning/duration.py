"""How long a training takes, roughly."""

from __future__ import annotations

import math
from collections.abc import Sequence

from segloop.artifacts.run.plan import Choice
from segloop.config.train import NetworkSize, StopConfig
from segloop.core.wording import counted
from segloop.training.planning.hardware import Hardware
from segloop.training.planning.patches import WORK, PatchPlan

# Seconds per voxel of a step of the small 2D network: on one CPU thread (measured), on GPUs (estimated).
_SECONDS_PER_VOXEL = {"cpu": 4e-6, "mps": 2e-7, "cuda": 3e-8}
_VALIDATION_WORK = 0.7  # of a voxel relative to one in a training step: no gradient, but decoding
_VALIDATION_SHARE = 0.15
_VOLUME = 3  # 3 x 3 x 3 instead of 3 x 3 weights


def total_steps(stop: StopConfig, batches_per_epoch: int) -> int:
    """Return after how many steps a training ends, unless time or patience ends it earlier."""
    by_epochs = stop.max_epochs * batches_per_epoch
    return min(stop.max_steps, by_epochs) if stop.max_steps else by_epochs


def epochs_between_validations(val_shapes: Sequence[Sequence[int]], patches: PatchPlan, steps: int) -> int:
    """Return after how many epochs to validate so that validations take about a seventh of the time.

    Estimated from numbers of voxels, not measured, so that a training can be repeated exactly. There are at
    least four validations, or one per epoch.

    Parameters
    ----------
    val_shapes : sequence of (Z, Y, X)
        Of the images to validate on.
    patches : PatchPlan
        The patches of a step, and the steps of an epoch.
    steps : int
        Of the whole training.
    """
    validated = sum(math.prod(shape) for shape in val_shapes)
    trained = math.prod(patches.size) * patches.batch_size * patches.batches
    epochs = -(-steps // patches.batches)
    return max(1, min(math.ceil(validated * _VALIDATION_WORK / trained / _VALIDATION_SHARE), epochs // 4))


def step_seconds(patches: PatchPlan, hardware: Hardware, size: NetworkSize) -> float:
    """Return roughly how many seconds a training step takes."""
    seconds = _SECONDS_PER_VOXEL[hardware.device] * math.prod(patches.size) * patches.batch_size * WORK[size]
    if hardware.device == "cpu":
        seconds /= max(1, hardware.threads)
    return seconds * (_VOLUME if len(patches.size) == 3 else 1)


def plan_duration(
    stop: StopConfig, patches: PatchPlan, hardware: Hardware, size: NetworkSize
) -> tuple[float, Choice]:
    """Return the expected minutes, and the choice that the plan shows."""
    steps, seconds = total_steps(stop, patches.batches), step_seconds(patches, hardware, size)
    by_steps = steps * seconds / 60
    minutes = min(by_steps, stop.max_minutes)
    pace = f"at roughly {_seconds(seconds)} per step on {hardware.device}"
    if by_steps <= stop.max_minutes:
        limit = "stop.max_steps" if 0 < stop.max_steps == steps else "stop.max_epochs"
        reason = f"{counted(steps, 'step')} (by {limit}) {pace}."
    else:
        reason = (
            f"stop.max_minutes ends it after {stop.max_minutes:g} min: {pace}, {steps} steps take longer."
        )
    return minutes, Choice(name="Duration", value=f"about {_minutes(minutes)}", reason=reason)


def _minutes(minutes: float) -> str:
    return f"{minutes:.0f} min" if minutes >= 9.5 else f"{max(minutes, 0.1):.1f} min"


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 0.95 else f"{max(1, round(1000 * seconds))} ms"
