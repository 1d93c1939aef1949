"""What a package of the zoo does before and after its network, as a model of Segloop does it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from segloop.artifacts.model.card import FixedCard, MeanCard, NormalisationCard
from segloop.exchange.zoo_package import RefusalError

Step = list[Any]
"""As in `segloop.networks.onnx_network`."""

_EPS = 1e-6  # what bioimageio.core adds to a fixed standard deviation


@dataclass(frozen=True)
class Before:
    """What happens before the network: intensities are normalised, then steps are applied."""

    normalisation: NormalisationCard | MeanCard | FixedCard
    steps: list[Step]


@dataclass(frozen=True)
class After:
    """What happens after the network.

    Attributes
    ----------
    steps : list
        Applied to its outputs.
    threshold : float or None
        Values above it become 1, others 0, at the very end; None if values are left as they are.
    activated : bool
        Whether a step turns outputs into probabilities.
    """

    steps: list[Step]
    threshold: float | None
    activated: bool


def steps_before(
    processing: Sequence[Any], letters: Mapping[str, str], tensor: str, n_channels: int
) -> Before:
    """Translate the preprocessing of an input.

    Parameters
    ----------
    processing : sequence
        Its descriptions, as ``bioimageio.spec`` gives them.
    letters : mapping of str to str
        Letter (b, c, z, y, x) of each axis by its name.
    tensor : str
        Name of the input.
    n_channels : int
        Its number of channels.

    Raises
    ------
    RefusalError
        If Segloop can't do the same.
    """
    measured: NormalisationCard | MeanCard | None = None
    steps: list[Step] = []
    for each in processing:
        step = _elementwise(each, letters)
        if step is not None:
            steps += step
        elif each.id in ("scale_range", "zero_mean_unit_variance"):
            if measured is not None:
                raise RefusalError(
                    "it measures intensities twice in its preprocessing, which can't be done here"
                )
            if (
                steps
            ):  # bioimageio.core measures the image as it was, other programs what the steps made of it
                raise RefusalError(
                    "it changes intensities before it measures them, which programs do differently"
                )
            together = _measured_together(each, letters) and n_channels > 1
            if each.id == "zero_mean_unit_variance":
                measured = MeanCard(eps=each.kwargs.eps, together=together)
                continue
            reference = each.kwargs.reference_tensor
            if reference is not None and str(reference) != tensor:
                raise RefusalError("it scales one image by another, which can't be done here")
            measured = NormalisationCard(
                low=each.kwargs.min_percentile,
                high=each.kwargs.max_percentile,
                clip_low=None,
                clip_high=None,
                eps=each.kwargs.eps,
                together=together,
            )
        else:
            raise _unknown(each, "preprocessing")
    if measured is not None:
        return Before(measured, steps)
    if steps and steps[0][0] == "linear":
        gains, offsets = (_for_each(value, n_channels) for value in steps[0][1:])
        if all(gains):
            ranges = [
                (-offset / gain, (1 - offset) / gain) for gain, offset in zip(gains, offsets, strict=True)
            ]
            return Before(FixedCard(ranges=ranges), steps[1:])
    return Before(FixedCard(ranges=[(0.0, 1.0)] * n_channels), steps)


def steps_after(processing: Sequence[Any], letters: Mapping[str, str]) -> After:
    """Translate the postprocessing of an output; parameters as in `steps_before`.

    Raises
    ------
    RefusalError
        If Segloop can't do the same.
    """
    steps: list[Step] = []
    threshold: float | None = None
    activated = False
    for each in processing:
        if threshold is not None and each.id != "ensure_dtype":
            raise RefusalError(
                f"it has the postprocessing {each.id} after a threshold, which can't be done here"
            )
        step = _elementwise(each, letters)
        if step is not None:
            steps += step
        elif each.id == "sigmoid" or (each.id == "softmax" and letters.get(str(each.kwargs.axis)) == "c"):
            steps.append([each.id])
            activated = True
        elif each.id == "binarize" and not isinstance(each.kwargs.threshold, Sequence):
            threshold = float(each.kwargs.threshold)
        else:
            raise _unknown(each, "postprocessing")
    return After(steps, threshold, activated)


def _elementwise(each: Any, letters: Mapping[str, str]) -> list[Step] | None:
    """Return a description as steps for each value by itself; None if it is of another kind."""
    if each.id == "ensure_dtype":  # values are 32-bit floats until the network gets them
        return []
    if each.id == "scale_linear":
        _require_along_channels(each, letters)
        return [["linear", _plain(each.kwargs.gain), _plain(each.kwargs.offset)]]
    if each.id == "fixed_zero_mean_unit_variance":
        _require_along_channels(each, letters)
        means, deviations = _plain(each.kwargs.mean), _plain(each.kwargs.std)
        if isinstance(means, list) or isinstance(deviations, list):
            count = max(len(value) if isinstance(value, list) else 1 for value in (means, deviations))
            means, deviations = _for_each(means, count), _for_each(deviations, count)
            gains = [1 / (value + _EPS) for value in deviations]
            return [["linear", gains, [-mean * gain for mean, gain in zip(means, gains, strict=True)]]]
        gain = 1 / (deviations + _EPS)
        return [["linear", gain, -means * gain]]
    if each.id == "clip":
        if each.kwargs.min_percentile is not None or each.kwargs.max_percentile is not None:
            raise RefusalError("it clips intensities at percentiles, which can't be done here")
        return [["clip", each.kwargs.min, each.kwargs.max]]
    return None


def _require_along_channels(each: Any, letters: Mapping[str, str]) -> None:
    axis = getattr(each.kwargs, "axis", None)
    if axis is not None and letters.get(str(axis)) != "c":
        raise RefusalError(f"its {each.id} has other values along the axis {axis}, which can't be done here")


def _measured_together(each: Any, letters: Mapping[str, str]) -> bool:
    """Return whether all channels are measured together; a dataset is measured image by image."""
    if each.kwargs.axes is None:
        return True
    axes = {letters.get(str(axis), "?") for axis in each.kwargs.axes}
    if not {letter for letter in letters.values() if letter in "zyx"} <= axes:
        raise RefusalError(f"its {each.id} measures parts of an image, which can't be done here")
    return "c" in axes


def _plain(value: Any) -> Any:
    """Return numbers as floats; they must be finite."""
    numbers = [float(each) for each in (value if isinstance(value, Sequence) else [value])]
    if not all(math.isfinite(number) for number in numbers):
        raise RefusalError("its processing has numbers that are not finite: get a new copy of it")
    return numbers if isinstance(value, Sequence) else numbers[0]


def _for_each(value: Any, count: int) -> list[float]:
    """Return a number for each channel."""
    values = value if isinstance(value, list) else [value]
    if len(values) not in (1, count):
        raise RefusalError(
            "its processing has another number of channels than its image: get a new copy of it"
        )
    return values * count if len(values) == 1 else values


def _unknown(each: Any, noun: str) -> RefusalError:
    if each.id == "custom":
        return RefusalError(
            f"its {noun} is code of its own, which is never run: ask its authors for one without"
        )
    return RefusalError(f"its {noun} has the step {each.id}, which can't be done here")
