"""Polygons that napari layers were saved as with ``numpy.save``, read without running any code of the file.

Outlines of unequal length make numpy store a pickle inside the ``.npy`` file. Unpickling calls functions that
the file names; here the few names that numpy itself writes stand for plain containers, and all other names
are refused.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segloop.core.errors import DatasetError

_LARGEST = 64 * 2**20  # bytes
_MOST_CORNERS = 2_000_000
_MOST_MEMO = 1_000_000  # a number kept of an object; a larger one would only reserve memory


def read_polygons(path: Path) -> list[NDArray[np.float64]]:
    """Return the outlines in a ``.npy`` file.

    Parameters
    ----------
    path : Path
        Saved from a list of (corners, dimensions) arrays, as the data of a napari shapes layer is.

    Returns
    -------
    list of (corners, 2) arrays
        In pixels, y and x. Of corners with more dimensions, the last two are kept.

    Raises
    ------
    DatasetError
        If the file is missing, damaged, too large, or holds something else.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise DatasetError(f"{path} is too large for outlines: draw them again.")
        outlines, n_corners = [], 0
        for value in _read(path.read_bytes()):
            outlines.append(_outline(value))
            n_corners += len(outlines[-1])
            if n_corners > _MOST_CORNERS:  # a small pickle can name one array many times
                raise DatasetError(
                    f"{path} has more than {_MOST_CORNERS:,} corners: draw the outlines again."
                )
        return outlines
    except OSError as error:
        raise DatasetError(f"{path} can't be read ({error.strerror}): put it back.") from error
    except DatasetError:
        raise
    except Exception as error:  # a damaged pickle can raise anything
        raise DatasetError(
            f"{path} holds no outlines of a napari layer ({error}): draw them again."
        ) from error


def _read(content: bytes) -> Sequence[Any]:
    stream = io.BytesIO(content)
    version = np.lib.format.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise ValueError("unknown version of .npy")
    read_header = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}
    _, _, dtype = read_header[version[0]](stream)
    if not dtype.hasobject:
        return list(np.load(io.BytesIO(content), allow_pickle=False))
    pickled = content[stream.tell() :]
    for instruction, argument, _ in pickletools.genops(pickled):
        if instruction.name == "LONG_BINPUT" and (argument or 0) > _MOST_MEMO:
            raise ValueError("it is damaged")
    loaded = _Inert(io.BytesIO(pickled)).load()
    if not isinstance(loaded, _Array):
        raise ValueError("it is not an array")
    return loaded.items()


def _outline(value: Any) -> NDArray[np.float64]:
    corners = np.asarray(value.numbers() if isinstance(value, _Array) else value, np.float64)
    if corners.ndim != 2 or corners.shape[1] < 2 or not np.isfinite(corners).all():
        raise ValueError("an outline has no corners of two or more coordinates")
    return corners[:, -2:]


class _Type:
    """Stands for `numpy.dtype`."""

    def __init__(self, code: str, *_: object) -> None:
        self.code, self.order = code, "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = str(state[1])


class _Array:
    """Stands for `numpy.ndarray` and for the function that makes an empty one."""

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, self.shape, self.type, self.by_column, self.content = state

    def items(self) -> list[Any]:
        """Return the elements of an array of objects, or the rows of one of numbers."""
        return list(self.content) if isinstance(self.content, list) else list(self.numbers())

    def numbers(self) -> NDArray[np.float64]:
        """Return an array of numbers."""
        kind = np.dtype(self.type.code)
        if kind.kind not in "fiu" or not isinstance(self.content, bytes):
            raise ValueError("an outline is not made of numbers")
        flat = np.frombuffer(
            self.content, kind.newbyteorder(self.type.order if self.type.order in "<>" else "=")
        )
        return flat.reshape(self.shape, order="F" if self.by_column else "C").astype(np.float64)


class _Inert(pickle.Unpickler):
    """Makes the containers above of what numpy writes, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        known = {"_reconstruct": _Array, "ndarray": _Array, "dtype": _Type}
        if module not in ("numpy", "numpy.core.multiarray", "numpy._core.multiarray") or name not in known:
            raise ValueError(f"it names {module}.{name}, which arrays do not need")
        return known[name]
