"""Random changes to batches of patches, on the device they live on."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from segloop.config.train import AugmentationConfig


@dataclass(frozen=True)
class Batch:
    """Patches on their way into the network.

    Attributes
    ----------
    image : (B, C, *S) float32
        Percentile-normalised intensities; S is (Y, X) or (Z, Y, X).
    maps : (B, K, *S) float32
        Encoded ground truth, 0 to 1.
    valid : (B, K, *S) bool
        False where the ground truth is to be ignored.
    """

    image: Tensor
    maps: Tensor
    valid: Tensor

    def to(self, device: torch.device) -> Batch:
        """Return the batch on ``device``."""
        return Batch(
            self.image.to(device, non_blocking=True),
            self.maps.to(device, non_blocking=True),
            self.valid.to(device, non_blocking=True),
        )


def augment(batch: Batch, config: AugmentationConfig, generator: torch.Generator) -> Batch:
    """Change each patch at random: image, maps and valid alike in space, only the image in intensity.

    Flips and turns by 90 degrees move voxels without interpolating, so the encoded maps stay exact, distances
    included. Turns by 90 and 270 degrees need patches that are square in Y, X; others are turned by 180.

    Parameters
    ----------
    batch : Batch
        What the sampler drew.
    config : AugmentationConfig
        Which changes, and how strong.
    generator : torch.Generator
        Source of randomness, on the CPU: the same state gives the same changes on every device.
    """
    moved = [
        _move(batch.image[i], batch.maps[i], batch.valid[i], config, generator)
        for i in range(batch.image.shape[0])
    ]
    image, maps, valid = (torch.stack(parts) for parts in zip(*moved, strict=True))
    return Batch(change_intensity(image, config, generator), maps, valid)


def _move(
    image: Tensor, maps: Tensor, valid: Tensor, config: AugmentationConfig, generator: torch.Generator
) -> tuple[Tensor, ...]:
    n_spatial = image.ndim - 1
    choices = torch.randint(0, 2, (n_spatial,), generator=generator)
    turns = int(torch.randint(0, 4, (1,), generator=generator))
    flipped = [axis - n_spatial for axis in range(n_spatial) if config.flips and choices[axis]]
    if not config.rotations:
        turns = 0
    elif image.shape[-1] != image.shape[-2]:
        turns -= turns % 2
    parts: tuple[Tensor, ...] = (image, maps, valid)
    if flipped:
        parts = tuple(part.flip(flipped) for part in parts)
    if turns:
        parts = tuple(torch.rot90(part, turns, (-2, -1)) for part in parts)
    return parts


def change_intensity(image: Tensor, config: AugmentationConfig, generator: torch.Generator) -> Tensor:
    """Change gamma, contrast, brightness and noise at random for each patch and channel.

    Parameters
    ----------
    image : (B, C, *S) float32
        Percentile-normalised intensities: 0 is dark, 1 is bright.
    config : AugmentationConfig
        Strengths; 0 switches a change off.
    generator : torch.Generator
        Source of randomness, on the CPU.
    """

    def draw(low: float, high: float) -> Tensor:
        shape = (*image.shape[:2], *(1,) * (image.ndim - 2))
        return (low + (high - low) * torch.rand(shape, generator=generator)).to(image.device)

    if config.gamma > 0:
        span = float(torch.log1p(torch.tensor(config.gamma)))
        power = torch.exp(draw(-span, span))
        # Values below 0 (darker than the low percentile) keep their sign.
        image = image.sign() * image.abs().clamp(min=1e-6) ** power
    if config.scale_intensity > 0:
        image = image * draw(1 - config.scale_intensity, 1 + config.scale_intensity)
    if config.shift_intensity > 0:
        image = image + draw(-config.shift_intensity, config.shift_intensity)
    if config.noise > 0:
        noise = torch.randn(image.shape, generator=generator).to(image.device)
        image = image + noise * draw(0, config.noise)
    return image
