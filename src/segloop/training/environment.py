"""What a training does so that neither signals nor other trainings disturb it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Sequence

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback

from segloop.training.cache import CachedSample


class KeepSignalHandlers(Callback):
    """Keeps the handler of SIGTERM of before the training: the command line makes it a request to stop.

    Lightning replaces it by one that ends the training without the last validation and checkpoint. Create the
    callback just before the training, in the thread that trains.
    """

    def __init__(self) -> None:
        self._handler = signal.getsignal(signal.SIGTERM)

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Put back the handler that Lightning has just replaced; only the main thread may."""
        if threading.current_thread() is threading.main_thread() and self._handler is not None:
            signal.signal(signal.SIGTERM, self._handler)


class KeepCacheEntries(Callback):
    """Marks the entries of the cache as in use in each epoch, so that no other training deletes them.

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
