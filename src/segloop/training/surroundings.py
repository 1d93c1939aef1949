"""A training among others: what it does to be neither killed nor robbed of its images."""

from __future__ import annotations

import signal
import threading
from collections.abc import Sequence

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback

from segloop.training.cache import CachedSample


class OwnSignals(Callback):
    """Keeps SIGTERM as it was before the training: a request to stop, where the command line says so.

    Lightning wraps whoever handles it, and ends the training itself, without the last validation and
    checkpoint. Make it just before the training, in the thread that trains.
    """

    def __init__(self) -> None:
        self._handler = signal.getsignal(signal.SIGTERM)

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Put back the handler that Lightning has just replaced; only the main thread may."""
        if threading.current_thread() is threading.main_thread() and self._handler is not None:
            signal.signal(signal.SIGTERM, self._handler)


class StaysInCache(Callback):
    """Says in each epoch that the entries of the cache are in use, however long the training goes on.

    Parameters
    ----------
    samples : sequence of CachedSample
        All that the training uses.
    """

    def __init__(self, samples: Sequence[CachedSample]) -> None:
        self._samples = tuple(samples)

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Touch them."""
        for sample in self._samples:
            sample.touch()
