"""Opening a TIFF with tifffile, quietly, and saying in one sentence what is wrong with it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from segloop.core.errors import ImageError

if TYPE_CHECKING:
    from tifffile import TiffFile


@contextmanager
def opened(path: Path) -> Iterator[TiffFile]:
    """Open a TIFF for as long as the context lasts.

    Raises
    ------
    ImageError
        If it is no TIFF, damaged or cut short.
    OSError
        If it can't be read at all.
    """
    from tifffile import TiffFile, TiffFileError

    try:
        with tifffile_messages() as messages, TiffFile(path, is_mmstack=False) as tiff:
            if not len(tiff.series):
                raise ImageError(f"{path} holds no image: export it again.")
            if any("invalid page offset" in message for message in messages):
                raise cut_short(path)
            yield tiff
    except (ImageError, OSError):
        raise
    except TiffFileError as error:
        raise ImageError(
            f"{path} is no TIFF file or is damaged ({error}): copy or export it again, or correct its suffix."
        ) from error
    except Exception as error:  # damaged tags make the parser raise nearly anything
        raise cut_short(path) from error


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
    """Return the error that a damaged file deserves."""
    return ImageError(f"{path} is damaged or cut short: copy or export it again.")
