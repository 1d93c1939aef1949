"""Why a file can't be read: it uses something unsupported, or it is damaged."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from segloop.core.errors import Cancelled, ImageError
from segloop.core.file_errors import cannot_read

# How tifffile, zarr, numcodecs, imageio and bioio's readers say that they lack something, unlike what they
# say of damaged data.
_LACKING = re.compile(
    r"not (yet )?supported|unsupported|not implemented|codec not available|unknown codec|is not a known "
    r"(compression|predictor|photometric|datatype)|requires the .* package|no (decoder|codec) ",
    re.IGNORECASE,
)


@contextmanager
def guarded(path: Path) -> Iterator[None]:
    """Turn whatever a reader raises for a file into one sentence.

    Readers pass on what the libraries below them raise for damaged files, which may be anything.

    Raises
    ------
    ImageError
        If the body raises any error; `Cancelled` and a lack of memory are passed on.
    """
    try:
        yield
    except (ImageError, Cancelled, MemoryError):
        raise
    except OSError as error:
        lacking = unsupported_feature(error)
        raise (unsupported(path, lacking) if lacking else ImageError(cannot_read(path, error))) from error
    except ImportError as error:
        raise ImageError(
            f"{path} can't be read because a package is missing or broken ({error}): install it, or install "
            "Segloop again."
        ) from error
    except Exception as error:
        lacking = unsupported_feature(error)
        raise (unsupported(path, lacking) if lacking else damaged(path)) from error


def damaged(path: object) -> ImageError:
    """Return the error for a file that no reader understands."""
    return ImageError(
        f"{path} can't be read because it is damaged or its suffix is wrong: copy or export it again, "
        "or save it as TIFF."
    )


def unsupported_feature(error: BaseException) -> str:
    """Return what a reader said that it does not support; empty if it said something else.

    Parameters
    ----------
    error : exception
        As the reader raised it; its causes are looked through too.
    """
    for each in _chain(error):
        # bioio raises this class whatever went wrong; the cause says what did.
        if type(each).__name__ == "UnsupportedFileFormatError":
            continue
        text = next(iter(str(each).strip().splitlines()), "")
        if isinstance(each, NotImplementedError) or _LACKING.search(text):
            return (text or type(each).__name__)[:120]
    return ""


def unsupported(path: object, feature: str) -> ImageError:
    """Return the error for a file that is intact but uses something unsupported."""
    return ImageError(
        f"{path} can't be read because it uses something that is not supported ({feature}): "
        "save it as TIFF, or as OME-Zarr 0.4 or 0.5, without it."
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    following: BaseException | None = error
    while following is not None and following not in seen:
        seen.append(following)
        yield following
        following = following.__cause__ or following.__context__
