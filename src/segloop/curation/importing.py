"""Segmentations for a new dataset: label images as they are, those of other tools made into label images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segloop.artifacts.dataset.labels import smallest_label_type
from segloop.artifacts.dataset.new_samples import unique_ids
from segloop.artifacts.dataset.references import absolute
from segloop.artifacts.dataset.segmentation import BLANK_IMPORTER
from segloop.artifacts.dataset.sources import write_import_record
from segloop.core.atomic import remove
from segloop.core.context import Context
from segloop.core.errors import DatasetError, ImageError, SegloopError
from segloop.core.file_errors import writing
from segloop.images.image import Image
from segloop.images.importers import Import, LabelItem, find_import
from segloop.images.labels import read_labels
from segloop.images.listing import image_files
from segloop.images.pairing import Pair, Pairing, Source, pair_by_stem, stems_of
from segloop.images.read import open_image
from segloop.images.write import write_image

BLANK = ""
"""In place of a folder of segmentations: blank labels, to be drawn."""


@dataclass(frozen=True)
class PlannedImport:
    """Pairs for a new dataset; imported label images are not written yet.

    Attributes
    ----------
    pairing : Pairing
        Raw images with label images, of which the imported ones get their pixels by `written`.
    folder : Path
        Receives imported label images.
    imports : mapping of str to Import
        What is imported, by the name of the segmentation.
    items : mapping of Path to LabelItem
        Where each imported label image comes from.
    axes : str
        Axes of raw TIFFs that do not name them; empty guesses.
    """

    pairing: Pairing
    folder: Path
    imports: Mapping[str, Import]
    items: Mapping[Path, LabelItem]
    axes: str = ""

    @property
    def notes(self) -> tuple[str, ...]:
        """A sentence for each import."""
        return tuple(
            f"{name}: {each.description}, written as label images into {self.folder / name}."
            for name, each in self.imports.items()
        )

    @classmethod
    def of_label_images(cls, pairs: Sequence[Pair]) -> PlannedImport:
        """Return what imports nothing: all segmentations are label images."""
        return cls(Pairing(tuple(pairs)), Path(), {}, {})

    def only(self, pairs: Sequence[Pair]) -> PlannedImport:
        """Return the import of the given pairs, without the problems of the others.

        Parameters
        ----------
        pairs : sequence of Pair
            Pairs with the files of the other tools, as `before_import` returns them, or put together by hand.
        """
        return replace(self, pairing=Pairing(tuple(map(self._with_targets, pairs))))

    def files(self, name: str, source: str) -> list[Path]:
        """List the files of a segmentation that can be paired by hand.

        Parameters
        ----------
        name : str
            Its name.
        source : str
            Its folder, file or glob, which is listed if it is not imported.

        Raises
        ------
        ImageError
            If the folder can't be listed or holds no images.
        """
        found = self.imports.get(name)
        if found is None:
            return list(image_files(source))
        origins = Counter(item.origin for item in found.items)
        return [origin for origin, number in origins.items() if number == 1]

    def labels_reader(self, pair: Pair) -> Callable[[Path], NDArray[Any]]:
        """Return a function that reads the labels (Z, Y, X) of a file of a pair, imported or not.

        Parameters
        ----------
        pair : Pair
            With the files of the other tools, as `before_import` returns it, or put together by hand.
        """
        targets = self._with_targets(pair).segmentations
        items = {
            path: self.items[targets[name]]
            for name, path in pair.segmentations.items()
            if targets[name] in self.items
        }

        def read(path: Path) -> NDArray[Any]:
            if path not in items:
                return read_labels(path)
            labels, axes, _ = self._read_item(items[path], pair.raw)
            return labels[None] if axes == "YX" else labels

        return read

    def before_import(self) -> Pairing:
        """Return the pairing with the files of the other tools instead of the label images to be written."""

        def origin(path: Path) -> Path:
            return self.items[path].origin if path in self.items else path

        return replace(
            self.pairing,
            pairs=tuple(
                replace(
                    pair,
                    seg=origin(pair.seg),
                    others={name: origin(path) for name, path in pair.others.items()},
                )
                for pair in self.pairing.pairs
            ),
            unpaired=tuple(replace(one, path=origin(one.path)) for one in self.pairing.unpaired),
        )

    @cached_property
    def _targets(self) -> dict[Path, Path]:
        """Label image to be written, by origin."""
        return {item.origin: path for path, item in self.items.items()}

    @cached_property
    def _targets_by_raw(self) -> dict[Path, dict[Path, Path]]:
        """Label images to be written, by origin, for each raw image that has a partner."""
        both = zip(self.before_import().pairs, self.pairing.pairs, strict=True)
        return {
            known.raw: {path: own.segmentations[name] for name, path in known.segmentations.items()}
            for known, own in both
        }

    def _with_targets(self, pair: Pair) -> Pair:
        """Return a pair with the label images to be written instead of the files of the other tools."""
        # An origin may hold the segmentations of several images.
        targets = self._targets | self._targets_by_raw.get(pair.raw, {})

        def target(path: Path) -> Path:
            return targets.get(path, path)

        return replace(
            pair,
            seg=target(pair.seg),
            others={name: target(path) for name, path in pair.others.items()},
        )

    @contextmanager
    def written(self, context: Context) -> Iterator[Pairing]:
        """Write the imported label images; they are deleted again if the body, which uses them, fails.

        Yields
        ------
        Pairing
            Without what could not be imported; a sentence for each is among its problems.

        Raises
        ------
        DatasetError
            If the folder is taken or can't be written.
        Cancelled
            If the context says so; nothing is left behind.
        """
        if not self.imports:
            yield self.pairing
            return
        with writing(self.folder, DatasetError):
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            try:
                self.folder.mkdir()
            except FileExistsError:
                raise DatasetError(
                    f"{self.folder}, the folder for the imported labels, already exists: remove it, or "
                    "choose another name for the dataset."
                ) from None
        try:
            yield self._write(context)
        except BaseException:
            remove(self.folder)
            raise

    def _write(self, context: Context) -> Pairing:
        pairs: list[Pair] = []
        problems: list[str] = []
        originals: dict[str, dict[str, Path]] = {name: {} for name in self.imports}
        found = self.pairing.pairs
        for pair in context.track(found, len(found), "Importing segmentations"):
            kept: dict[str, Path] = {}
            for name, path in pair.segmentations.items():
                item = self.items.get(path)
                if item is not None:
                    try:
                        self._write_labels(path, item, pair.raw)
                    except ImageError as error:
                        problems.append(str(error))
                        continue
                    originals[name][path.name] = item.origin
                kept[name] = path
            if pair.name in kept:
                pairs.append(replace(pair, others={name: kept[name] for name in pair.others if name in kept}))
        for name, files in originals.items():
            with writing(self.folder / name, DatasetError):
                (self.folder / name).mkdir(parents=True, exist_ok=True)
                write_import_record(self.folder / name, self.imports[name].importer, files)
        if not pairs:
            raise DatasetError(f"None of the segmentations can be imported. The first problem: {problems[0]}")
        return replace(self.pairing, pairs=tuple(pairs), problems=(*self.pairing.problems, *problems))

    def _write_labels(self, path: Path, item: LabelItem, raw: Path) -> None:
        labels, axes, image = self._read_item(item, raw)
        write_image(path, labels, axes=axes, pixel_size_um=image.pixel_size_um)

    def _read_item(self, item: LabelItem, raw: Path) -> tuple[NDArray[Any], str, Image]:
        """Return the labels of an item in the smallest integer type, their axes, and the raw image."""
        image = open_image(raw, axes=self.axes)
        _, _, z, y, x = image.shape
        try:
            labels = np.asarray(item.read((z, y, x)))
        except SegloopError:
            raise
        except Exception as error:  # an importer of another package can raise anything
            raise ImageError(
                f"{item.origin} can't be imported ({type(error).__name__}: {error}): export it again."
            ) from error
        axes = {2: "YX", 3: "ZYX"}.get(labels.ndim)
        if axes is None:
            raise ImageError(
                f"The importer gave an array of {labels.ndim} dimensions for {item.origin}, not Y, X or "
                "Z, Y, X: report it to the author of its package."
            )
        try:
            return smallest_label_type(labels, str(item.origin)), axes, image
        except DatasetError as error:
            raise ImageError(str(error)) from error


def plan_import(
    raw: Source,
    segmentations: Mapping[str, str],
    dataset: Path,
    rule: str | None = None,
    axes: str = "",
    folder: Path | None = None,
) -> PlannedImport:
    """Pair raw images with segmentations, whatever tool these come from.

    Parameters
    ----------
    raw : path-like or sequence of path-like
        As for `segloop.images.pairing.pair_by_stem`.
    segmentations : mapping of str to str
        Folders, files or globs by the name of the segmentation: label images, what an importer recognises, or
        `BLANK`.
    dataset : Path
        Folder of the dataset.
    rule : str, optional
        A rule for pairing.
    axes : str, optional
        Axes of raw TIFFs that do not name them, such as ``YXC``.
    folder : Path, optional
        New folder for imported label images; by default ``<dataset>-imported`` beside the dataset.

    Raises
    ------
    PairingError, ImageError
        As `pair_by_stem`; or if an importer refuses what it recognises.
    """
    folder = folder or absolute(dataset).with_name(f"{dataset.name}-imported")
    imports: dict[str, Import] = {}
    items: dict[Path, LabelItem] = {}
    sources: dict[str, Source] = {}
    for name, source in segmentations.items():
        found = find_import(source) if source != BLANK else _blank_labels(raw)
        if found is None:
            sources[name] = source
            continue
        imports[name] = found
        _require_unique(found.items)
        files = unique_ids([item.stem for item in found.items])
        targets = {
            item.stem: folder / name / f"{file}.tif" for file, item in zip(files, found.items, strict=True)
        }
        items.update({targets[item.stem]: item for item in found.items})
        sources[name] = targets
    first, *others = sources
    pairing = pair_by_stem(
        raw, sources[first], {name: sources[name] for name in others}, name=first, rule=rule
    )
    written = {str(path): str(item.origin) for path, item in items.items()}
    written |= {str(folder / name): str(segmentations[name]) for name in imports}
    return PlannedImport(_about_originals(pairing, written), folder, imports, items, axes)


def needs_import(segmentations: Iterable[str]) -> bool:
    """Whether label images have to be made for some of these sources."""
    return any(source == BLANK or find_import(source) is not None for source in segmentations)


def _blank_labels(raw: Source) -> Import:
    """Return blank labels for all raw images."""

    def read(shape: tuple[int, int, int]) -> NDArray[Any]:
        return np.zeros(shape if shape[0] > 1 else shape[1:], np.uint8)

    items = tuple(LabelItem(stem, path, read) for path, stem in stems_of(raw).items())
    return Import(BLANK_IMPORTER, "no segmentation, so blank labels", items)


def _about_originals(pairing: Pairing, written: Mapping[str, str]) -> Pairing:
    """Name in sentences about files that are not written yet the files that they come from."""

    def of_originals(sentence: str) -> str:
        for path, origin in written.items():
            sentence = sentence.replace(path, origin)
        return sentence

    return replace(
        pairing,
        problems=tuple(of_originals(problem) for problem in pairing.problems),
        unpaired=tuple(replace(one, problem=of_originals(one.problem)) for one in pairing.unpaired),
    )


def _require_unique(items: Sequence[LabelItem]) -> None:
    known: dict[str, Path] = {}
    for item in items:
        if item.stem in known:
            raise ImageError(
                f"{known[item.stem]} and {item.origin} are both for the image {item.stem}: keep one of them."
            )
        known[item.stem] = item.origin
