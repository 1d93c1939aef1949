"""From which checkpoint a run is continued."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import torch

from segloop.artifacts.run.run import Run
from segloop.core.errors import RunError


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that can be used.

    Attributes
    ----------
    path : Path
        Its file.
    epoch : int
        Number of finished epochs.
    """

    path: Path
    epoch: int


def find_checkpoint(run: Run) -> tuple[Checkpoint | None, str]:
    """Return what a run is continued from: the last checkpoint, else that of the best validation.

    Returns
    -------
    checkpoint : Checkpoint or None
        None if there is no checkpoint yet, so that the training starts over.
    note : str
        What the user should know, in one sentence; empty if the last checkpoint is used.

    Raises
    ------
    RunError
        If there are checkpoints but all are damaged.
    """
    files = [file for file in (run.last_checkpoint, run.best_checkpoint) if file.is_file()]
    if not files:
        return None, "There is no checkpoint yet: the training starts over."
    for file in files:
        epoch = _finished_epochs(file)
        if epoch is not None:
            is_last = file == run.last_checkpoint
            what = "damaged" if run.last_checkpoint in files else "missing"
            note = "" if is_last else f"The last checkpoint is {what}: continuing from the best one."
            return Checkpoint(file, epoch), note
    raise RunError(
        f"The checkpoint {files[0]} is damaged: start a new training with --init on this run's model."
    )


def _finished_epochs(file: Path) -> int | None:
    """Return the number of finished epochs in a checkpoint; None if any part of it is damaged."""
    try:
        with zipfile.ZipFile(file) as archive:
            if archive.testzip() is not None:  # compares the checksum of each part
                return None
        return int(torch.load(file, map_location="cpu", weights_only=True, mmap=True)["epoch"]) + 1
    except Exception:  # zipfile and torch raise many kinds for a damaged file
        return None
