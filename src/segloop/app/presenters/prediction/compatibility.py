"""Whether a model fits the chosen images: channels, slices, pixel size, and what they look like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from segloop.app.layers import LayerImage
from segloop.core.context import Context
from segloop.core.errors import SegloopError
from segloop.core.wording import counted

if TYPE_CHECKING:
    from segloop.artifacts.model.model import ModelCard
    from segloop.config.predict import PredictConfig
    from segloop.images.image import Image

_MAX_NAMES = 3


class Level(Enum):
    """How a remark is meant."""

    ok = "ok"
    info = "info"
    warning = "warning"
    error = "error"


class Remedy(Enum):
    """What a button beside a remark does."""

    slice_by_slice = "Slice by slice"


@dataclass(frozen=True)
class Remark:
    """One line about the model and the images.

    Attributes
    ----------
    level : Level
        An error prevents the prediction.
    text : str
        One sentence.
    remedy : Remedy or None
        What would help.
    """

    level: Level
    text: str
    remedy: Remedy | None = None


@dataclass(frozen=True)
class Compatibility:
    """What was found out about the chosen images.

    Attributes
    ----------
    remarks : tuple of Remark
        In the order to show.
    channel_names : tuple of str
        Of the first image.
    is_stack : bool
        Whether any image has several slices.
    n_images : int
        Files or layers; 0 without any.
    """

    remarks: tuple[Remark, ...] = ()
    channel_names: tuple[str, ...] = ()
    is_stack: bool = False
    n_images: int = 0

    @property
    def fits(self) -> bool:
        """Whether a prediction can start."""
        return self.n_images > 0 and all(remark.level is not Level.error for remark in self.remarks)

    @property
    def remedies(self) -> tuple[Remedy, ...]:
        """What would help, each once."""
        return tuple(dict.fromkeys(remark.remedy for remark in self.remarks if remark.remedy is not None))


def check_images(
    card: ModelCard, sources: Sequence[LayerImage | str], config: PredictConfig, context: Context
) -> Compatibility:
    """Find out whether a model fits images; takes a while for files on a slow disk.

    Parameters
    ----------
    card : ModelCard
        The model.
    sources : sequence of LayerImage or str
        Layers, each of which is checked; or files, folders and patterns, of which the first image is checked.
    config : PredictConfig
        Channels and slices, as chosen so far.
    context : Context
        Cancel.
    """
    from segloop.images.listing import image_files
    from segloop.images.read import open_image

    images: list[Image] = []
    remarks: list[Remark] = []
    n_images = 0
    for source in sources:
        context.check()
        try:
            if isinstance(source, LayerImage):
                images.append(source.image())
                n_images += 1
            else:
                files = image_files(source)
                n_images += len(files)
                if not images:
                    images.append(open_image(files[0]))
        except SegloopError as error:
            remarks.append(Remark(Level.error, str(error)))
    if not images:
        return Compatibility(tuple(remarks))
    if isinstance(sources[0], str):
        words = counted(n_images, "image")
        words += f", of which the first, {images[0].name}, was checked" if n_images > 1 else ""
        remarks.insert(0, Remark(Level.info, words))
    found = [remark for image in images for remark in _check(card, image, images[0], config)]
    if not any(remark.level is Level.error for remark in (*remarks, *found)):
        found = [*_summary(card, images), *found]
    is_stack = any(image.n_slices > 1 for image in images)
    unique = tuple(dict.fromkeys([*remarks, *found]))
    return Compatibility(unique, tuple(images[0].channel_names), is_stack, n_images)


def _check(card: ModelCard, image: Image, first: Image, config: PredictConfig) -> list[Remark]:
    from segloop.prediction.fitting import fit
    from segloop.prediction.image_kind import look_remarks

    if card.axes == "YX" and image.n_slices > 1 and not config.slice_by_slice:
        text = f"`{image.name}` is a stack of {image.n_slices} slices, but the model is 2D."
        return [Remark(Level.error, text, Remedy.slice_by_slice)]
    try:
        fitted = fit(card, image, config)
        looks = look_remarks(card, image, fitted.channels)
    except SegloopError as error:
        if config.channels and image.channel_names != first.channel_names:
            text = f"`{image.name}` has other channels than `{first.name}`: predict them one after the other."
            return [Remark(Level.error, text)]
        return [Remark(Level.error, str(error))]
    found = [Remark(Level(level), sentence) for level, sentence in fitted.remarks]
    return [*found, *(Remark(Level.warning, sentence) for sentence in looks)]


def _summary(card: ModelCard, images: Sequence[Image]) -> list[Remark]:
    """Say what fits, the pixel size only if every image's was compared with the model's."""
    from segloop.prediction.fitting import MAX_PIXEL_SIZE_RATIO

    axes = (0, 1, 2) if card.axes == "ZYX" else (1, 2)
    learned = [card.pixel_size_um[axis] for axis in axes]
    fits = Remark(Level.ok, "Channels and slices fit.")
    if not all(learned):
        text = "The model's pixel size is not known, so it was not compared with the image's."
        return [fits, Remark(Level.info, text)]
    unknown = [image.name for image in images if not all(image.pixel_size_um[axis] for axis in axes)]
    if unknown:
        names = ", ".join(f"`{name}`" for name in unknown[:_MAX_NAMES])
        more = f" and {len(unknown) - _MAX_NAMES} more" if len(unknown) > _MAX_NAMES else ""
        text = f"The pixel size of {names}{more} is not known; the model was trained at {_um(learned)}."
        return [fits, Remark(Level.info, text)]
    pairs = [
        (own, known)
        for image in images
        for own, known in zip((image.pixel_size_um[axis] for axis in axes), learned, strict=True)
    ]
    if any(own and known and max(own / known, known / own) > MAX_PIXEL_SIZE_RATIO for own, known in pairs):
        return [fits]
    sizes = list(dict.fromkeys(_um([image.pixel_size_um[axis] for axis in axes]) for image in images))
    text = f"Pixel size {', '.join(sizes[:_MAX_NAMES])}; the model was trained at {_um(learned)}."
    return [fits, Remark(Level.ok, text)]


def _um(size: Sequence[float | None]) -> str:
    known = [f"{step:.3g}" for step in size if step]
    return f"{known[0] if len(set(known)) == 1 else ' x '.join(known)} µm"
