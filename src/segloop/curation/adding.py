"""Adding samples to a curated dataset, from folders or from layers that may have no file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.core.context import Context
from segloop.core.file_names import free_name, plain_file_name
from segloop.curation.creating import Folders, Layers, plan_folders, written_layers

if TYPE_CHECKING:
    from segloop.curation.importing import PlannedImport
    from segloop.images.pairing import Pair


@dataclass(frozen=True)
class Added:
    """What was added to a dataset.

    Attributes
    ----------
    dataset : CuratedDataset
        As it is now.
    sample_ids : tuple of str
        The new samples.
    problems : tuple of str
        A sentence for each file that was left out.
    notes : tuple of str
        A sentence for each import.
    """

    dataset: CuratedDataset
    sample_ids: tuple[str, ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...] = ()


def plan_addition(dataset: CuratedDataset, source: Folders) -> PlannedImport:
    """Pair the files in folders that are to be added to a dataset, whose axes are those of the raw images.

    Raises
    ------
    SegloopError
        If a folder is not chosen or missing, nothing can be paired, or the rule is wrong.
    """
    path = dataset.path
    imported = path.with_name(free_name(f"{path.name}-imported", lambda name: path.with_name(name).exists()))
    return plan_folders(replace(source, axes=dataset.index.axes), path, imported)


def add_planned(
    dataset: CuratedDataset, planned: PlannedImport, *, accept: bool = False, context: Context | None = None
) -> Added:
    """Add what was planned; see `CuratedDataset.add`.

    Raises
    ------
    SegloopError
        If the dataset or imported labels can't be written.
    """
    context = context or Context()
    before = set(dataset.sample_ids)
    with planned.written(context) as pairing:
        left_out = dataset.add(pairing.pairs, accept_all=accept, context=context)
    added = tuple(each for each in dataset.sample_ids if each not in before)
    return Added(dataset, added, (*pairing.problems, *left_out), tuple(planned.notes))


def add_pairs(path: Path, pairs: Sequence[Pair], source: Folders, context: Context | None = None) -> Added:
    """Add pairs of the files in folders to a dataset; nothing is accepted.

    Raises
    ------
    SegloopError
        If the dataset or imported labels can't be written.
    """
    from segloop.curation.importing import PlannedImport, needs_import

    dataset = CuratedDataset.open(path)
    foreign = needs_import(source.segmentations.values())
    planned = plan_addition(dataset, source).only(pairs) if foreign else PlannedImport.of_label_images(pairs)
    return add_planned(dataset, planned, context=context)


def add_samples_of(path: Path, other: Path, context: Context | None = None) -> Added:
    """Add the samples of another dataset to a dataset; see `CuratedDataset.add_dataset`.

    Raises
    ------
    SegloopError
        If their labels don't mean the same, or the dataset can't be written.
    """
    dataset = CuratedDataset.open(path)
    before = set(dataset.sample_ids)
    problems = dataset.add_dataset(other, context=context)
    return Added(dataset, tuple(each for each in dataset.sample_ids if each not in before), problems)


def add_layers(path: Path, source: Layers, context: Context | None = None) -> Added:
    """Write layers to files, and add a sample made of them to a dataset.

    Raises
    ------
    SegloopError
        If a layer has too many dimensions, the shapes differ, or a file can't be written.
    """
    dataset = CuratedDataset.open(path)
    stem = free_name(plain_file_name(source.raw[0].name, "layer"), lambda name: name in dataset.sample_ids)
    with written_layers(source, stem) as files:
        return add_planned(dataset, plan_addition(dataset, files), context=context)
