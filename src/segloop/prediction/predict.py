"""A model applied to one image: every time point, block by block, outputs written beside their record.

Maps are reduced to 8 bit as each block comes out of the network, so memory is bounded by the block for
probabilities, and for masks and classes without a minimum size. Labels, and anything with a minimum size, are
decoded from the reduced maps of a whole time point, which live in a scratch file when they are large.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from segloop.artifacts.prediction.place import Place
from segloop.config.predict import Contrast, PredictConfig
from segloop.core.context import Context
from segloop.core.errors import ImageError
from segloop.images.normalisation import Intensities
from segloop.images.recipe import Recipe
from segloop.images.scaling import Scaling
from segloop.prediction.contrast import find_inverted, remark
from segloop.prediction.fitting import Fit, fit
from segloop.prediction.memory_check import require_memory
from segloop.prediction.object_size import measure_diameter, scale_for
from segloop.prediction.output_plan import plan_outputs
from segloop.prediction.outputs import OutputSpec, Slices, allocate
from segloop.prediction.progress import part_of
from segloop.prediction.record import describe, is_up_to_date
from segloop.prediction.scaling import run_scaled
from segloop.prediction.writing import PredictionWriter, prediction_writer
from segloop.targets import ParameterSet, Target, quantise
from segloop.targets.output import LABELS, PROBABILITY, Output

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from segloop.artifacts.model.model import Model
    from segloop.artifacts.prediction.provenance import Provenance
    from segloop.images.image import Image
    from segloop.inference.engine import Engine

_NETWORK_SHARE = 0.9  # of the progress of one time point, where maps are decoded as a whole

OnOutput = Callable[[Path, Output, bool], None]
OnMessage = Callable[[str, str], None]


@dataclass(frozen=True)
class PredictionResult:
    """What `predict_image` wrote.

    Attributes
    ----------
    record : Path
        The provenance, ``<stem>.json``.
    outputs : dict
        Path of each output by its kind.
    n_objects : int or None
        Number of labelled objects over all time points; None without labels.
    kept : bool
        Whether an earlier prediction is kept, as the same model had predicted it with the same settings.
    """

    record: Path
    outputs: dict[Output, Path]
    n_objects: int | None
    kept: bool = False


def predict_image(
    model: Model,
    engine: Engine,
    image: Image,
    config: PredictConfig,
    out: Path,
    stem: str,
    context: Context | None = None,
    on_output: OnOutput = lambda path, kind, growing: None,
    on_message: OnMessage = lambda text, level: None,
) -> PredictionResult:
    """Apply a model to all time points of an image (one scene) and write the outputs.

    Each time point is normalised and decoded on its own, so object numbers do not carry over in time. If the
    same model has predicted the same file with the same settings, and its outputs are unchanged, that
    prediction is kept, unless ``config.again`` is set.

    Parameters
    ----------
    model : Model
        Recipe, normalisation and parameters come from it.
    engine : Engine
        Its network and target, on the chosen device.
    image : Image
        TCZYX; blocks of it are read as they are needed.
    config : PredictConfig
        What to write, and how.
    out : Path
        Folder for the outputs; made if missing.
    stem : str
        Name of the prediction below ``out``, with forward slashes for subfolders.
    context : Context, optional
        Progress from 0 to 1, and cancel.
    on_output : callable, optional
        Called with path, kind and whether it is still being filled: for a Zarr at its creation, with the
        path at which it grows, and for every output once it is complete.
    on_message : callable, optional
        Called with a sentence for the user and its level, ``"info"`` or ``"warning"``.

    Raises
    ------
    ModelError
        If the model does not fit the image.
    ConfigError
        If the model does not have an output that was asked for.
    ImageError
        If the image can't be read, an output can't be written, or its place is taken by a file that is no
        prediction.
    Cancelled
        If the user asked to stop. After any error the folder holds what it held before.
    """
    context = context or Context()
    started = time.perf_counter()
    work = ImagePrediction.prepare(model, engine, image, config, on_message)
    target, config = work.target, work.config
    place = Place(Path(out), stem)
    specs = plan_outputs(
        work.outputs,
        [spec.name for spec in target.maps],
        image.shape,
        image.pixel_size_um,
        place,
        file_format=config.format,
        from_zarr=image.path is not None and any(p.lower().endswith(".zarr") for p in image.path.parts),
        float_probability=config.float_probability,
    )
    if image.path is not None and image.path.absolute() in {spec.path.absolute() for spec in specs}:
        raise ImageError(
            f"The prediction of `{image.path}` would overwrite it: choose another output folder."
        )
    record = describe(model, engine, image, config, work.fit, work.parameters)
    outputs = {spec.kind: spec.path for spec in specs}
    earlier = None if config.again else place.earlier()
    if earlier is not None and is_up_to_date(earlier, record, specs):
        n_objects, kept = earlier.provenance.n_objects, True
    else:
        n_objects, kept = _write(work, place, record, specs, on_output, context, started), False
    for kind, path in outputs.items():
        on_output(path, kind, False)
    context.progress(1, 1, image.name)
    return PredictionResult(place.path, outputs, n_objects, kept)


def _write(
    work: ImagePrediction,
    place: Place,
    record: Provenance,
    specs: Sequence[OutputSpec],
    on_output: OnOutput,
    context: Context,
    started: float,
) -> int | None:
    """Predict and write; return the number of objects, None without labels."""
    with prediction_writer(place, record, specs) as writer:
        for kind, path in writer.growing.items():
            on_output(path, kind, True)
        work.run(writer, context, place.folder)
        writer.details["seconds"] = round(time.perf_counter() - started, 3)
    return writer.n_objects if LABELS in work.outputs else None


@dataclass(frozen=True)
class ImagePrediction:
    """A model about to be applied to an image; make it by `prepare`.

    Attributes
    ----------
    model, engine, image, on_message
        As in `predict_image`.
    target : Target
        That of the model.
    config : PredictConfig
        Its outputs are those that will be predicted.
    outputs : tuple of Output
        The same.
    fit : Fit
        Which channels are used.
    scaling : Scaling
        How intensities are scaled.
    recipe : Recipe
        What the model's inputs are computed from.
    parameters : ParameterSet
        The model's own, or those of the config.
    """

    model: Model
    engine: Engine
    target: Target
    image: Image
    config: PredictConfig
    outputs: tuple[Output, ...]
    fit: Fit
    scaling: Scaling
    recipe: Recipe
    parameters: ParameterSet
    on_message: OnMessage

    @classmethod
    def prepare(
        cls, model: Model, engine: Engine, image: Image, config: PredictConfig, on_message: OnMessage
    ) -> ImagePrediction:
        """Check that a model fits an image, and choose how to apply it; see `predict_image`."""
        fitted = fit(model.card, image, config)
        target = model.target()
        names = list(dict.fromkeys(config.outputs)) or [target.outputs[0].name]
        outputs = tuple(target.output(name) for name in names)
        config = replace(config, outputs=names)
        for level, sentence in fitted.remarks:
            on_message(sentence, level)
        parameters = model.parameters.override(config.threshold)
        scaling, recipe = model.card.normalisation.build(), model.card.recipe.build()
        return cls(
            model, engine, target, image, config, outputs, fitted, scaling, recipe, parameters, on_message
        )

    def run(self, writer: PredictionWriter, context: Context, scratch: Path | None) -> None:
        """Predict all time points.

        Parameters
        ----------
        writer : PredictionWriter
            Takes the outputs.
        context : Context
            Progress and cancel.
        scratch : Path or None
            Folder for a scratch file where maps are large; None keeps them in memory.
        """
        if not self._streams:
            require_memory(self.target, self.image.shape[2:], self.image.name)
        n_empty = 0
        scale = 1.0
        intensities = self._intensities(0, context)
        inverted = self._inverted(intensities, writer)
        for t in range(self.image.n_timepoints):
            if t > 0:
                intensities = self._intensities(t, context)
            ranges = np.where(inverted[:, None], intensities.inverted_ranges, intensities.ranges)
            n_empty += bool((ranges[:, 1] == ranges[:, 0]).all())
            if t == 0:
                scale = self._scale(ranges, writer, context)
            part = part_of(context, t, self.image.n_timepoints)
            self._time_point(t, ranges, scale, writer, part, scratch)
        if n_empty:
            self.on_message(_empty(self.image, n_empty), "warning")

    def _scale(self, ranges: NDArray[np.float32], writer: PredictionWriter, context: Context) -> float:
        """Return the factor by which the image is resampled, by its objects at the first time point."""
        known = self.model.card.object_diameter
        if known is None:
            return 1.0
        diameter: float | None = self.config.diameter
        if not diameter:
            context.progress(0, 1, f"Measuring the objects of {self.image.name}")
            diameter = measure_diameter(
                self.engine,
                self.target,
                self.model.parameters,  # not the chosen ones: with kept maps, these can change later
                self._reader(0, ranges),
                self.image.shape[2:],
                known,
                context,
            )
        scale = scale_for(diameter, known)
        writer.details |= {"diameter": diameter, "scale": scale}
        if diameter is not None and scale != 1:
            self.on_message(
                f"`{self.image.name}` is resampled by {scale:.2f}, because its objects are about "
                f"{diameter:.0f} px wide.",
                "info",
            )
        return scale

    @property
    def _decoded(self) -> list[Output]:
        return [kind for kind in self.outputs if kind != PROBABILITY]

    @property
    def _streams(self) -> bool:
        """Whether all outputs are written block by block."""
        # A block is predicted without surroundings, so only what needs none is decoded block by block.
        return all(self.target.context(kind, self.parameters) == (0, 0, 0) for kind in self._decoded)

    def _inverted(self, intensities: Intensities, writer: PredictionWriter) -> NDArray[np.bool_]:
        """Return which channels are inverted, by the intensities at the first time point."""
        card, contrast = self.model.card, self.config.contrast
        inverted = find_inverted(card, intensities, contrast)
        numbers = np.flatnonzero(inverted).tolist()
        names = [self.image.channel_names[self.fit.channels[number]] for number in numbers]
        writer.details["inverted"] = names
        if names and contrast is Contrast.auto:
            shown = names if len(inverted) > 1 else []
            self.on_message(remark(card, self.image.name, shown, intensities, numbers[0]), "warning")
        return inverted

    def _intensities(self, t: int, context: Context) -> Intensities:
        """Measure a time point."""
        silent = Context(cancelled=context.cancelled)
        return self.scaling.measure(self.image, t, self.fit.channels, silent)

    def _time_point(
        self,
        t: int,
        ranges: NDArray[np.float32],
        scale: float,
        writer: PredictionWriter,
        context: Context,
        scratch: Path | None,
    ) -> None:
        """Predict a time point into the outputs."""
        context.progress(0, 1, self.image.name)
        shape = self.image.shape[2:]
        whole: NDArray[np.uint8] | None = None
        if not self._streams:
            whole = allocate((len(self.target.maps), *shape), np.uint8, scratch)
        network_context = part_of(context, 0, 1, _NETWORK_SHARE if whole is not None else 1.0)
        blocks = run_scaled(
            self.engine,
            self._reader(t, ranges),
            shape,
            scale,
            tile_size=self.config.tile_size or None,
            context=network_context,
            scratch=scratch,
        )
        for at, block in blocks:
            maps: NDArray[Any] = block.astype(np.float16) if self.config.float_probability else block
            reduced = quantise(maps)
            writer.write_maps(t, at, maps if self.config.float_probability else reduced)
            if whole is not None:
                whole[(slice(None), *at)] = reduced
            elif self._decoded:
                writer.write_block(t, at, self.target.decode_block(reduced, self.parameters, self._decoded))
        if whole is not None:
            context.check()
            writer.write_time_point(t, self.target.decode(whole, self.parameters))

    def _reader(self, t: int, ranges: NDArray[np.float32]) -> Callable[[Slices], NDArray[np.float32]]:
        def read(at: Slices) -> NDArray[np.float32]:
            block = self.image.block(t, self.fit.channels, *at)
            return self.recipe.apply(self.scaling.apply(block, ranges))

        return read


def _empty(image: Image, n_empty: int) -> str:
    if image.n_timepoints == 1:
        return f"`{image.name}` has the same intensity everywhere: nothing can be found in it."
    return (
        f"`{image.name}` has the same intensity everywhere at {n_empty} of {image.n_timepoints} time points: "
        "nothing can be found in them."
    )
