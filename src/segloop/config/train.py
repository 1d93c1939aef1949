"""The config of a training."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from segloop.config.device import DeviceConfig
from segloop.config.knob import knob

AUTO = "auto"
"""The target that suits the labels of the dataset."""


class NetworkSize(Enum):
    """How many channels and levels the network has."""

    small = "small"
    medium = "medium"
    large = "large"


@dataclass
class RecipeConfig:
    """Which channels feed the network, as they are or through operations."""

    channels: list[str] = knob(
        [],
        "Channels",
        "Names or numbers (from 0) of the channels to use, in order; empty means all of them. An "
        "operation computes an input: `merge(DAPI, GFP, how=max)`, `blank()`.",
    )


@dataclass
class NormalisationConfig:
    """How intensities are scaled: per channel, scene and time point, by percentiles of the whole image."""

    low: float = knob(
        1.0, "Low percentile", "This percentile of the image becomes 0.", unit="%", minimum=0, maximum=49
    )
    high: float = knob(
        99.8, "High percentile", "This percentile of the image becomes 1.", unit="%", minimum=51, maximum=100
    )
    clip_low: float = knob(
        -1.0, "Clip below", "Scaled intensities below this value are clipped to it.", maximum=0, minimum=-1e6
    )
    clip_high: float = knob(
        4.0, "Clip above", "Scaled intensities above this value are clipped to it.", minimum=1, maximum=1e6
    )


@dataclass
class TargetConfig:
    """What the network learns; the options are those of the chosen target, written beside ``kind``."""

    kind: str = knob(
        AUTO,
        "Learn",
        "auto: follows the labels of the dataset; instance: separate objects (foreground and distance to the "
        "edge); semantic: foreground or classes; or the name of another registered target.",
    )
    options: dict[str, Any] = knob({}, "Options", "The target's options, such as `target.classes=3`.")


@dataclass
class NetworkConfig:
    """The network; the options are those of the chosen network, written beside its name."""

    name: str = knob(
        "unet", "Network", "Name of a registered network, such as `network=monai.UNet`.", advanced=True
    )
    size: NetworkSize = knob(
        NetworkSize.small,
        "Size",
        "Larger networks learn finer distinctions but take longer and need more memory.",
    )
    dimensions: int = knob(
        0,
        "Dimensions",
        "2 or 3; 0 chooses 3 if the images have more than one slice.",
        minimum=0,
        maximum=3,
        advanced=True,
    )
    options: dict[str, Any] = knob(
        {}, "Options", "The network's options, such as `network.dropout=0.1` with `network=monai.UNet`."
    )


@dataclass
class PatchConfig:
    """The random crops that training sees."""

    size: list[int] = knob(
        [],
        "Patch size",
        "Y, X (or Z, Y, X) in pixels; empty chooses by image size and memory.",
        unit="px",
        lengths=(0, 2, 3),
        minimum=1,
    )
    batch_size: int = knob(
        0,
        "Batch size",
        "Patches per training step; 0 chooses by patch size and memory.",
        minimum=0,
        maximum=1024,
    )
    per_epoch: int = knob(
        0,
        "Patches per epoch",
        "Patches drawn between two validations; 0 chooses by the size of the dataset.",
        minimum=0,
        advanced=True,
    )
    foreground_fraction: float = knob(
        0.67,
        "Foreground patches",
        "Share of the patches that are centred on a foreground pixel.",
        minimum=0,
        maximum=1,
        advanced=True,
    )


@dataclass
class AugmentationConfig:
    """Random changes to each patch, so that few images teach more."""

    flips: bool = knob(True, "Flips", "Mirror along Y and X (and Z).")
    rotations: bool = knob(True, "Rotations", "Rotate by multiples of 90 degrees in the YX plane.")
    scale_intensity: float = knob(
        0.3,
        "Contrast",
        "Multiply intensities by a random factor, at most this far from 1.",
        minimum=0,
        maximum=0.9,
    )
    shift_intensity: float = knob(
        0.1,
        "Brightness",
        "Add a random value, at most this far from 0, to the scaled intensities.",
        minimum=0,
        maximum=1,
    )
    gamma: float = knob(
        0.3, "Gamma", "Raise intensities to a power between 1/(1+g) and 1+g.", minimum=0, maximum=2
    )
    noise: float = knob(
        0.05, "Noise", "Largest standard deviation of the Gaussian noise that is added.", minimum=0, maximum=1
    )
    more: dict[str, Any] = knob(
        {},
        "More",
        "Further registered augmentations by name, each with its options: "
        "`augmentation/more=[affine,elastic] augmentation.more.elastic.magnitude=5`.",
        advanced=True,
    )


@dataclass
class OptimiserConfig:
    """How the weights are fitted (AdamW with a warm-up and a cosine decay)."""

    learning_rate: float = knob(
        1e-3, "Learning rate", "Largest step size of the optimiser.", minimum=1e-7, maximum=1
    )
    weight_decay: float = knob(
        1e-4, "Weight decay", "How strongly weights are pulled towards zero.", minimum=0, maximum=1
    )


@dataclass
class StopConfig:
    """When training ends; whichever comes first."""

    max_minutes: float = knob(
        15.0, "Stop after", "Longest training time.", unit="min", minimum=0.01, maximum=1e5
    )
    max_steps: int = knob(
        0,
        "Steps at most",
        "Number of training steps; 0 sets no limit. A training that ends by steps can be repeated exactly.",
        minimum=0,
        maximum=100_000_000,
        advanced=True,
    )
    max_epochs: int = knob(
        1000, "Epochs at most", "Largest number of epochs.", minimum=1, maximum=1_000_000, advanced=True
    )
    patience: int = knob(
        40,
        "Patience",
        "Stop after this many epochs without a better validation score; 0 never stops early.",
        minimum=0,
        maximum=100_000,
        advanced=True,
    )


@dataclass
class TrainConfig:
    """Everything that decides what a training does; saved resolved in the run, it repeats the run."""

    dataset: str = knob("", "Dataset", "Folder of the curated dataset to learn from.")
    init: str = knob("", "Start from", "Model or run whose weights to start from; empty starts from scratch.")
    seed: int = knob(0, "Seed", "Seed of all random choices.", minimum=0, maximum=2**31 - 1, advanced=True)
    target: TargetConfig = knob(TargetConfig, "Target", "What the network learns.")
    network: NetworkConfig = knob(NetworkConfig, "Network", "The network that is trained.")
    stop: StopConfig = knob(StopConfig, "Duration", "When training ends.")
    loss: dict[str, Any] = knob(
        {},
        "Losses",
        "Loss of each part of the target instead of the default one: `loss.distance=NAME`, "
        "with options `loss.distance={name:NAME,OPTION:VALUE}`.",
        advanced=True,
    )
    recipe: RecipeConfig = knob(RecipeConfig, "Channels", "Which channels feed the network.")
    normalisation: NormalisationConfig = knob(
        NormalisationConfig, "Normalisation", "How intensities are scaled."
    )
    patch: PatchConfig = knob(PatchConfig, "Patches", "The random crops that training sees.")
    augmentation: AugmentationConfig = knob(
        AugmentationConfig, "Augmentation", "Random changes to each patch."
    )
    optimiser: OptimiserConfig = knob(OptimiserConfig, "Optimiser", "How the weights are fitted.")
    device: DeviceConfig = knob(DeviceConfig, "Device", "Device and precision of the computation.")
