"""Where the label images of a new sample come from: predictions and imports have a record beside them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from segloop.artifacts.dataset.references import to_reference
from segloop.artifacts.dataset.segmentation import FileSource, ImageRef, ImportedSource, PredictionSource
from segloop.artifacts.prediction.provenance import Provenance
from segloop.core.atomic import write_json
from segloop.core.errors import ImageError
from segloop.core.own_files import read_own_json
from segloop.images.names import stem_of

IMPORT_RECORD = "import.json"
_FORMAT = "segloop-import"


def source_of(path: Path, folder: Path) -> FileSource | PredictionSource | ImportedSource:
    """Return the source of a label image, as ``folder`` should refer to it.

    Parameters
    ----------
    path : Path
        The label image.
    folder : Path
        The dataset's folder, absolute.

    Returns
    -------
    PredictionSource, ImportedSource or FileSource
        The first if a record beside the file (``<stem>.json``) lists it as an output, the second if
        ``import.json`` beside it does.
    """
    image = ImageRef(path=to_reference(path, folder))
    importer, originals = _read_import(path.with_name(IMPORT_RECORD))
    if path.name in originals:
        original = to_reference(originals[path.name], folder)
        return ImportedSource(image=image, importer=importer, original=original)
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


def write_import_record(folder: Path, importer: str, originals: Mapping[str, Path]) -> None:
    """Say beside imported label images where they come from.

    Parameters
    ----------
    folder : Path
        Holds the label images.
    importer : str
        Name of the importer.
    originals : mapping of str to Path
        The other tool's file by the name of the label image.
    """
    files = {name: str(path) for name, path in originals.items()}
    record = {"format": _FORMAT, "version": 1, "importer": importer, "files": files}
    write_json(folder / IMPORT_RECORD, record)


def _read_import(record: Path) -> tuple[str, dict[str, str]]:
    """Return the importer and the originals of an import; none if there is no such record."""
    try:
        values = read_own_json(record)
        if values["format"] == _FORMAT:
            return str(values["importer"]), {str(name): str(path) for name, path in values["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass  # it is something else
    return "", {}


def _read(record: Path) -> Provenance | None:
    """Return a prediction's record; None if there is no such file, or it is something else."""
    if not record.is_file():
        return None
    try:
        return Provenance.read(record)
    except ImageError:
        return None
