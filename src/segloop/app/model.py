"""The model as Python code uses it: loaded once, applied as often as wanted."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from segloop.artifacts.model import model as artifact
from segloop.config.from_python import Settings, resolve
from segloop.config.predict import PredictConfig
from segloop.core.errors import ImageError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from segloop.artifacts.model.card import ModelCard
    from segloop.config.device import DeviceConfig
    from segloop.core.context import Context
    from segloop.images.image import Image
    from segloop.inference.engine import Engine

logger = logging.getLogger(__name__)

_LEVELS = {"info": logging.INFO, "warning": logging.WARNING}


class Model(artifact.Model):
    """A trained model: open it with `Model.load`, then call `predict` as often as you like.

    The network is built by the first prediction and stays on its device for the next ones. Several threads
    may call `predict`; their images are predicted one after another.

    Attributes
    ----------
    path : Path
        The folder or zip that it was loaded from.
    card : ModelCard
        What it is, and how it is applied.
    """

    def __init__(self, path: Path, card: ModelCard) -> None:
        super().__init__(path, card)
        self._lock = threading.Lock()
        self._engine: tuple[tuple[str, bool], Engine] | None = None

    @classmethod
    def import_zip(
        cls,
        file: str | os.PathLike[str],
        into: str | os.PathLike[str] | None = None,
        *,
        foreground: str = "",
        boundary: str = "",
        activation: str = "",
    ) -> Self:
        """Check a model and make it usable by name; see `segloop.app.importing.import_model`.

        Parameters
        ----------
        file : path
            A zip that `export` wrote, or a package of the BioImage Model Zoo with ONNX weights.
        into : path, optional
            Folder to create the model's folder in; the user's model folder if not given.
        foreground, boundary, activation : str, optional
            What a package leaves open.

        Raises
        ------
        ModelError
            If it can't be imported. Then nothing is written.
        """
        from segloop.app.importing import import_model

        imported = import_model(file, into, foreground=foreground, boundary=boundary, activation=activation)
        return cls(imported.path, imported.card)

    def predict(
        self,
        image: Image | ArrayLike | str | os.PathLike[str],
        config: PredictConfig | None = None,
        *,
        axes: str | None = None,
        outputs: str | Sequence[str] | None = None,
        scene: str | int | None = None,
        overrides: Settings = (),
        context: Context | None = None,
    ) -> dict[str, NDArray[Any]]:
        """Apply the model to one image. Nothing is written to disk.

        Parameters
        ----------
        image : array, Image or path-like
            NumPy, dask or Zarr array, an opened image, or an image file.
        config : PredictConfig, optional
            Settings; the defaults if absent.
        axes : str, optional
            Axes of an array, such as ``"CYX"`` or ``"ZYX"``. An array of two dimensions is taken as ``"YX"``.
        outputs : str or sequence of str, optional
            Names of outputs, such as ``"labels"``, ``"mask"``, ``"classes"`` or ``"probability"``, as far as
            the model has them; its main output if absent.
        scene : str or int, optional
            Scene of a file; the first if absent.
        overrides : mapping or sequence of str, optional
            Further settings, such as ``{"threshold.foreground": 0.4}`` or ``["threshold.foreground=0.4"]``.
        context : Context, optional
            Receives progress, and may cancel.

        Returns
        -------
        dict of str to array
            One array per output, equal to what ``segloop predict`` writes: labels uint16 (uint32 where there
            are more than 65,535 objects), mask uint8 (0 or 1), classes uint8, probability uint8 (255 means
            1.0). Axes are (Y, X) of a plane and (Z, Y, X) of a stack; several time points come first, and the
            maps of a probability come before Z.

        Raises
        ------
        ModelError
            If the model is damaged, or expects other channels or dimensions than the image has.
        ImageError
            If the image can't be read, or an array has no axes or axes that don't fit it.
        ConfigError
            If a setting doesn't exist or a value is not possible.
        Cancelled
            If the context asks to stop.

        Examples
        --------
        >>> model = Model.load("runs/run1")  # doctest: +SKIP
        >>> labels = model.predict(array, axes="YX")["labels"]  # doctest: +SKIP
        """
        config = config or PredictConfig()
        if outputs is not None:
            config = replace(config, outputs=outputs)  # type: ignore[arg-type]  # made a list by `resolve`
        config = resolve(config, overrides)
        opened = _opened(image, axes, scene)
        with self._lock:
            from segloop.prediction.in_memory import predict_in_memory

            engine = self._engine_on(config.device)
            found = predict_in_memory(self, engine, opened, config, context, _log)
        return {kind.name: array for kind, array in found.items()}

    def _engine_on(self, device: DeviceConfig) -> Engine:
        """Return the engine for a device; the one of the last prediction if it is there."""
        from segloop.inference.device import resolve_device
        from segloop.inference.engine import Engine

        resolved = resolve_device(device)
        key = (resolved.device, resolved.mixed)
        if self._engine is None or self._engine[0] != key:
            self._engine = None  # frees its memory before the next one takes some
            self._engine = (key, Engine(self.network(), self.target(), resolved.device, resolved.mixed))
        engine = self._engine[1]
        engine.forget_limits()
        return engine


def _opened(
    image: Image | ArrayLike | str | os.PathLike[str], axes: str | None, scene: str | int | None
) -> Image:
    from segloop.images.image import Image
    from segloop.images.read import open_image

    if isinstance(image, Image):
        return image
    if isinstance(image, str | os.PathLike):
        return open_image(image, scene)
    import numpy as np

    # Lazy arrays (dask, Zarr) stay lazy; torch tensors and lists become NumPy arrays.
    array: Any = image if hasattr(image, "__array__") and hasattr(image, "chunks") else np.asarray(image)
    n_axes = len(array.shape)
    if axes is None and n_axes != 2:
        raise ImageError(
            f"An array of {n_axes} dimensions needs its axes: pass axes='ZYX', 'CYX', 'YXS' (colours last) "
            "or another order of T, C, Z, Y and X."
        )
    return Image.from_array(array, axes or "YX")


def _log(text: str, level: str) -> None:
    logger.log(_LEVELS[level], "%s", text)
