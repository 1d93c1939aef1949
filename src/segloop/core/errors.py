"""Errors that users see. Each message is one sentence that names the file and says what to do."""

from __future__ import annotations


class SegloopError(Exception):
    """Base of all errors that Segloop raises on purpose; the message can be shown to users."""


class ImageError(SegloopError):
    """An image can't be read or written, or lacks what was requested, such as a channel."""


class PairingError(SegloopError):
    """Raw images and segmentations can't be matched by their file names."""


class DatasetError(SegloopError):
    """A curated dataset, or one of its samples, is missing, damaged or unusable."""


class ConfigError(SegloopError):
    """A config value is missing, of the wrong type, or out of bounds."""


class ModelError(SegloopError):
    """A model is missing, damaged, or does not fit the image."""


class RunError(SegloopError):
    """A run is missing or damaged, or its state does not allow the request."""


class JobError(SegloopError):
    """A job can't be started, or its process ended unexpectedly."""


class Cancelled(SegloopError):  # noqa: N818 - a request, not a failure
    """The user asked to stop; everything finished so far is kept."""
