"""A small image after each validation that shows what the network finds."""

from __future__ import annotations

import logging

import numpy as np
from numpy.typing import NDArray
from torch import nn

from segloop.artifacts.job.job import EventLog
from segloop.artifacts.run.run import PREVIEW_FOLDER
from segloop.core.atomic import atomic_path
from segloop.inference.device import ResolvedDevice
from segloop.inference.engine import Engine
from segloop.targets import Decoded
from segloop.training.cache import CachedSample
from segloop.training.checkpoint_callback import Validator
from segloop.training.model_export import ModelDescription
from segloop.training.module import SegmentationModule
from segloop.training.patches import read_patch
from segloop.training.validation import Scores

logger = logging.getLogger("segloop.training")

MAX_PREVIEWS = 20
"""Number of images that a run keeps, the newest ones."""

_MAX_SIZE = {2: (1, 384, 384), 3: (16, 192, 192)}  # Z, Y, X in pixels, by the dimensions of the network
_OUTLINE = (255, 214, 0)  # RGB


class PreviewingValidator:
    """Adds an image to each validation of another validator.

    Parameters
    ----------
    validator : Validator
        Scores, and saves the model.
    writer : PreviewWriter
        Writes the images.
    """

    def __init__(self, validator: Validator, writer: PreviewWriter) -> None:
        self._validator = validator
        self._writer = writer

    def validate(self, module: SegmentationModule) -> Scores | None:
        """Return the scores of the validator, and write an image."""
        scores = self._validator.validate(module)
        self._writer.write(module.average, module.current_epoch + 1)
        return scores

    def save_model(self, module: SegmentationModule, epoch: int, scores: Scores | None) -> None:
        """Have the validator save the model."""
        self._validator.save_model(module, epoch, scores)


class PreviewWriter:
    """Writes ``previews/epoch-<number>.png`` into a run and announces them.

    Each image shows one plane of a crop of limited size, always the same, so that its cost does not depend
    on the size of the images and successive ones can be compared.

    Parameters
    ----------
    log : EventLog
        Of the run.
    description : ModelDescription
        How the network is applied and decoded.
    sample : CachedSample
        The image to show.
    device : ResolvedDevice
        Where to compute.
    """

    def __init__(
        self, log: EventLog, description: ModelDescription, sample: CachedSample, device: ResolvedDevice
    ) -> None:
        self._log = log
        self._about = description
        self._sample = sample
        self._device = device

    def write(self, network: nn.Module, epoch: int) -> None:
        """Write and announce an image; a failure is logged and does not end the training.

        Parameters
        ----------
        network : torch.nn.Module
            The network to apply.
        epoch : int
            Its epoch, counted from 1.
        """
        try:
            path = f"{PREVIEW_FOLDER}/epoch-{epoch:05}.png"
            self._save(path, self._picture(network))
            shows = f"{self._sample.name} with the outlines of what the network finds"
            self._log.preview(path, sample=self._sample.id, epoch=epoch, shows=shows)
        except Exception as error:
            logger.warning("There is no preview of epoch %d: %s", epoch, error)

    def _picture(self, network: nn.Module) -> NDArray[np.uint8]:
        corner, size, plane = choose_crop(
            self._sample.shape, self._sample.arrays().foreground, self._about.target.dims
        )
        image, _, _ = read_patch(self._sample, corner, size, self._about.normalisation)
        engine = Engine(network, self._about.target, self._device.device, self._device.mixed)
        decoded = self._about.target.decode(
            engine.run_whole(self._about.recipe.apply(image)), self._about.parameters
        )
        return draw_outlines(image[:, plane], _found(decoded)[plane])

    def _save(self, name: str, picture: NDArray[np.uint8]) -> None:
        import imagecodecs

        path = self._log.folder / name
        path.parent.mkdir(exist_ok=True)
        with atomic_path(path) as partial:
            partial.write_bytes(imagecodecs.png_encode(picture))
        for old in sorted(path.parent.glob("epoch-*.png"))[:-MAX_PREVIEWS]:
            old.unlink(missing_ok=True)


def choose_crop(
    shape: tuple[int, int, int], foreground: NDArray[np.integer], dims: int
) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    """Choose a crop around the middle of the foreground.

    Parameters
    ----------
    shape : (Z, Y, X)
        Of the image.
    foreground : (N, 3) int
        Places in the foreground; may be empty.
    dims : int
        2 for a network that takes planes, 3 for one that takes stacks.

    Returns
    -------
    corner, size : (Z, Y, X)
        Where the crop begins, and its size.
    plane : int
        Slice of the crop to show.
    """
    middle = np.array(shape) // 2
    if len(foreground):
        slices = np.bincount(foreground[:, 0])
        middle = np.median(foreground, axis=0).astype(int)
        middle[0] = int(slices.argmax())
    size = np.minimum(shape, _MAX_SIZE[dims])
    corner = np.clip(middle - size // 2, 0, np.array(shape) - size)
    return tuple(map(int, corner)), tuple(map(int, size)), int(middle[0] - corner[0])


def draw_outlines(image: NDArray[np.float32], found: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Return a picture of an image with outlines.

    Parameters
    ----------
    image : (C, Y, X) float32
        Normalised; 0 becomes black, 1 white. Of several channels the brightest counts.
    found : (Y, X) int
        Objects, classes or a mask; 0 is background.

    Returns
    -------
    (Y, X, 3) uint8
        RGB.
    """
    from skimage.segmentation import find_boundaries

    grey = np.rint(255 * image.max(axis=0).clip(0, 1)).astype(np.uint8)
    picture: NDArray[np.uint8] = np.repeat(grey[..., None], 3, axis=2)
    picture[find_boundaries(found, connectivity=2, mode="inner")] = _OUTLINE
    return picture


def _found(decoded: Decoded) -> NDArray[np.integer]:
    for found in (decoded.labels, decoded.classes, decoded.mask):
        if found is not None:
            return found
    # Of a target with other outputs, the first is taken as a mask.
    return (next(iter(decoded.values())) > 0).astype(np.uint8)
