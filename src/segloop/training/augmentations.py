"""Further augmentations by name, with MONAI's dictionary transforms behind them, and the door for guests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

from segloop.config import registries
from segloop.config.parameters import ParameterSet, options_type_of, parameter
from segloop.core.errors import ConfigError
from segloop.core.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor

Patch: TypeAlias = "dict[str, Tensor]"
"""``image`` (C, *S) float32 and, for spatial augmentations, ``labels`` and ``valid`` (1, *S) float32."""


class Augmentation(Protocol):
    """Changes one patch at random."""

    def __call__(self, patch: Patch, seed: int) -> Patch:
        """Return the changed patch, with the same shapes; the same seed makes the same change."""
        ...


class AugmentationBuilder(Protocol):
    """Builds an augmentation from its options.

    If it has options, such as ``augmentation.more.blur.sigma=2``, the attribute ``options_type`` is their
    `ParameterSet`. The docks read the options, so import torch only when the augmentation is built.

    Attributes
    ----------
    spatial : bool
        Whether pixels move. Labels and validity then move along, and the labels are encoded afterwards.
    """

    @property
    def spatial(self) -> bool: ...  # noqa: D102

    def __call__(self, dims: int, arguments: Mapping[str, Any]) -> Augmentation:
        """Return the augmentation for patches of ``dims`` dimensions.

        Parameters
        ----------
        dims : {2, 3}
            Dimensions of the patches.
        arguments : mapping
            All options by name.

        Raises
        ------
        TypeError, ValueError
            If the options do not fit together.
        """
        ...


AUGMENTATIONS: Registry[AugmentationBuilder] = registries.AUGMENTATIONS
"""The augmentations by name: our own, those registered by a script, and those of installed packages."""


@dataclass(frozen=True)
class MonaiBuilder:
    """Builds one of MONAI's random dictionary transforms.

    Attributes
    ----------
    make : callable
        Called with the number of dimensions, the keys of the patch and the options.
    spatial : bool
        See `AugmentationBuilder`.
    options_type : type of ParameterSet
        Its options.
    """

    make: Callable[..., Any]
    spatial: bool
    options_type: type[ParameterSet]

    def __call__(self, dims: int, arguments: Mapping[str, Any]) -> Augmentation:
        """Return the augmentation; see `AugmentationBuilder`."""
        keys = ("image", "labels", "valid") if self.spatial else ("image",)
        transform = self.make(dims, keys, **arguments)

        import torch

        def augment(patch: Patch, seed: int) -> Patch:
            transform.set_random_state(seed=seed % 2**32)
            changed = transform({key: patch[key] for key in keys})
            return patch | {key: torch.as_tensor(np.asarray(changed[key])) for key in keys}

        return augment


class AffineOptions(ParameterSet):
    """How much patches are scaled and rotated."""

    scale: float = parameter(
        0.15, "Scale", "Scale by a random factor, at most this far from 1.", minimum=0, maximum=0.9
    )
    rotate: float = parameter(
        0.3, "Rotate", "Rotate by up to this angle in the YX plane.", unit="rad", minimum=0, maximum=3.15
    )
    probability: float = parameter(0.5, "Share", "Share of the patches to change.", minimum=0, maximum=1)


class ElasticOptions(ParameterSet):
    """How much patches are deformed."""

    spacing: float = parameter(
        24.0, "Smoothness", "Pixels within about this distance move together.", unit="px", minimum=2, step=1
    )
    magnitude: float = parameter(
        3.0, "Strength", "Largest displacement of a pixel, approximately.", unit="px", minimum=0, step=0.5
    )
    probability: float = parameter(0.5, "Share", "Share of the patches to change.", minimum=0, maximum=1)


class BlurOptions(ParameterSet):
    """How much patches are blurred."""

    sigma: float = parameter(
        1.0, "Blur", "Standard deviation of the widest Gaussian.", unit="px", minimum=0, step=0.1
    )
    probability: float = parameter(0.3, "Share", "Share of the patches to change.", minimum=0, maximum=1)


_MODE = ("bilinear", "nearest", "nearest")
_PADDING = ("reflection", "zeros", "zeros")  # beyond the window nothing is valid


def _affine(dims: int, keys: tuple[str, ...], scale: float, rotate: float, probability: float) -> Any:
    """Scale by 1 plus or minus ``scale``, and rotate by up to ``rotate`` radians in the YX plane."""
    from monai.transforms import RandAffined

    in_plane = [rotate] if dims == 2 else [rotate, 0.0, 0.0]
    scales = [scale] * 2 if dims == 2 else [0.0, scale, scale]
    return RandAffined(
        keys, prob=probability, rotate_range=in_plane, scale_range=scales, mode=_MODE, padding_mode=_PADDING
    )


def _elastic(dims: int, keys: tuple[str, ...], spacing: float, magnitude: float, probability: float) -> Any:
    """Deform by up to about ``magnitude`` pixels, smoothly over ``spacing`` pixels."""
    from monai.transforms import Rand2DElasticd, Rand3DElasticd

    amounts = (0.0, magnitude)
    if dims == 2:
        return Rand2DElasticd(
            keys,
            spacing=(spacing, spacing),
            magnitude_range=amounts,
            prob=probability,
            mode=_MODE,
            padding_mode=_PADDING,
        )
    # In 3D MONAI smooths random offsets, which makes them smaller by about the volume of the smoothing.
    sigma = spacing / 4
    strength = (0.0, magnitude * (2 * np.sqrt(np.pi) * sigma) ** 1.5)
    return Rand3DElasticd(
        keys,
        sigma_range=(sigma, sigma),
        magnitude_range=strength,
        prob=probability,
        mode=_MODE,
        padding_mode=_PADDING,
    )


def _blur(dims: int, keys: tuple[str, ...], sigma: float, probability: float) -> Any:
    """Blur by a Gaussian of up to ``sigma`` pixels."""
    from monai.transforms import RandGaussianSmoothd

    range_ = (0.0, sigma)
    return RandGaussianSmoothd(keys, sigma_x=range_, sigma_y=range_, sigma_z=range_, prob=probability)


AFFINE = MonaiBuilder(_affine, spatial=True, options_type=AffineOptions)
ELASTIC = MonaiBuilder(_elastic, spatial=True, options_type=ElasticOptions)
BLUR = MonaiBuilder(_blur, spatial=False, options_type=BlurOptions)


@dataclass(frozen=True)
class Pipeline:
    """The augmentations of a training besides flips, turns and changes of intensity.

    Attributes
    ----------
    spatial, intensity : tuple of Augmentation
        Those that move pixels, and those that don't.
    """

    spatial: tuple[Augmentation, ...] = ()
    intensity: tuple[Augmentation, ...] = ()


def build_pipeline(wanted: Mapping[str, Any], dims: int) -> Pipeline:
    """Build the augmentations of a config.

    Parameters
    ----------
    wanted : mapping
        For each name in the registry its options by name; none for the defaults.
    dims : {2, 3}
        Dimensions of the patches.

    Raises
    ------
    ConfigError
        If a name or an option does not exist, or a value does not fit.
    """
    found: dict[bool, list[Augmentation]] = {True: [], False: []}
    for name, arguments in wanted.items():
        builder = AUGMENTATIONS.get(name)
        options = options_type_of(builder).from_values(arguments or {}, f"augmentation.more.{name}").values()
        try:
            found[builder.spatial].append(builder(dims, options))
        except (TypeError, ValueError) as error:
            raise ConfigError(f"augmentation.more.{name} does not fit: {error}") from error
    return Pipeline(tuple(found[True]), tuple(found[False]))
