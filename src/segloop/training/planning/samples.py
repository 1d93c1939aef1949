"""The accepted samples of a dataset, and what follows: channels, dimensions, options of the target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.manifest import Sample, Split
from segloop.artifacts.run.plan import Choice
from segloop.config.train import TrainConfig
from segloop.core.context import Context
from segloop.core.errors import DatasetError, ImageError
from segloop.core.wording import counted
from segloop.images.image import Image
from segloop.images.recipe import Recipe, resolve_channels
from segloop.targets import TARGETS, LabelFacts, ParameterSet
from segloop.training.planning.compatibility import example_channels
from segloop.training.planning.target import resolve_target, target_choice

_MOST_VALUES = 256  # of labels; more can only be objects

VoxelSize = tuple[float | None, float | None, float | None]

_PIXEL_SIZE_REASON = "Pixel size of the dataset, or the median of its images."


@dataclass(frozen=True)
class Header:
    """What is known of a sample before its pixels are read.

    Attributes
    ----------
    sample : Sample
        From the dataset.
    image : Image
        Its raw image, opened lazily.
    channels : tuple of int
        Numbers of the channels that the recipe uses, in order.
    """

    sample: Sample
    image: Image
    channels: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Sizes along (Z, Y, X)."""
        return self.image.shape[2:]


@dataclass(frozen=True)
class Survey:
    """What a training needs to know of its dataset.

    Attributes
    ----------
    train, val : tuple of Header
        Accepted samples of either split that can be opened.
    dims : {2, 3}
        Spatial dimensions of the network.
    recipe : Recipe
        What the inputs of the network are computed from.
    options : ParameterSet
        The target's options, with nothing left open.
    voxel_size_um : tuple of float or None
        Z, Y, X in micrometres.
    choices : tuple of Choice
        The same for people, with reasons.
    problems : tuple of str
        One sentence for each sample that can't be used.
    """

    train: tuple[Header, ...]
    val: tuple[Header, ...]
    dims: Literal[2, 3]
    recipe: Recipe
    options: ParameterSet
    voxel_size_um: VoxelSize
    choices: tuple[Choice, ...]
    problems: tuple[str, ...]

    @property
    def headers(self) -> dict[str, Header]:
        """All samples by id: those of the training split first."""
        return {header.sample.id: header for header in (*self.train, *self.val)}


def survey(dataset: CuratedDataset, config: TrainConfig, context: Context) -> Survey:
    """Look at all accepted samples.

    Raises
    ------
    DatasetError
        If there is nothing to learn from, or 2D and 3D images are mixed.
    Cancelled
        If the user asks to stop.
    """
    config = resolve_target(config, dataset.label_kind)
    dataset.summaries()
    problems = list(dataset.problems)
    recipe = _recipe(config, dataset)
    train = _open(dataset, "train", recipe, problems, context)
    val = _open(dataset, "val", recipe, problems, context)
    headers = train + val
    if not headers:
        raise DatasetError(_nothing_accepted(dataset, problems))
    count = len(headers[0].channels)
    fewest = min(header.image.n_channels for header in headers)
    for header in [header for header in headers if len(header.channels) != count]:
        problems.append(
            f"{header.image.name} has {counted(header.image.n_channels, 'channel')}, "
            f"{headers[0].image.name} has {count}: choose which ones to use under Channels "
            f"({example_channels(fewest)})."
        )
    train = [header for header in train if len(header.channels) == count]
    val = [header for header in val if len(header.channels) == count]
    headers = train + val
    dims, reason = choose_dims([(h.image.name, h.shape[0]) for h in headers], config.network.dimensions)
    names = _common_names(headers)
    recipe = recipe.renamed(names) if recipe is not None else Recipe.of_channels(names)
    options, note = _choose_options(dataset, headers, config, context)
    voxel_size = _voxel_size(dataset, headers)
    choices = (
        target_choice(config.target.kind, dataset.label_kind),
        Choice(name="Dimensions", value=f"{dims}D", reason=reason),
        Choice(name="Channels", value=", ".join(recipe.names), reason=_channel_reason(config, recipe.names)),
        *_option_choices(options, note),
        Choice(name="Pixel size", value=_in_micrometres(voxel_size), reason=_PIXEL_SIZE_REASON),
    )
    return Survey(
        train=tuple(train),
        val=tuple(val),
        dims=dims,
        recipe=recipe,
        options=options,
        voxel_size_um=voxel_size,
        choices=choices,
        problems=tuple(problems),
    )


def _recipe(config: TrainConfig, dataset: CuratedDataset) -> Recipe | None:
    """Return the recipe that was chosen, None for all channels of each image."""
    if config.recipe.channels:
        return Recipe.parse(config.recipe.channels)
    return Recipe.of_channels(dataset.channels) if dataset.channels else None


