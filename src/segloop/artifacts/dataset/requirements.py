"""What every change of a sample must respect."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from segloop.artifacts.dataset.manifest import Sample
from segloop.artifacts.dataset.summary import SampleSummary
from segloop.core.errors import DatasetError


def require_whole_group(sample: Sample, others: Iterable[SampleSummary]) -> None:
    """Raise `DatasetError` if a sample would be in another split than the rest of its group."""
    for other in others if sample.group else ():
        if other.group == sample.group and other.id != sample.id and other.split != sample.split:
            raise DatasetError(
                f"Sample {sample.id} is in group {sample.group} like {other.id}, which is in the split "
                f"{other.split}: samples of one group must share their split. Move all with set_split."
            )


def require_size_of_raw(
    sample: Sample, name: str, labels_shape: Sequence[int], raw_shape: Sequence[int]
) -> None:
    """Raise `DatasetError` if labels differ in size from the raw image; shapes are (Z, Y, X)."""
    if tuple(labels_shape) != tuple(raw_shape):
        raise DatasetError(
            f"The labels for the segmentation {name} of sample {sample.id} have the shape "
            f"{tuple(labels_shape)}, but its raw image has {tuple(raw_shape)} (Z, Y, X): they must be equal."
        )
