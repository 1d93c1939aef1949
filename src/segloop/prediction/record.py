"""What the record of a prediction says about where it comes from."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from segloop.artifacts.prediction.provenance import (
    ModelUsed,
    OutputFile,
    Provenance,
    timestamp,
)
from segloop.config import compose
from segloop.core.errors import ImageError
from segloop.core.file_errors import reading
from segloop.core.fingerprint import fingerprint
from segloop.prediction.outputs import OutputSpec

if TYPE_CHECKING:
    import numpy as np

    from segloop.artifacts.model.model import Model
    from segloop.config.predict import PredictConfig
    from segloop.images.image import Image
    from segloop.inference.engine import Engine
    from segloop.prediction.fitting import Fit
    from segloop.targets import ParameterSet

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


def output_file(spec: OutputSpec, dtype: np.dtype[Any]) -> OutputFile:
    """Return the entry of an output in the record."""
    return OutputFile(
        kind=spec.kind.name,
        path=spec.path.name,
        axes=spec.axes,
        shape=list(spec.stored_shape),
        dtype=str(dtype),
        maps=list(spec.maps),
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
