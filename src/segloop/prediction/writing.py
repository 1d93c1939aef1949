"""The one way in which a prediction is written: all of its outputs and its record, or nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segloop.artifacts.prediction.place import Place
from segloop.core.context import Context
from segloop.core.errors import ImageError
from segloop.core.file_errors import writing
from segloop.prediction.memory_check import require_memory
from segloop.prediction.outputs import OutputSpec, Slices, Writer, open_writers
from segloop.prediction.record import output_file
from segloop.targets import Decoded, quantise
from segloop.targets.output import LABELS, PROBABILITY, Output

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from segloop.artifacts.prediction.provenance import OutputFile, Provenance
    from segloop.images.image import Image
    from segloop.targets import ParameterSet, Target

EVERYWHERE: Slices = (slice(None), slice(None), slice(None))
"""A whole time point, as slices along Z, Y, X."""


class PredictionWriter:
    """Takes maps and what they were decoded to, whole or block by block.

    Parameters
    ----------
    writers : sequence of Writer
        One for each output.

    Attributes
    ----------
    n_objects : int
        Number of labelled objects so far, over all time points.
    details : dict
        Further fields of the record that are known only in the end, such as ``seconds``.
    """

    def __init__(self, writers: Sequence[Writer]) -> None:
        self._writers = tuple(writers)
        self._maps = [writer for writer in writers if writer.spec.kind == PROBABILITY]
        self._decoded = [writer for writer in writers if writer.spec.kind != PROBABILITY]
        self.n_objects = 0
        self.details: dict[str, Any] = {}

    @property
    def growing(self) -> dict[Output, Path]:
        """Where outputs grow that can be looked at before they are complete."""
        return {each.spec.kind: each.growing for each in self._writers if each.growing is not None}

    @property
    def needs_decoding(self) -> bool:
        """Whether there is any output besides the maps themselves."""
        return bool(self._decoded)

    def write_maps(self, t: int, at: Slices, maps: NDArray[Any]) -> None:
        """Take a block of maps (K, z, y, x) of time point ``t`` at slices ``at`` (Z, Y, X)."""
        for writer in self._maps:
            writer.write(t, at, maps)

    def write_block(self, t: int, at: Slices, decoded: Decoded) -> None:
        """Take what a block was decoded to; its objects are not counted."""
        for writer in self._decoded:
            writer.write(t, at, decoded[writer.spec.kind.name][None])

    def write_time_point(self, t: int, decoded: Decoded) -> None:
        """Take what a whole time point was decoded to, and count its objects."""
        self.write_block(t, EVERYWHERE, decoded)
        if decoded.labels is not None:
            self.n_objects += int(decoded.labels.max(initial=0))


@contextmanager
def prediction_writer(
    place: Place, record: Provenance, specs: Sequence[OutputSpec], kept: Sequence[OutputFile] = ()
) -> Iterator[PredictionWriter]:
    """Write a prediction: on leaving, its outputs and its record are in place; on an error, all is as before.

    An earlier prediction at this place stays until the new one is complete and stored, then it is replaced
    as a whole (`segloop.core.commit`).

    Parameters
    ----------
    place : Place
        Folder and name of the prediction.
    record : Provenance
        Where it comes from; outputs and the number of objects are filled in at the end.
    specs : sequence of OutputSpec
        What is written.
    kept : sequence of OutputFile, optional
        Outputs of the earlier prediction at this place that stay as they are.

    Raises
    ------
    ImageError
        If an output can't be written, another process is writing this prediction, or a file that does not
        belong to a prediction has its name.
    """
    with place.writing([spec.path for spec in specs]) as commit:
        writers = open_writers(specs, commit)
        writer = PredictionWriter(writers)
        yield writer
        entries = [output_file(each) for each in writers]
        has_labels = any(entry.kind == LABELS.name for entry in entries)
        final = record.model_copy(
            update={
                **writer.details,
                "outputs": [*entries, *kept],
                "n_objects": writer.n_objects if has_labels else None,
            }
        )
        with writing(place.path, ImageError):
            final.write(commit.stage(place.path.name))
            for name in place.earlier_names() - final.names():
                commit.delete(name)
            commit.commit()


def write_decoded(
    maps: Image,
    target: Target,
    parameters: ParameterSet,
    place: Place,
    record: Provenance,
    specs: Sequence[OutputSpec],
    context: Context,
    *,
    kept: Sequence[OutputFile] = (),
    message: str = "",
) -> None:
    """Decode kept maps and write the outcome, time point by time point; see `prediction_writer`.

    Parameters
    ----------
    maps : Image
        Its channels are the maps of ``target``.
    target : Target
        Decodes them.
    parameters : ParameterSet
        Where maps become objects.
    place, record, specs, kept
        As in `prediction_writer`.
    context : Context
        Progress and cancel.
    message : str, optional
        What the progress says.

    Raises
    ------
    ImageError
        As `prediction_writer`; or if the maps can't be read or are too large for the free memory.
    Cancelled
        If the user asked to stop; all is then as before.
    """
    if any(spec.kind != PROBABILITY for spec in specs):
        require_memory(target, maps.shape[2:], record.image)
    with prediction_writer(place, record, specs, kept) as writer:
        for t, here in context.track(time_points(maps), maps.n_timepoints, message):
            writer.write_maps(t, EVERYWHERE, here)
            if writer.needs_decoding:
                writer.write_time_point(t, target.decode(here, parameters))


def time_points(maps: Image) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Yield each time point of kept maps, as (K, Z, Y, X)."""
    for t in range(maps.n_timepoints):
        yield t, quantise(maps.block(t, range(maps.n_channels), *EVERYWHERE))
