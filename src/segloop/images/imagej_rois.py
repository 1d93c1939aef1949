"""ROI sets of ImageJ and Fiji: ``.zip`` files of the ROI Manager, and single ``.roi`` files."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from segloop.core.errors import ImageError
from segloop.core.wording import counted
from segloop.core.zip_reading import DAMAGED, fault_of_entry, read_entry
from segloop.images.importers import LabelItem, Shape
from segloop.images.listing import is_image
from segloop.images.names import natural_key, stem_of
from segloop.images.outlines import pixels_inside

if TYPE_CHECKING:
    from roifile import ImagejRoi

_LARGEST = 16 * 2**20  # bytes; an outline of a million points has half of it
_MOST_ROIS = 1_000_000
_WORDS = re.compile(r"(?i)(?:^roi[_\- ]?set[_\-. ]*|[_\-. ]*roi[_\- ]?set$|[_\-. ]+rois?$)")


class ImagejRois:
    """One ROI set an image, named like the image; each area is an object, numbered in the order of the set.

    Lines and points are left out. Where ROIs overlap, the later one has the pixels. In stacks, a ROI lies in
    its slice, or in all slices if it has none.
    """

    def recognises(self, path: Path) -> bool:
        """Return whether it is a ROI set, or a folder with some and without images."""
        if path.is_file():
            return _is_roi_set(path)
        return path.is_dir() and bool(_roi_sets(path)) and not any(is_image(each) for each in path.rglob("*"))

    def describe(self, path: Path) -> str:
        """Say how many sets there are."""
        return counted(len(_roi_sets(path)), "ImageJ ROI set")

    def items(self, path: Path) -> Sequence[LabelItem]:
        """List the sets; see `Importer.items`."""
        root = path if path.is_dir() else path.parent
        return [LabelItem(_stem(each, root), each, partial(rasterise, each)) for each in _roi_sets(path)]


IMAGEJ_ROIS = ImagejRois()


def rasterise(path: Path, shape: Shape) -> NDArray[np.int32]:
    """Return the labels of a ROI set.

    A pixel belongs to a ROI if its centre lies in it, as in ImageJ.

    Parameters
    ----------
    path : Path
        ``.zip`` or ``.roi``.
    shape : (Z, Y, X)
        Of the raw image.

    Returns
    -------
    (Z, Y, X) int32
        1 for the first area, 2 for the second, and so on.

    Raises
    ------
    ImageError
        If it is damaged, not genuine, holds no areas, or none that lies in the image.
    """
    labels = np.zeros(shape, np.int32)
    number = 0
    for roi in _read(path):
        region = _region(roi, shape[1:])
        if region is None:
            continue
        number += 1
        position = int(roi.z_position or roi.position)
        if position > shape[0]:
            raise ImageError(
                f"{path} has a ROI in slice {position}, the image has {counted(shape[0], 'slice')}: choose "
                "the set of this image."
            )
        labels[(slice(None) if position < 1 else position - 1, *region)] = number
    if not number:
        raise ImageError(
            f"{path} holds lines or points only, no areas such as polygons: outline the objects."
        )
    if not labels.any():
        raise ImageError(
            f"None of the ROIs in {path} lies inside the image: choose the ROI set that belongs to it."
        )
    return labels


def _is_roi_set(path: Path) -> bool:
    if path.suffix.lower() == ".roi":
        with path.open("rb") as file:
            return file.read(4) == b"Iout"
    if path.suffix.lower() != ".zip":
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.lower().endswith(".roi") for name in archive.namelist())
    except DAMAGED:
        return False


def _roi_sets(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    files = [each for each in path.rglob("*") if each.suffix.lower() in (".zip", ".roi") and each.is_file()]
    return sorted((each for each in files if _is_roi_set(each)), key=natural_key)


def _stem(path: Path, root: Path) -> str:
    """Return the name of the image that a set belongs to: ``a01`` for ``RoiSet_a01.tif.zip``."""
    stem = stem_of(path.with_suffix(""))
    name = _WORDS.sub("", stem) or stem
    folder = path.parent.relative_to(root).as_posix()
    return name if folder == "." else f"{folder}/{name}"


def _read(path: Path) -> Iterator[ImagejRoi]:
    """Yield the ROIs of a file in order."""
    from roifile import ImagejRoi

    try:
        if path.suffix.lower() == ".roi":
            if path.stat().st_size > _LARGEST:
                raise ImageError(f"{path} is too large to be a ROI: save the ROI set again.")
            yield ImagejRoi.frombytes(path.read_bytes())
            return
        with zipfile.ZipFile(path) as archive:
            entries = [each for each in archive.infolist() if each.filename.lower().endswith(".roi")]
        if len(entries) > _MOST_ROIS:
            raise ImageError(f"{path} holds more than {_MOST_ROIS:,} ROIs: split it up.")
        size = path.stat().st_size
        for entry in entries:
            # Each is read into memory and the name of an entry is not used, so it can't lead anywhere.
            fault = fault_of_entry(entry, size, _LARGEST, 1, _LARGEST)
            if fault:
                raise ImageError(f"{path} is not a genuine ROI set: '{entry.filename[:80]}' {fault}.")
            yield ImagejRoi.frombytes(read_entry(path, entry, _LARGEST))
    except (*DAMAGED, KeyError, IndexError, TypeError, AttributeError) as error:
        if isinstance(error, ImageError):
            raise
        raise ImageError(f"{path} is damaged ({error}): save the ROI set again.") from error


def _region(roi: ImagejRoi, shape: tuple[int, int]) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """Return the rows and columns of an area, as far as it lies in the image; None for what is no area."""
    from roifile import ROI_TYPE
    from skimage.draw import ellipse

    if roi.roitype == ROI_TYPE.OVAL and roi.multi_coordinates is None:
        height, width = roi.bottom - roi.top, roi.right - roi.left
        # ImageJ counts from the corner of a pixel, scikit-image from its centre.
        rows, columns = ellipse(
            roi.top + height / 2 - 0.5, roi.left + width / 2 - 0.5, height / 2, width / 2, shape=shape
        )
        return rows, columns
    areas = (ROI_TYPE.POLYGON, ROI_TYPE.RECT, ROI_TYPE.FREEHAND, ROI_TYPE.TRACED)
    if roi.roitype not in areas and roi.multi_coordinates is None:
        return None
    paths = [np.asarray(path, np.float64)[:, ::-1] - 0.5 for path in roi.coordinates(multi=True)]
    return pixels_inside(paths, shape, holes=True)
