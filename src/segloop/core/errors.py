"""The errors users see: one plain sentence each, naming the file and the remedy."""

from __future__ import annotations


class SegloopError(Exception):
    """Base of all errors raised on purpose; its message is fit to be shown as it is."""


class ImageError(SegloopError):
    """An image can't be read, written, or lacks what was asked of it."""


class PairingError(SegloopError):
    """Raw images and segmentations can't be matched by file stem."""


class DatasetError(SegloopError):
    """A curated dataset, or one of its samples, is missing, damaged or unusable."""


class ConfigError(SegloopError):
    """A config value is missing, of the wrong type, or out of bounds."""


class ModelError(SegloopError):
    """A model is missing, damaged, or does not fit the image."""


class RunError(SegloopError):
    """A run folder is missing, damaged, or in a state that forbids what was asked."""


class JobError(SegloopError):
    """A job could not be started, or its process ended without finishing."""


class Cancelled(SegloopError):  # noqa: N818 - a request that was heeded, not a failure
    """The user asked to stop; what was finished until then is kept."""
