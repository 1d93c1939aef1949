"""Predictions that become samples of a curated dataset, to be corrected there and to teach the next model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.manifest import Sample, Verdict
from segloop.artifacts.dataset.segmentation import PredictionSource
from segloop.artifacts.prediction.provenance import Prediction, Provenance
from segloop.core.context import Context
from segloop.core.errors import DatasetError, ImageError, SegloopError
from segloop.core.file_names import free_name, plain_file_name, safe_file_name
from segloop.images.names import stem_of
from segloop.targets.output import CLASSES, LABELS, MASK

if TYPE_CHECKING:
    from segloop.images.pairing import Pair
    from segloop.prediction.kept import KeptPrediction
    from segloop.targets import ParameterSet

LabelKind = Literal["instances", "semantic"]

_NEW_DATASET = "corrections"
_EDITABLE: dict[str, LabelKind] = {LABELS.name: "instances", CLASSES.name: "semantic", MASK.name: "semantic"}


@dataclass(frozen=True)
class PredictedLabels:
    """A predicted label image on disk, and the image it belongs to.

    Attributes
    ----------
    raw, labels : Path
        The files.
    model : str
        Name of the model.
    label_kind : {"instances", "semantic"}
        Whether the labels number objects or name classes.
    """

    raw: Path
    labels: Path
    model: str
    label_kind: LabelKind


@dataclass(frozen=True)
class ShownPrediction:
    """A prediction on screen, of which not everything is in files.

    Attributes
    ----------
    kept : KeptPrediction
        With its probability.
    name : str
        Name of its image.
    source : str
        File behind the image; empty without one.
    parameters : ParameterSet
        With which it is shown.
    """

    kept: KeptPrediction
    name: str
    source: str
    parameters: ParameterSet


@dataclass(frozen=True)
class Corrections:
    """What became of predictions that are to be corrected.

    Attributes
    ----------
    dataset : Path
        Where they are samples now.
    sample_ids : tuple of str
        At least one; those that were there already too.
    notes : tuple of str
        Sentences about predictions that could not be used, or that belong to samples that were there already.
    """

    dataset: Path
    sample_ids: tuple[str, ...]
    notes: tuple[str, ...]


def correct_files(
    records: Sequence[Path],
    dataset: Path | None,
    new_folder: Callable[[str], Path],
    context: Context | None = None,
) -> Corrections:
    """Make samples of predictions in files, to be corrected; the files stay where they are.

    Parameters
    ----------
    records : sequence of Path
        The record of each prediction.
    dataset : Path or None
        Dataset to add them to. None, or one that can't hold them, makes a new one.
    new_folder : callable
        Returns a free folder for a new dataset of a name.
    context : Context, optional
        Progress and cancel.

    Raises
    ------
    SegloopError
        If none of them can be used; the sentence says why of the first.
    """
    wanted, problems = [], []
    for record in records:
        try:
            wanted.append(_of_record(record))
        except SegloopError as error:
            problems.append(str(error))
    return _add(wanted, problems, dataset, new_folder, context or Context())


def correct_shown(
    shown: Sequence[ShownPrediction],
    folder: Path,
    dataset: Path | None,
    new_folder: Callable[[str], Path],
    context: Context | None = None,
) -> Corrections:
    """Make samples of predictions on screen, to be corrected.

    Labels are written as they are shown, with their provenance; of images without a file of their own, the
    pixels too. Other parameters as in `correct_files`.

    Parameters
    ----------
    shown : sequence of ShownPrediction
        The predictions.
    folder : Path
        Where to write what has no file, in subfolders ``raw`` and ``predicted``.

    Raises
    ------
    SegloopError
        If none of them can be used, or a file can't be written.
    """
    context = context or Context()
    wanted = [_written(each, folder, context) for each in shown]
    return _add(wanted, [], dataset, new_folder, context)


def _of_record(record: Path) -> PredictedLabels:
    prediction = Prediction(record, Provenance.read(record))
    provenance = prediction.provenance
    if provenance.input is None:
        raise ImageError(f"{record} does not say which file it was made from: predict that file again.")
    if provenance.scene:
        raise ImageError(
            f"{provenance.image} is one of several scenes of its file: save it as a file of its own, and "
            "predict that."
        )
    for kind, label_kind in _EDITABLE.items():
        path = prediction.output(kind)
        if path is not None:
            raw = Path(provenance.input.path)
            return PredictedLabels(raw, path, provenance.model.name, label_kind)
    raise ImageError(f"{record} has no objects, classes or mask to correct: predict the image with one.")


def _written(shown: ShownPrediction, folder: Path, context: Context) -> PredictedLabels:
    """Write the labels of a prediction on screen, and its image where that is in no file."""
    own = Path(shown.source) if shown.source and _is_whole(shown) else None
    stem = stem_of(own) if own is not None else safe_file_name(shown.name, "layer")
    target = shown.kept.target
    kind = next((each for each in target.outputs if each.name in _EDITABLE), None)
    if kind is None:
        raise ImageError(f"`{shown.name}` has no objects, classes or mask to correct.")
    predicted = folder / "predicted"
    stem = free_name(stem, lambda name: (predicted / f"{name}.json").exists())
    raw = own or _write_raw(shown, folder / "raw" / f"{stem}.ome.tif", context)
    record, *_ = shown.kept.save(
        predicted, stem, [kind], shown.parameters, image=shown.name, source=str(raw), context=context
    )
    return _of_record(record)


def _is_whole(shown: ShownPrediction) -> bool:
    """Whether the file behind an image holds what was predicted and nothing else."""
    from segloop.images.read import open_image

    try:
        file, predicted = open_image(shown.source), open_image(_input(shown))
    except SegloopError:
        return False
    return len(file.scenes) == 1 and file.shape == predicted.shape


def _write_raw(shown: ShownPrediction, path: Path, context: Context) -> Path:
    from segloop.images.read import open_image
    from segloop.images.write import write_image

    image = open_image(_input(shown))
    context.check()
    return write_image(
        path, image.load(), axes="TCZYX", channel_names=image.channel_names, pixel_size_um=image.pixel_size_um
    )


def _input(shown: ShownPrediction) -> str:
    """Return the file that was predicted: of a layer, its copy in the scratch folder."""
    predicted = shown.kept.provenance.input
    if predicted is None:
        raise ImageError(f"The image of `{shown.name}` is gone: predict it again.")
    return predicted.path


def _add(
    wanted: Sequence[PredictedLabels],
    problems: Sequence[str],
    dataset: Path | None,
    new_folder: Callable[[str], Path],
    context: Context,
) -> Corrections:
    if not wanted:
        raise DatasetError(problems[0] if problems else "There is no prediction to correct yet.")
    refused: tuple[str, ...] = ()
    if dataset is not None:
        opened = CuratedDataset.open(dataset)
        if all(each.label_kind == opened.label_kind for each in wanted):
            ids, refused = _into(opened, wanted, context)
            if ids:
                return Corrections(opened.path, ids, (*problems, *refused))
        else:
            refused = (f"{opened.name} holds labels of another kind, so a new dataset was made.",)
    made = CuratedDataset.create(
        new_folder(_NEW_DATASET),
        [_pair(each) for each in wanted],
        label_kind=wanted[0].label_kind,
        context=context,
    )
    return Corrections(
        made.path, made.sample_ids, (*problems, *refused, *made.creation_problems, *made.creation_warnings)
    )


def _into(
    dataset: CuratedDataset, wanted: Sequence[PredictedLabels], context: Context
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Add predictions to a dataset; return the samples that they belong to, and notes."""
    before = {dataset.resolve(sample.raw): sample for sample in dataset.samples()}
    new = [each for each in wanted if each.raw not in before]
    notes = list(dataset.add([_pair(each) for each in new], context=context)) if new else []
    after = {dataset.resolve(sample.raw): sample.id for sample in dataset.samples()}
    for each in wanted:
        if each.raw in before:
            try:
                notes += _beside(dataset, before[each.raw], each)
            except SegloopError as error:
                notes.append(str(error))
    return tuple(after[each.raw] for each in wanted if each.raw in after), tuple(notes)


