"""Cellpose's ``_seg.npy`` files, which can't be read safely and are therefore refused, with the remedy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from segloop.core.errors import ImageError
from segloop.core.wording import counted
from segloop.images.importers import LabelItem
from segloop.images.listing import is_image

_SUFFIX = "_seg.npy"


class CellposeNpy:
    """Recognises such files and says how to export the masks. A pickle could run any code when it is read."""

    def recognises(self, path: Path) -> bool:
        """Return whether it is such a file, or a folder with some and without images."""
        if path.is_file():
            return path.name.endswith(_SUFFIX)
        return path.is_dir() and bool(_files(path)) and not any(is_image(each) for each in path.rglob("*"))

    def describe(self, path: Path) -> str:
        """Say how many there are."""
        return counted(len(_files(path)), "Cellpose _seg.npy file")

    def items(self, path: Path) -> Sequence[LabelItem]:
        """Raise `ImageError`."""
        raise ImageError(
            f"{_files(path)[0]} is a pickle, which could run any code when it is read: in Cellpose choose "
            "File > Save masks as PNG/tif, or start it with --save_tif or --save_png, and use those files."
        )


CELLPOSE_NPY = CellposeNpy()


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(path.rglob(f"*{_SUFFIX}"))
