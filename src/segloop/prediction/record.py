"""The place of a prediction in its folder: what may be replaced there, and the record that says so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segloop.artifacts.prediction.provenance import (
    ModelUsed,
    OutputFile,
    Provenance,
    timestamp,
)
from segloop.config import compose
from segloop.core.atomic import remove, write_text
from segloop.core.errors import ImageError
from segloop.core.file_errors import reading
from segloop.core.fingerprint import fingerprint
from segloop.prediction.outputs import OutputSpec, plain_errors

if TYPE_CHECKING:
    import numpy as np

    from segloop.artifacts.model.model import Model
    from segloop.config.predict import PredictConfig
    from segloop.images.image import Image
    from segloop.inference.engine import Engine
    from segloop.prediction.fitting import Fit
    from segloop.targets import ParameterSet

_PACKAGES = ("torch", "monai", "numpy", "scikit-image", "scipy", "tifffile", "zarr", "bioio")


@dataclass(frozen=True)
class Place:
    """Where a prediction goes.

    Attributes
    ----------
    out : Path
        Folder of the job's outputs.
    stem : str
        Name of the prediction below it, with forward slashes for subfolders.
    """

    out: Path
    stem: str

    @property
    def path(self) -> Path:
        """Path of the record."""
        return self.out / f"{self.stem}.json"

    @property
    def folder(self) -> Path:
        """Folder that holds the record and the outputs."""
        return self.path.parent

    @contextmanager
    def reserve(self, record: Provenance, outputs: Sequence[Path]) -> Iterator[None]:
        """Mark the place as being written to; on failure it is as it was before.

        Parameters
        ----------
        record : Provenance
            What stands meanwhile, and after a kill; its outputs are those that stay whole.
        outputs : sequence of Path
            What will be written.

        Raises
        ------
        ImageError
            If the folder can't be made or written, or something is in the way that is not an earlier
            prediction of this name.
        """
        with plain_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        before = self._earlier()
        ours = before.names() if before else set()
        for path in outputs:
            if path.exists() and path.name not in ours:
                raise ImageError(_in_the_way(path))
        text = self.path.read_text(encoding="utf-8") if before else None
        self._write(record.model_copy(update={"pending": sorted(ours | {path.name for path in outputs})}))
        try:
            yield
        except BaseException:
            if text is None:
                self.path.unlink(missing_ok=True)
            else:
                write_text(self.path, text)
            raise

    def complete(self, record: Provenance) -> None:
        """Write the final record, and remove outputs of the earlier prediction that the new one lacks."""
        before = self._earlier()
        final = record.model_copy(update={"pending": []})
        self._write(final)
        for name in (before.names() if before else set()) - final.names():
            remove(self.folder / name)

    def _earlier(self) -> Provenance | None:
        if not self.path.exists():
            return None
        try:
            return Provenance.read(self.path)
        except ImageError as error:
            raise ImageError(_in_the_way(self.path)) from error

    def _write(self, record: Provenance) -> None:
        with plain_errors(self.path):
            record.write(self.path)


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
        kind=spec.kind.value,
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


def _in_the_way(path: Path) -> str:
    return f"{path} is already there and is no prediction: choose another output folder, or move it away."
