"""Curated datasets out of arrays in memory, which are written to files first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.core.atomic import remove
from segloop.core.errors import DatasetError
from segloop.core.wording import counted
from segloop.images.image import UNKNOWN_SIZE

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from segloop.artifacts.dataset.manifest import LabelKind
    from segloop.core.context import Context
    from segloop.images.image import PixelSize


def create_from_arrays(
    path: Path,
    images: Sequence[ArrayLike],
    labels: Sequence[ArrayLike],
    *,
    images_dir: Path,
    axes: str | None = None,
    channel_names: Sequence[str] | None = None,
    pixel_size_um: PixelSize = UNKNOWN_SIZE,
    val: float = 0.2,
    seed: int = 0,
    label_kind: LabelKind | None = None,
    context: Context | None = None,
) -> CuratedDataset:
    """Write images and labels to files and make a dataset of them, all accepted.

    Parameters
    ----------
    path : Path
        Folder of the new dataset.
    images : sequence of array
        Raw images.
    labels : sequence of array
        Labels of each image, of its size along Y, X and, if it has one, Z.
    images_dir : Path
        Folder that receives the files as ``raw/0001.tif``, ``labels/0001.tif`` and so on; must not exist.
    axes : str, optional
        Axes of an image, such as ``"CYX"`` or ``"ZYX"``; ``"YX"`` if the arrays have two dimensions.
    channel_names : sequence of str, optional
        One name per channel.
    pixel_size_um : tuple of float or None, optional
        Z, Y, X in micrometres.
    val : float, optional
        Fraction of the images held aside for validation.
    seed : int, optional
        Of the split.
    label_kind : {"instances", "semantic"}, optional
        Whether labels number objects or name classes; found out from the labels if absent.
    context : Context, optional
        Receives progress, and may cancel; nothing is left behind then.

    Raises
    ------
    DatasetError
        If numbers or shapes of images and labels differ, or the axes are missing or don't fit.
    ImageError
        If an array can't be written as an image.
    """
    from segloop.images.pairing import pair_by_stem
    from segloop.images.write import write_image

    if len(images) != len(labels):
        raise DatasetError(
            f"There are {counted(len(images), 'image')} and {counted(len(labels), 'label image')}: pass one "
            "label image for each image, in the same order."
        )
    if not len(images):
        raise DatasetError("There are no images to learn from: pass at least one image with its labels.")
    if images_dir.exists():
        raise DatasetError(f"{images_dir} already exists: choose another folder.")
    digits = max(4, len(str(len(images))))
    try:
        for number, (image, truth) in enumerate(zip(images, labels, strict=True), 1):
            raw, raw_axes = _checked(np.asarray(image), axes, number)
            mask = np.asarray(truth)
            mask_axes = "".join(axis for axis in raw_axes if axis in "ZYX")
            size = tuple(raw.shape[raw_axes.index(axis)] for axis in mask_axes)
            if mask.shape != size:
                raise DatasetError(
                    f"The labels of image {number} have the shape {mask.shape}, but the image has {size} "
                    f"along {mask_axes}: they must be equal."
                )
            name = f"{number:0{digits}}.tif"
            write_image(
                images_dir / "raw" / name,
                raw,
                axes=raw_axes,
                channel_names=channel_names,
                pixel_size_um=pixel_size_um,
            )
            write_image(
                images_dir / "labels" / name, _small(mask), axes=mask_axes, pixel_size_um=pixel_size_um
            )
        pairing = pair_by_stem(images_dir / "raw", images_dir / "labels")
        return CuratedDataset.create(
            path,
            pairing.pairs,
            val=val,
            seed=seed,
            accept_all=True,
            label_kind=label_kind,
            context=context,
        )
    except BaseException:
        remove(images_dir)
        raise


def _checked(image: Any, axes: str | None, number: int) -> tuple[Any, str]:
    """Return an image and its axes, colours (S) as channels."""
    if axes is None:
        if image.ndim != 2:
            raise DatasetError(
                f"Image {number} has {image.ndim} dimensions: pass their axes, such as axes='ZYX', 'CYX' or "
                "'YXS' (colours last)."
            )
        axes = "YX"
    axes = axes.upper()
    known = (
        len(set(axes)) == len(axes) and {"Y", "X"} <= set(axes) <= set("CZYXS") and not {*"CS"} <= set(axes)
    )
    if not known or image.ndim != len(axes):
        raise DatasetError(
            f"Image {number} has {image.ndim} dimensions and axes='{axes}' doesn't describe them: use Y and "
            "X, with Z for slices and C for channels or S for colours."
        )
    if "S" in axes:
        image, axes = np.moveaxis(image, axes.index("S"), 0), "C" + axes.replace("S", "")
    return image, axes


def _small(labels: Any) -> Any:
    """Return labels in a type that files take; what can't be labels is refused when the file is read."""
    if labels.dtype.kind == "i" and labels.size and labels.min() >= 0:
        return labels.astype(np.uint16 if labels.max() < 1 << 16 else np.uint32)
    return labels
