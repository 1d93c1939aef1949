"""Writing to Zarr stores so that a failure ends all of it.

Zarr writes several files at once, in a thread of its own, and reports the first failure while the others go
on: they would write into a folder that is being removed, and bring it back.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from segloop.core.errors import ImageError
from segloop.core.file_errors import writing


@contextmanager
def zarr_writing(path: str | os.PathLike[str]) -> Iterator[None]:
    """Raise `ImageError` as `writing` does, after all that Zarr began to write has ended.

    Parameters
    ----------
    path : path-like
        What is written, for the message.
    """
    with writing(path, ImageError):
        try:
            yield
        except BaseException:
            _wait()
            raise


def _wait() -> None:
    with suppress(ImportError):  # not part of Zarr's public interface
        from zarr.core.sync import sync

        sync(_others_ended())


async def _others_ended() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*others, return_exceptions=True)
