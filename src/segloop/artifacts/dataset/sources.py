"""Where the label images of a new sample come from: a prediction has its record beside it."""

from __future__ import annotations

from pathlib import Path

from segloop.artifacts.dataset.references import to_reference
from segloop.artifacts.dataset.segmentation import FileSource, ImageRef, PredictionSource
from segloop.artifacts.prediction.provenance import Provenance
from segloop.core.errors import ImageError
from segloop.images.names import stem_of


def source_of(path: Path, folder: Path) -> FileSource | PredictionSource:
    """Return the source of a label image, as ``folder`` should refer to it.

    Parameters
    ----------
    path : Path
        The label image.
    folder : Path
        The dataset's folder, absolute.

    Returns
    -------
    PredictionSource or FileSource
        The former if a record beside the file (``<stem>.json``) lists it as an output.
    """
    image = ImageRef(path=to_reference(path, folder))
    stem = stem_of(path)
    for name in dict.fromkeys((stem, stem.rpartition(".")[0])):
        record = path.with_name(f"{name}.json")
        made_by = _read(record) if name else None
        if made_by is not None and path.name in made_by.names():
            return PredictionSource(
                image=image,
                model=made_by.model.name,
                model_sha256=made_by.model.weights_sha256,
                record=to_reference(record, folder),
            )
    return FileSource(image=image)


def _read(record: Path) -> Provenance | None:
    """Return a prediction's record; None if there is no such file, or it is something else."""
    if not record.is_file():
        return None
    try:
        return Provenance.read(record)
    except ImageError:
        return None
