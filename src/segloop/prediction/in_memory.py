"""A model applied to one image, the outputs as arrays: nothing is written to disk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from segloop.core.context import Context
from segloop.prediction.output_plan import output_specs
from segloop.prediction.outputs import ArrayWriter
from segloop.prediction.predict import ImagePrediction, OnMessage
from segloop.prediction.writing import PredictionWriter

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from segloop.artifacts.model.model import Model
    from segloop.config.predict import PredictConfig
    from segloop.images.image import Image
    from segloop.inference.engine import Engine
    from segloop.targets.output import Output


def predict_in_memory(
    model: Model,
    engine: Engine,
    image: Image,
    config: PredictConfig,
    context: Context | None = None,
    on_message: OnMessage = lambda text, level: None,
) -> dict[Output, NDArray[Any]]:
    """Return the arrays that `segloop.prediction.predict.predict_image` would write.

    Parameters
    ----------
    model, engine, image, config, context, on_message
        As in `predict_image`; the file format does not matter.

    Returns
    -------
    dict of Output to array
        Axes (T, C, Z, Y, X) without T, C and Z where they have length 1, data types as in the files.

    Raises
    ------
    ModelError, ConfigError, ImageError, Cancelled
        As `predict_image`.
    """
    context = context or Context()
    work = ImagePrediction.prepare(model, engine, image, config, on_message)
    maps = [spec.name for spec in work.target.maps]
    specs = output_specs(
        work.outputs,
        maps,
        image.shape,
        image.pixel_size_um,
        lambda kind: Path(kind.name),
        work.config.float_probability,
    )
    writers = [ArrayWriter(spec) for spec in specs]
    work.run(PredictionWriter(writers), context, None)
    for writer in writers:
        writer.finish()
    context.progress(1, 1, image.name)
    return {writer.spec.kind: writer.array for writer in writers}