def _beside(dataset: CuratedDataset, sample: Sample, predicted: PredictedLabels) -> list[str]:
    """Add a prediction to a sample that is there already; labels made by people stay the base."""
    for each in sample.segmentations:
        source = each.source
        if isinstance(source, PredictionSource) and dataset.resolve(source.image) == predicted.labels:
            return []
    taken = {name.casefold() for name in sample.segmentation_names}
    name = free_name(_name(predicted), lambda each: each.casefold() in taken)
    dataset.add_segmentation(sample.id, name, predicted.labels)
    base = sample.segmentation(sample.base)
    if (
        sample.verdict is Verdict.undecided
        and isinstance(base.source, PredictionSource)
        and not base.versions
    ):
        dataset.edit(sample.id, lambda now: now.edit(base=name), f"base {name}")
        return []
    return [
        f"{sample.id} was in {dataset.name} already: the prediction was added to it as {name}, and its base "
        f"is still {sample.base}."
    ]


def _pair(predicted: PredictedLabels) -> Pair:
    from segloop.images.pairing import Pair

    return Pair(stem_of(predicted.raw), predicted.raw, predicted.labels, name=_name(predicted))


def _name(predicted: PredictedLabels) -> str:
    return plain_file_name(predicted.model.replace("+", "-"), "prediction")
