"""What the record of a prediction says about where it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segloop.artifacts.prediction.provenance import (
    ModelUsed,
    OutputFile,
    Prediction,
    Provenance,
    timestamp,
)
from segloop.config import compose
from segloop.core.errors import ImageError
from segloop.core.file_errors import reading, writing
from segloop.core.fingerprint import content, fingerprint
from segloop.prediction.outputs import FileWriter

if TYPE_CHECKING:
    from segloop.artifacts.model.model import Model
    from segloop.config.predict import PredictConfig
    from segloop.images.image import Image
    from segloop.inference.engine import Engine
    from segloop.prediction.fitting import Fit
    from segloop.prediction.outputs import OutputSpec
    from segloop.targets import ParameterSet

# Not compared when it is asked whether a prediction would be the same again.
_MEASURED = {"n_objects", "diameter", "scale", "inverted", "seconds"}
_WHAT_CAME_OF_IT = _MEASURED | {"outputs", "pending", "created", "rethresholded"}
_PACKAGES = ("torch", "monai", "numpy", "scikit-image", "scipy", "tifffile", "zarr", "bioio")


def describe(
    model: Model, engine: Engine, image: Image, config: PredictConfig, fitted: Fit, parameters: ParameterSet
) -> Provenance:
    """Say where a prediction comes from, before it has outputs."""
    card = model.card
    target = model.target()
    source = None
    if image.path is not None:
        with reading(image.path, ImageError):
            source = fingerprint(image.path)
    return Provenance(
        image=image.name,
        scene=image.scene if len(image.scenes) > 1 else "",
        input=source,
        model=ModelUsed(
            name=card.name,
            path=str(model.path),
            weights_sha256=model.sha256,
            target=target.name,
            options=target.options.values(),
            dimensions=target.dims,
            pixel_size_um=card.pixel_size_um,
            parameters=model.parameters.values(),
        ),
        channels=[image.channel_names[channel] for channel in fitted.channels],
        inputs=list(card.recipe.build().names),
        pixel_size_um=image.pixel_size_um,
        config=compose.to_dict(config),
        parameters=parameters.values(),
        slice_by_slice=fitted.slice_by_slice,
        device=f"{engine.device} ({'mixed' if engine.mixed else 'full'} precision)",
        created=timestamp(),
        segloop_version=_version("napari-segloop"),
        packages={name: _version(name) for name in _PACKAGES},
    )


def output_file(writer: FileWriter) -> OutputFile:
    """Complete an output, and return its entry in the record."""
    spec, dtype = writer.spec, writer.finish()
    with writing(spec.path, ImageError):
        written = content(writer.staged)
    return OutputFile(
        kind=spec.kind.name,
        path=spec.path.name,
        axes=spec.axes,
        shape=list(spec.stored_shape),
        dtype=str(dtype),
        maps=list(spec.maps),
        content=written,
    )


def is_up_to_date(earlier: Prediction, wanted: Provenance, specs: Sequence[OutputSpec]) -> bool:
    """Return whether a prediction is what predicting would give: same input, model, settings and outputs.

    Parameters
    ----------
    earlier : Prediction
        What is there.
    wanted : Provenance
        Where the new prediction would come from; see `describe`.
    specs : sequence of OutputSpec
        What it would write.
    """
    record = earlier.provenance
    if record.input is None or wanted.input is None or not record.input.same(wanted.input):
        return False
    if _compared(record) != _compared(wanted):
        return False
    there = {(each.kind, each.path) for each in record.outputs}
    if there != {(spec.kind.name, spec.path.name) for spec in specs}:
        return False
    return all(_is_unchanged(earlier.path.parent / each.path, each) for each in record.outputs)


def _compared(record: Provenance) -> dict[str, Any]:
    """Return what must be equal in two records for their outputs to be equal."""
    values = record.model_dump(exclude=_WHAT_CAME_OF_IT | {"input"})
    config = {name: value for name, value in values["config"].items() if name != "again"}
    path = record.input.path if record.input is not None else ""
    return {**values, "config": config, "input": path}


def _is_unchanged(path: Path, output: OutputFile) -> bool:
    try:
        return output.content is not None and _is_plain(path) and content(path).same(output.content)
    except OSError:
        return False


def _is_plain(path: Path) -> bool:
    """Whether there are only files and folders: to read a stranger's link or pipe may take forever."""
    entries = chain([path], path.rglob("*"))  # not looked into if it is a link
    return all(not entry.is_symlink() and (entry.is_file() or entry.is_dir()) for entry in entries)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
