"""The packages of the extra ``zoo``: imported late, and kept out of the terminal."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from segloop.networks.onnx_graph import zoo_package


def require_packages(*names: str) -> None:
    """Raise `ModelError` unless these packages are installed."""
    for name in names:
        zoo_package(name)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the log and the warnings of other packages out of the terminal."""
    import loguru

    packages = ("bioimageio.core", "bioimageio.spec")
    for name in packages:
        loguru.logger.disable(name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for name in packages:
            loguru.logger.enable(name)
