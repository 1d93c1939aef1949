"""Changes of labels, pixel by pixel, in an append-only file: a brush stroke takes the space of a stroke.

Each line of the file is one change and says which line it follows, so that a segmentation's newest change
stands for all before it. Nothing is ever overwritten: after an undo, the next change follows an earlier line.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segloop.core.errors import DatasetError
from segloop.core.file_errors import cannot_read, writing
from segloop.core.jsonl import append_line, read_line, size_of_complete_lines

_RESTORE = "restore it from a copy"


@dataclass(frozen=True, eq=False)
class LabelChange:
    """Pixels of a label image that got another value.

    Attributes
    ----------
    indices : (N,) int64
        Their places in the flattened (Z, Y, X) array, increasing.
    before, after : (N,) uint32
        Their values.
    """

    indices: NDArray[np.int64]
    before: NDArray[np.uint32]
    after: NDArray[np.uint32]

    def __len__(self) -> int:
        """Return the number of pixels."""
        return len(self.indices)

    @classmethod
    def between(
        cls, before: NDArray[Any], after: NDArray[Any], region: tuple[slice, ...] = (slice(None),) * 3
    ) -> LabelChange:
        """Return how two (Z, Y, X) label images differ.

        Parameters
        ----------
        before, after : (Z, Y, X) integer array
            Values from 0 to 2**32 - 1.
        region : tuple of slice, optional
            The part to compare, along Z, Y and X; everything by default.
        """
        starts = [part.indices(size)[0] for part, size in zip(region, before.shape, strict=True)]
        old, new = before[region], after[region]
        places = np.nonzero(old != new)
        whole = tuple(at + start for at, start in zip(places, starts, strict=True))
        indices = np.ravel_multi_index(whole, before.shape).astype(np.int64)
        return cls(indices, old[places].astype(np.uint32), new[places].astype(np.uint32))

    def reversed(self) -> LabelChange:
        """Return the change that takes this one back."""
        return LabelChange(self.indices, self.after, self.before)

    def apply(self, labels: NDArray[Any]) -> None:
        """Give the pixels of a contiguous (Z, Y, X) array their values after the change."""
        labels.reshape(-1)[self.indices] = self.after


class ChangeFile:
    """The changes of one version of a segmentation.

    Parameters
    ----------
    path : Path
        The file; created with the first change.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, change: LabelChange, follows: int | None) -> int:
        """Store a change, and return where its line starts, in bytes.

        Parameters
        ----------
        change : LabelChange
            At least one pixel.
        follows : int or None
            Where the line of the change before it starts; None for the first.

        Raises
        ------
        DatasetError
            If the file can't be written, or ``follows`` is no line of it.
        """
        data = zlib.compress(
            np.concatenate([np.diff(change.indices, prepend=0).astype("<i8").view(np.uint8),
                            change.before.astype("<u4").view(np.uint8),
                            change.after.astype("<u4").view(np.uint8)]).tobytes(),
            1,
        )  # fmt: skip
        known = self._line(follows)["digest"] if follows is not None else ""
        line = {
            "follows": follows,
            "pixels": len(change),
            "data": base64.b64encode(data).decode(),
            "digest": hashlib.sha256(str(known).encode() + data).hexdigest(),
        }
        with writing(self.path, DatasetError):
            offset = size_of_complete_lines(self.path)
            append_line(self.path, line, durable=True)
        return offset

    def follows(self, offset: int) -> int | None:
        """Return where the change before the one at an offset starts; None for the first."""
        before = self._line(offset)["follows"]
        return None if before is None else int(before)

    def read(self, offset: int, size: int) -> LabelChange:
        """Return the change whose line starts at an offset.

        Parameters
        ----------
        offset : int
            In bytes.
        size : int
            Number of pixels of the label image.

        Raises
        ------
        DatasetError
            If there is no such line, or it doesn't fit an image of that size.
        """
        line = self._line(offset)
        try:
            n = int(line["pixels"])
            if not 0 < n <= size:
                raise ValueError("the image has another size")
            unpacker = zlib.decompressobj()
            data = unpacker.decompress(base64.b64decode(line["data"], validate=True), 16 * n)
            if len(data) != 16 * n:
                raise ValueError("it is incomplete")
            steps = np.frombuffer(data[: 8 * n], "<i8")
            before, after = np.frombuffer(data[8 * n :], "<u4").reshape(2, n)
            indices = np.cumsum(steps, dtype=np.int64)
            if (steps[1:] <= 0).any() or indices[0] < 0 or indices[-1] >= size:
                raise ValueError("the image has another size")
        except (KeyError, TypeError, ValueError, zlib.error) as error:
            raise DatasetError(f"{self.path} is damaged at byte {offset} ({error}): {_RESTORE}.") from error
        return LabelChange(indices, before.astype(np.uint32), after.astype(np.uint32))

    def chain(self, offset: int | None) -> Iterator[int]:
        """Iterate over the offsets of a change and of those before it, newest first."""
        while offset is not None:
            yield offset
            before = self.follows(offset)
            if before is not None and before >= offset:
                raise DatasetError(f"{self.path} is damaged at byte {offset}: {_RESTORE}.")
            offset = before

    def digest(self, offset: int) -> str:
        """Return a hash of a change and all those before it."""
        return str(self._line(offset)["digest"])

    def _line(self, offset: int) -> dict[str, Any]:
        try:
            line = read_line(self.path, offset)
        except OSError as error:
            raise DatasetError(cannot_read(self.path, error, _RESTORE)) from error
        if line is None or not {"follows", "digest"} <= line.keys():
            raise DatasetError(f"{self.path} is damaged at byte {offset}: {_RESTORE}.")
        return line


def path_between(file: ChangeFile, start: int | None, end: int | None) -> tuple[list[int], list[int]]:
    """Return which changes lead from one state of a version to another.

    Parameters
    ----------
    file : ChangeFile
        The changes of the version.
    start, end : int or None
        Offset of the newest change that is in effect, and of the one that should be; None for none.

    Returns
    -------
    taken_back : list of int
        Offsets of the changes to take back, in this order.
    made : list of int
        Offsets of the changes to apply after that, in this order.
    """
    back, forth = list(file.chain(start)), list(file.chain(end))
    shared = set(back) & set(forth)
    return [each for each in back if each not in shared], [each for each in forth[::-1] if each not in shared]
