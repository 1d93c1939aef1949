"""Opening a TIFF with tifffile, quietly, and saying in one sentence what is wrong with it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from segloop.core.errors import ImageError
from segloop.images.ome_xml import MOST_PLANES, most_planes
from segloop.images.refusals import unsupported, unsupported_feature

if TYPE_CHECKING:
    from tifffile import TiffFile


_LARGEST_HEADER = 48 << 20  # characters; 300 for each plane allow for over 160,000 planes


@contextmanager
def opened(path: Path) -> Iterator[TiffFile]:
    """Open a TIFF whose series are all in this file, for as long as the context lasts.

    Raises
    ------
    ImageError
        If it is not a TIFF, damaged or cut short.
    OSError
        If it can't be read at all.
    """
    with parsed(path) as (tiff, messages):
        require_series(path, tiff, messages)
        yield tiff


def require_series(path: Path, tiff: TiffFile, messages: Sequence[str]) -> None:
    """Raise `ImageError` if a TIFF holds no image, fewer pages than it lists, or immense metadata."""
    header = tiff.pages.first.description if len(tiff.pages) else ""
    if len(header) > _LARGEST_HEADER:
        raise ImageError(
            f"{path} has metadata of more than {_LARGEST_HEADER >> 20} MB, too many to be read: export it "
            "again without them."
        )
    if most_planes(header) > MOST_PLANES:
        raise ImageError(
            f"{path} has damaged OME metadata (more than {MOST_PLANES:,} planes): export it again."
        )
    if not len(tiff.series):
        raise ImageError(f"{path} holds no image: export it again.")
    if any("invalid page offset" in message for message in messages):
        raise cut_short(path)


@contextmanager
def parsed(path: Path) -> Iterator[tuple[TiffFile, list[str]]]:
    """Open a TIFF without arranging its pages into series, and collect tifffile's messages.

    Raises
    ------
    ImageError
        If it is not a TIFF, or damaged.
    OSError
        If it can't be read at all.
    """
    from tifffile import TiffFile, TiffFileError

    try:
        with tifffile_messages() as messages, TiffFile(path, is_mmstack=False) as tiff:
            yield tiff, messages
    except (ImageError, OSError):
        raise
    except TiffFileError as error:
        raise ImageError(
            f"{path} is not a TIFF file or is damaged ({error}): copy or export it again, "
            "or correct its suffix."
        ) from error
    except Exception as error:  # damaged tags make the parser raise nearly anything
        lacking = unsupported_feature(error)
        raise (unsupported(path, lacking) if lacking else cut_short(path)) from error


@contextmanager
def tifffile_messages() -> Iterator[list[str]]:
    """Collect what tifffile logs in this thread, instead of letting it reach the user's terminal."""
    messages: list[str] = []
    thread = threading.get_ident()

    def collect(record: logging.LogRecord) -> bool:
        if record.thread != thread:
            return True
        messages.append(record.getMessage())
        return False

    logger = logging.getLogger("tifffile")
    logger.addFilter(collect)
    try:
        yield messages
    finally:
        logger.removeFilter(collect)


def cut_short(path: Path) -> ImageError:
    """Return the error for a damaged file."""
    return ImageError(f"{path} is damaged or cut short: copy or export it again.")