def _channel_reason(config: TrainConfig, channels: Sequence[str]) -> str:
    names = ", ".join(channels)
    if config.recipe.channels:
        return f"Channels as set by recipe.channels: {names}."
    return f"Channels: {names}, as the dataset has {len(channels)}."


def _in_micrometres(sizes: VoxelSize) -> str:
    known = [f"{axis} {size:.3g}" for axis, size in zip("ZYX", sizes, strict=True) if size is not None]
    return f"{', '.join(known)} µm" if known else "unknown"


def _nothing_accepted(dataset: CuratedDataset, problems: Sequence[str]) -> str:
    if problems:
        return f"No accepted sample of {dataset.path} can be read. The first: {problems[0]}"
    counts = dataset.counts()
    if counts.total == 0:
        return f"The dataset {dataset.path} has no samples: add some first."
    return (
        f"None of the {counts.total} samples of {dataset.path} is accepted for training "
        f"({counts.undecided} undecided, {counts.rejected} rejected): accept some in the Curation dock."
    )


def _open(
    dataset: CuratedDataset, split: Split, recipe: Recipe | None, problems: list[str], context: Context
) -> list[Header]:
    headers = []
    for sample_id in dataset.split(split):
        context.check()
        sample = dataset.sample(sample_id)
        try:
            image = dataset.raw(sample)
            if image.n_timepoints > 1:
                raise ImageError(
                    f"{image.name} has {image.n_timepoints} time points: save each as an image of its own."
                )
            channels = resolve_channels(image, ()) if recipe is None else recipe.find(image)
            headers.append(Header(sample, image, channels))
        except (ImageError, DatasetError) as error:
            problems.append(str(error))
    return headers


def choose_dims(depths: Sequence[tuple[str, int]], wanted: int) -> tuple[Literal[2, 3], str]:
    """Return 2 or 3, and the reason.

    Parameters
    ----------
    depths : sequence of (name, number of slices)
        Of all images.
    wanted : int
        2 or 3 as configured; 0 decides by the images.

    Raises
    ------
    DatasetError
        If 2D and 3D images are mixed, or 3 is wanted of 2D images.
    """
    flat = [name for name, depth in depths if depth == 1]
    deep = [(name, depth) for name, depth in depths if depth > 1]
    if wanted == 2 and deep:
        return 2, "The stacks are learned slice by slice because network.dimensions is 2."
    if wanted == 3 and flat:
        raise DatasetError(
            f"{flat[0]} has one slice, so a 3D network can't learn from it: "
            "set network.dimensions to 2, or reject such samples."
        )
    if flat and deep:
        raise DatasetError(
            f"The dataset mixes 2D images ({flat[0]}) and stacks ({deep[0][0]} has {deep[0][1]} slices): "
            "set network.dimensions to 2 to learn slice by slice, or keep them in two datasets."
        )
    if deep:
        return 3, f"3D network because the images have up to {max(depth for _, depth in deep)} slices."
    return 2, "2D network because the images have one slice."


def _common_names(headers: Sequence[Header]) -> tuple[str, ...]:
    """Return a name for each channel that is used; its number where images name it differently."""
    names = []
    for slot, number in enumerate(headers[0].channels):
        found = {header.image.channel_names[header.channels[slot]] for header in headers}
        names.append(found.pop() if len(found) == 1 else str(number))
    return tuple(names) if len(set(names)) == len(names) else tuple(str(n) for n in headers[0].channels)


def _choose_options(
    dataset: CuratedDataset, headers: Sequence[Header], config: TrainConfig, context: Context
) -> tuple[ParameterSet, str]:
    target = TARGETS.get(config.target.kind)
    wanted = target.options_type.from_values(config.target.options, "target")

    def label_values() -> set[int]:
        values: set[int] = set()
        for done, header in enumerate(headers):
            context.progress(done, len(headers), "Counting classes")
            try:
                truth = dataset.ground_truth(header.sample)
            except (ImageError, DatasetError):
                continue  # reported when the sample is read for training
            values.update(np.unique(truth.labels[truth.valid]).tolist())
            if len(values) > _MOST_VALUES:
                break
        return values - {0}

    return target.resolve_options(wanted, LabelFacts(dataset.label_kind, str(dataset.path), label_values))


def _option_choices(options: ParameterSet, note: str) -> list[Choice]:
    if not note:
        return []
    values = options.values()
    titles = ", ".join(field.title for field in options.fields())
    return [Choice(name=titles, value=", ".join(str(value) for value in values.values()), reason=note)]


def _voxel_size(dataset: CuratedDataset, headers: Sequence[Header]) -> VoxelSize:
    known = tuple(dataset.pixel_size_um)
    if any(size is not None for size in known):
        z, y, x = known
        return z, y, x

    def typical(axis: int) -> float | None:
        sizes = [header.image.pixel_size_um[axis] for header in headers]
        found = [size for size in sizes if size is not None]
        return float(np.median(found)) if found else None

    return typical(0), typical(1), typical(2)
