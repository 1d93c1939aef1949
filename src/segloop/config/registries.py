"""Registries that a config chooses from; Hydra groups are made from them.

Items are named here and imported when they are asked for, so that this module stays below all others. An item
may have the class attribute ``options_type``, see `segloop.config.parameters.options_type_of`.
"""

from __future__ import annotations

from typing import Any

from segloop.core.errors import ImageError, ModelError
from segloop.core.registry import Registry

TARGETS: Registry[Any] = Registry(
    "segloop.targets",
    "target",
    {
        "instance": "segloop.targets.instance:InstanceTarget",
        "semantic": "segloop.targets.semantic:SemanticTarget",
    },
    ModelError,
)
"""What a network can learn; items are subclasses of `segloop.targets.Target`."""

NETWORKS: Registry[Any] = Registry(
    "segloop.networks",
    "network",
    {
        "unet": "segloop.networks.planning:UNET",
        "monai.AttentionUnet": "segloop.networks.monai_builder:ATTENTION_UNET",
        "monai.BasicUNet": "segloop.networks.monai_builder:BASIC_UNET",
        "monai.SegResNet": "segloop.networks.monai_builder:SEG_RES_NET",
        "monai.UNet": "segloop.networks.monai_builder:UNET",
    },
    ModelError,
)
"""What can be trained; items are of `segloop.networks.registry.NetworkBuilder`."""

LOSSES: Registry[Any] = Registry(
    "segloop.losses",
    "loss",
    {
        "binary_dice": "segloop.training.losses:binary_dice",
        "class_dice": "segloop.training.losses:class_dice",
        "distance": "segloop.training.losses:distance",
    },
)
"""By what a network can learn; items are of `segloop.training.losses.Loss`."""

AUGMENTATIONS: Registry[Any] = Registry(
    "segloop.augmentations",
    "augmentation",
    {
        "affine": "segloop.training.augmentations:AFFINE",
        "elastic": "segloop.training.augmentations:ELASTIC",
        "blur": "segloop.training.augmentations:BLUR",
    },
)
"""Random changes to patches; items are of `segloop.training.augmentations.AugmentationBuilder`."""

IMPORTERS: Registry[Any] = Registry(
    "segloop.importers",
    "importer",
    {
        "imagej_rois": "segloop.images.imagej_rois:IMAGEJ_ROIS",
        "coco": "segloop.images.coco:COCO",
        "labelme": "segloop.images.labelme:LABELME",
        "cellpose_npy": "segloop.images.cellpose_npy:CELLPOSE_NPY",
    },
    ImageError,
)
"""Segmentations of other tools that are no images; items are of `segloop.images.importers.Importer`."""

RECIPE_OPERATIONS: Registry[Any] = Registry(
    "segloop.recipe_operations",
    "recipe operation",
    {
        "pick": "segloop.images.recipe_operations:PICK",
        "merge": "segloop.images.recipe_operations:MERGE",
        "blank": "segloop.images.recipe_operations:BLANK",
    },
)
"""From channels to inputs of a network; items are of `segloop.images.recipe_operations.RecipeOperation`."""
