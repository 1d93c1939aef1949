"""Viewer layers as inputs of a prediction, passed to the helper process through a scratch folder.

A layer need not have a file. Its pixels are written to an OME-Zarr, which the helper reads like any other
image.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segloop.app.helper import PredictionHelper
from segloop.app.jobs import Job
from segloop.app.tasks import submit
from segloop.artifacts.job.task import PredictTask
from segloop.config import compose
from segloop.config.predict import OutputFormat, PredictConfig
from segloop.core.atomic import remove
from segloop.core.context import Context
from segloop.core.errors import ImageError
from segloop.core.file_names import free_name, plain_file_name

if TYPE_CHECKING:
    from segloop.images.image import Image, PixelSize

SCRATCH_PREFIX = "layers-"
"""First part of the names of scratch folders; the number of the process that created them follows."""

_BLOCK_PIXELS = 1 << 23
"""Number of pixels copied at once; copying can be cancelled between two blocks."""


@dataclass(frozen=True, eq=False)
class LayerImage:
    """The image in one or more layers, at the moment when the prediction was asked for.

    Attributes
    ----------
    name : str
        Of the layer; of the first one where several make up the image.
    parts : tuple of array-like
        NumPy, dask or Zarr arrays, not copied. Several parts are the channels of one image.
    axes : str
        Of each part, such as ``"YX"``, ``"CYX"`` or ``"YXS"`` (S: colour samples).
    channel_names : tuple of str
        One name per channel; empty if they are not known.
    pixel_size_um : tuple of float or None
        Z, Y, X.
    source : str
        Path of the file behind the layer; empty if it was never saved.
    """

    name: str
    parts: tuple[Any, ...] = field(repr=False)
    axes: str
    channel_names: tuple[str, ...] = ()
    pixel_size_um: PixelSize = (None, None, None)
    source: str = ""

    def image(self) -> Image:
        """Return the image, lazily.

        Raises
        ------
        ImageError
            If the axes do not fit the array, the pixels are not numbers, or layers that should be the
            channels of one image differ in size.
        """
        import dask.array as da

        from segloop.images.image import Image

        images = [Image.from_array(part, self.axes, name=self.name) for part in self.parts]
        first = images[0]
        for other in images[1:]:
            if other.shape != first.shape:
                raise ImageError(
                    f"The layers ticked as channels of `{self.name}` differ in size: tick layers of the "
                    "same size."
                )
        names = self.channel_names
        if len(images) > 1:
            data = da.concatenate([image.data for image in images], axis=1)  # type: ignore[no-untyped-call]
            return Image(self.name, data, names, self.pixel_size_um)
        return replace(first, channel_names=names or first.channel_names, pixel_size_um=self.pixel_size_um)


@dataclass(frozen=True)
class LayerJob:
    """A prediction of layers that was started.

    Attributes
    ----------
    job : Job
        The job of the helper.
    folder : Path
        Scratch folder of the job, with the outputs.
    inputs : tuple of str
        Path by which the job's events name each image, in the order given.
    """

    job: Job
    folder: Path
    inputs: tuple[str, ...]


def new_scratch(scratch_dir: Path) -> Path:
    """Return the path of a scratch folder for one prediction; nothing is created."""
    return scratch_dir / f"{SCRATCH_PREFIX}{os.getpid()}-{uuid.uuid4().hex[:8]}"


def clean_scratch(scratch_dir: Path, context: Context | None = None) -> None:
    """Remove scratch folders and logs of viewers that were closed."""
    import psutil

    for path in (*scratch_dir.glob(f"{SCRATCH_PREFIX}*"), *scratch_dir.glob("helper-*.log")):
        owner = path.name.split("-")[1]
        if owner.isdigit() and not psutil.pid_exists(int(owner)):
            remove(path)


def start(
    helper: PredictionHelper,
    model: str,
    images: Sequence[LayerImage],
    config: PredictConfig,
    folder: Path,
    context: Context | None = None,
) -> LayerJob:
    """Write layers to a scratch folder and have the helper predict them.

    Parameters
    ----------
    helper : PredictionHelper
        The process that predicts.
    model : str
        Path of a model or run.
    images : sequence of LayerImage
        What to predict.
    config : PredictConfig
        Which outputs, and how; outputs are always Zarr, so that a viewer can show them while they grow.
    folder : Path
        New folder for the job, from `new_scratch`.
    context : Context, optional
        Progress and cancellation of the writing.

    Raises
    ------
    ImageError
        If a layer can't be used, or the scratch folder can't be written.
    JobError
        If the helper can't be started.
    Cancelled
        If the writing was cancelled; the scratch folder is then removed.
    """
    context = context or Context()
    try:
        inputs = []
        taken: set[str] = set()
        for number, layer in enumerate(images):
            stem = _stem(layer.name, taken)
            path = folder / "input" / f"{stem}.ome.zarr"
            write_layer(layer.image(), path, _part(context, number, len(images)))
            inputs.append(str(path))
        task = PredictTask(
            model=model,
            inputs=inputs,
            out=str(folder / "output"),
            config=compose.to_dict(replace(config, format=OutputFormat.zarr)),
        )
        submit(folder, task)
        context.check()
        return LayerJob(helper.submit(folder), folder, tuple(inputs))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def start_files(
    helper: PredictionHelper,
    model: str,
    inputs: Sequence[str],
    config: PredictConfig,
    out: Path,
    folder: Path,
    context: Context | None = None,
) -> Job:
    """Have the helper predict files; see `PredictTask` for ``inputs`` and ``out``.

    Parameters
    ----------
    folder : Path
        Folder of the job, for its task and its events.

    Raises
    ------
    JobError
        If a job in this folder is under way, the folder can't be written, or the helper can't be started.
    """
    submit(
        folder, PredictTask(model=model, inputs=list(inputs), out=str(out), config=compose.to_dict(config))
    )
    return helper.submit(folder)


def write_layer(image: Image, path: Path, context: Context | None = None) -> None:
    """Write an image to a new OME-Zarr, block by block, all five axes.

    Raises
    ------
    ImageError
        If the image can't be read, or the folder can't be written.
    Cancelled
        If the user asked to stop.
    """
    from segloop.images.write import complete_zarr, create_zarr
    from segloop.images.zarr_writing import zarr_writing

    context = context or Context()
    n_t, n_c, n_z, n_y, n_x = image.shape
    stored = create_zarr(
        path,
        image.shape,
        image.dtype,
        axes="TCZYX",
        channel_names=image.channel_names,
        pixel_size_um=image.pixel_size_um,
    )
    depth, rows = stored.chunks[2], stored.chunks[3]
    # Whole chunks, as many as fit into a block.
    if n_y * n_x * depth <= _BLOCK_PIXELS:
        depth, rows = depth * max(1, _BLOCK_PIXELS // (n_y * n_x * depth)), n_y
    corners = [
        (t, c, z, y)
        for t in range(n_t)
        for c in range(n_c)
        for z in range(0, n_z, depth)
        for y in range(0, n_y, rows)
    ]
    for t, c, z, y in context.track(corners, len(corners), f"Copying {image.name}"):
        zs, ys = slice(z, min(z + depth, n_z)), slice(y, min(y + rows, n_y))
        block = image.block(t, [c], zs, ys, slice(0, n_x))
        with zarr_writing(path):
            stored[t, c, zs, ys] = block[0]
    with zarr_writing(path):
        complete_zarr(path)


def _part(context: Context, number: int, count: int) -> Context:
    from segloop.prediction.progress import part_of

    return part_of(context, number, count)


def _stem(name: str, taken: set[str]) -> str:
    stem = free_name(plain_file_name(name, "layer").replace(".", "-"), lambda stem: stem.casefold() in taken)
    taken.add(stem.casefold())
    return stem
