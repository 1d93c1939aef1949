"""Comparisons of models that a dock starts, and reading their outcome."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segloop.app.jobs import Job, start_task
from segloop.app.predicting import JOB_FOLDER
from segloop.app.workspace import Workspace
from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.job.task import CompareTask
from segloop.core.context import Context
from segloop.core.errors import SegloopError
from segloop.core.file_errors import reading
from segloop.core.own_files import parse_json, read_own_bytes

if TYPE_CHECKING:
    from segloop.core.matching import Array
    from segloop.evaluation.error_image import ErrorImage
    from segloop.images.image import PixelSize

_LARGEST = 256 << 20  # bytes


@dataclass(frozen=True)
class ComparedSample:
    """An image on which models were compared.

    Attributes
    ----------
    id : str
        Of the sample.
    scores : mapping of str to float
        By model.
    files : mapping of str to Path
        By model, the file with its main output.
    """

    id: str
    scores: Mapping[str, float]
    files: Mapping[str, Path]


@dataclass(frozen=True)
class StoredComparison:
    """The outcome of a comparison, as its folder holds it.

    Attributes
    ----------
    folder : Path
        Of the comparison.
    dataset : str
        Folder of the dataset.
    summary : dict
        As `segloop.evaluation.comparison.summarise` describes it.
    samples : tuple of ComparedSample
        Those first whose scores differ most.
    """

    folder: Path
    dataset: str
    summary: dict[str, Any]
    samples: tuple[ComparedSample, ...]

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models, best first."""
        return tuple(self.summary["models"])

    @property
    def report(self) -> Path:
        """The page to look at in a browser."""
        from segloop.evaluation.comparison import REPORT_FILE

        return self.folder / REPORT_FILE

    def rows(self) -> list[list[str]]:
        """Return the scores as `segloop.evaluation.comparison.short_table` does."""
        from segloop.evaluation.comparison import short_table

        return short_table(self.summary)


@dataclass(frozen=True, eq=False)
class ComparedPixels:
    """What to look at of an image on which models were compared.

    Attributes
    ----------
    sample : str
        Its id.
    raw : (C, Z, Y, X) array
    channel_names : tuple of str
    pixel_size_um : tuple of float or None
        Z, Y, X.
    truth : (Z, Y, X) integer array
    outputs : mapping of str to (Z, Y, X) integer array
        Main output of each model, by its name, best model first.
    difference : ErrorImage or None
        What the second of two outputs with objects has made of the objects of the first, within the pixels
        that count.
    """

    sample: str
    raw: Array
    channel_names: tuple[str, ...]
    pixel_size_um: PixelSize
    truth: Array
    outputs: Mapping[str, Array]
    difference: ErrorImage | None


def start_comparison(
    models: Sequence[str | os.PathLike[str]], dataset: str, split: str, workspace: Workspace
) -> Job:
    """Start a comparison of models in a process of its own, with a new folder of the workspace for it.

    Returns
    -------
    Job
        Its folder is in that of the comparison, which `folder_of` returns.

    Raises
    ------
    SegloopError
        If no process can be started, or nothing can be written.
    """
    out = workspace.new_folder(workspace.comparisons_dir, Path(dataset).name)
    task = CompareTask(models=[str(each) for each in models], dataset=dataset, split=split, out=str(out))  # type: ignore[arg-type]
    return start_task(out / JOB_FOLDER, task, workspace, "The comparison")


def folder_of(job: Job) -> Path:
    """Return the folder of the comparison that a job makes."""
    return job.path.parent


def find_comparison(workspace: Workspace, name: str) -> Job | StoredComparison | None:
    """Return the job of a comparison that still runs, or its outcome; None if it was deleted."""
    folder = workspace.comparisons_dir / name
    job = Job(folder / JOB_FOLDER)
    if job.folder.pid() is not None and not job.ended:
        return job
    try:
        return read_comparison(folder)
    except SegloopError:
        return None


def read_comparison(folder: str | os.PathLike[str]) -> StoredComparison:
    """Read the outcome of a comparison.

    Raises
    ------
    SegloopError
        If there is none, it is damaged, or it was made by another version.
    """
    from segloop.evaluation.comparison import FORMAT, METRICS_FILE, VERSION

    folder = Path(folder)
    path = folder / METRICS_FILE
    with reading(path, SegloopError, "compare the models again"):
        content = read_own_bytes(path, _LARGEST)
    try:
        summary = parse_json(content)
        if (summary["format"], summary["version"]) != (FORMAT, VERSION):
            raise SegloopError(f"{path} was made by another version of Segloop: compare the models again.")
        samples = tuple(
            ComparedSample(
                str(each["sample"]),
                {str(name): float(value) for name, value in each["scores"].items()},
                {str(name): _within(folder, file) for name, file in each["files"].items()},
            )
            for each in summary["images"]
        )
        stored = StoredComparison(folder, str(summary["dataset"]), summary, samples)
        stored.rows()
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise SegloopError(f"{path} is damaged: compare the models again.") from error
    return stored


def read_sample(stored: StoredComparison, sample: ComparedSample, context: Context) -> ComparedPixels:
    """Read an image with its truth and what each model made of it.

    Raises
    ------
    SegloopError
        If the dataset or a file is gone or damaged.
    Cancelled
        If it was cancelled.
    """
    from segloop.evaluation.error_image import error_image
    from segloop.images.labels import read_labels

    dataset = CuratedDataset.open(stored.dataset)
    item = dataset.sample(sample.id)
    image, truth, whole = dataset.raw(item), dataset.ground_truth(item), slice(None)
    raw = image.block(0, range(image.n_channels), whole, whole, whole)
    outputs = {}
    for name in stored.models:
        context.check()
        if name in sample.files:
            outputs[name] = read_labels(sample.files[name]).reshape(truth.labels.shape)
    difference = None
    if len(outputs) == 2 and stored.summary["score"] == "ap50":
        first, second = outputs.values()
        difference = error_image(second[None], first[None], truth.valid[None])
    return ComparedPixels(
        sample.id, raw, image.channel_names, image.pixel_size_um, truth.labels, outputs, difference
    )


def _within(folder: Path, file: str) -> Path:
    """Return a file below a folder; refuse others."""
    path = Path(file)
    if path.is_absolute() or path.drive or path.root or ".." in path.parts:
        raise ValueError(file)
    return folder / path
