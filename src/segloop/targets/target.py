"""The base of all targets: everything the rest of Segloop asks of what a network learns."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray
from typing_extensions import TypeVar

from segloop.config.parameters import NoParameters, ParameterSet
from segloop.core.errors import ConfigError
from segloop.targets.maps import Decoded
from segloop.targets.output import Output

OptionsT = TypeVar("OptionsT", bound=ParameterSet, default=Any)
ParametersT = TypeVar("ParametersT", bound=ParameterSet, default=Any)


@dataclass(frozen=True)
class MapSpec:
    """One output map of a network.

    Attributes
    ----------
    name : str
        Such as ``"foreground"``.
    """

    name: str


@dataclass(frozen=True)
class LossTerm:
    """One term of the training loss; the terms are added.

    Attributes
    ----------
    name : str
        Of the term, such as ``"distance"``; ``loss.NAME=...`` chooses another loss for it.
    loss : str
        Name of a loss in the registry ``segloop.losses``.
    maps : tuple of int
        Which of the target's maps the loss compares.
    weight : float
        Factor of the term.
    arguments : mapping
        Plain values, passed on to the loss.
    """

    name: str
    loss: str
    maps: tuple[int, ...]
    weight: float = 1.0
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Metric:
    """A number that validation reports.

    Attributes
    ----------
    name : str
        In ``metrics.csv`` it is ``val_<name>``.
    title : str
        In sentences, such as ``"AP at IoU 0.5"``.
    short : str
        In lists and legends, such as ``"AP50"``; the title if empty.
    """

    name: str
    title: str
    short: str = ""


@dataclass(frozen=True)
class Score:
    """Result of a validation.

    Attributes
    ----------
    values : dict of str to float
        Of each of the target's metrics, by name; the higher, the better.
    uncertainty : float
        Difference of the deciding metric below which two scores are as good as equal.
    """

    values: dict[str, float]
    uncertainty: float


@dataclass(frozen=True)
class Choice:
    """Result of a calibration.

    Attributes
    ----------
    index : int
        Position of the chosen candidate.
    reason : str
        Why, in one sentence.
    """

    index: int
    reason: str


class Encoded(NamedTuple):
    """What a network should predict for some labels, and where that counts.

    Attributes
    ----------
    maps : (K, Z, Y, X) float32
        Between 0 and 1, one per `MapSpec`.
    valid : (K, Z, Y, X) bool
        False where loss and gradient must be exactly zero.
    """

    maps: NDArray[np.float32]
    valid: NDArray[np.bool_]


@dataclass(frozen=True)
class LabelFacts:
    """What is known of the labels of a dataset when a training starts.

    Attributes
    ----------
    kind : {"instances", "semantic"}
        Whether values number objects or name classes.
    name : str
        Of the dataset, for messages.
    values : callable
        Returns the set of values above 0. It reads all labels, so call it only where they are needed.
    """

    kind: str
    name: str
    values: Callable[[], set[int]]


@dataclass(frozen=True)
class Target(ABC, Generic[OptionsT, ParametersT]):
    """What a network learns: encoding of labels into maps and decoding of maps, kept together.

    A target of your own is a subclass, registered in `segloop.targets.TARGETS` or offered by a package as an
    entry point of the group ``segloop.targets``. It must not import torch.

    Attributes
    ----------
    name : str
        In the registry.
    options : ParameterSet
        An ``options_type``, with what can be chosen for a training.
    dims : {2, 3}
        2 where each slice is independent of the others, 3 for volumes.
    voxel_size : tuple of (float or None), optional
        Z, Y, X in micrometres, None where unknown.
    """

    name: str
    options: OptionsT
    dims: int = 2
    voxel_size: tuple[float | None, ...] | None = None

    title: ClassVar[str] = ""
    """What it finds, for forms; the name if empty."""
    description: ClassVar[str] = ""
    """One sentence for a tooltip."""
    options_type: ClassVar[type[ParameterSet]] = NoParameters
    """What can be chosen for a training, as ``target.NAME=VALUE``."""
    parameters_type: ClassVar[type[ParameterSet]] = NoParameters
    """What decoding depends on and can be changed after prediction, as ``threshold.NAME=VALUE``."""
    needs_objects: ClassVar[bool] = False
    """Whether each object needs a number of its own; of masks the connected components are then numbered."""
    metrics: ClassVar[tuple[Metric, ...]]
    """What validation reports; the first metric decides which model is kept."""

    @classmethod
    def resolve_options(cls, options: OptionsT, labels: LabelFacts) -> tuple[OptionsT, str]:
        """Fill in options that follow from the labels.

        Returns
        -------
        options : ParameterSet
            With nothing left to choose.
        note : str
            What was chosen and why, in one sentence; empty if there is nothing to say.
        """
        return options, ""

    @property
    @abstractmethod
    def maps(self) -> tuple[MapSpec, ...]:
        """The network's output maps, in order."""

    @property
    def activation(self) -> str:
        """What turns the network's outputs (logits) into maps: ``"sigmoid"`` or ``"softmax"``."""
        return "sigmoid"

    @property
    @abstractmethod
    def losses(self) -> tuple[LossTerm, ...]:
        """The terms of the training loss."""

    @property
    @abstractmethod
    def outputs(self) -> tuple[Output, ...]:
        """What it can predict, the one to write by default first; ``probability`` stands for the maps."""

    def output(self, name: str) -> Output:
        """Return the output of a name.

        Raises
        ------
        ConfigError
            If there is none.
        """
        for output in self.outputs:
            if output.name == name:
                return output
        possible = ", ".join(output.name for output in self.outputs)
        raise ConfigError(f"The model has no output '{name}': choose among {possible}.")

    @property
    def parameters(self) -> ParametersT:
        """The default parameters."""
        return cast(ParametersT, self.parameters_type())

    def initial_parameters(self, sizes: NDArray[np.int64]) -> tuple[ParametersT, str]:
        """Return the parameters that a training starts with.

        Parameters
        ----------
        sizes : (N,) int
            Numbers of pixels of the objects in the training labels.

        Returns
        -------
        parameters : ParameterSet
            Defaults, or what follows from the labels.
        note : str
            What was chosen and why, in one sentence; empty if there is nothing to say.
        """
        return self.parameters, ""

    @abstractmethod
    def encode(self, labels: NDArray[Any], valid: NDArray[np.bool_] | None = None) -> Encoded:
        """Turn labels (Z, Y, X) and where they count (Z, Y, X) into maps to learn."""

    @abstractmethod
    def decode(self, maps: NDArray[Any], parameters: ParametersT | None = None) -> Decoded:
        """Turn the maps (K, Z, Y, X) of a whole image, uint8 or float, into outputs."""

    def decoding_memory(self, shape: Sequence[int]) -> int:
        """Return the bytes that `decode` takes, besides its maps, for an image of shape (Z, Y, X).

        An estimate for usual images, by which one that is too large is refused before the work begins.
        """
        return 40 * math.prod(shape)

    def context(self, output: Output, parameters: ParametersT) -> tuple[int, int, int] | None:
        """Return how much of its surroundings a block needs to be decoded as the whole image is.

        Parameters
        ----------
        output : Output
            What is to be decoded.
        parameters : ParameterSet
            With which.

        Returns
        -------
        (z, y, x) or None
            Pixels on each side of the block; None, the default, where only the whole image will do, for
            example to number objects.
        """
        return None

    def decode_block(self, maps: NDArray[Any], parameters: ParametersT, outputs: Sequence[Output]) -> Decoded:
        """Turn the maps of a block and its surroundings into outputs that have a `context`.

        Parameters
        ----------
        maps : (K, z, y, x) uint8 or float
            Of a block with at least the `context` of each output on all sides where the image continues.
        parameters : ParameterSet
            As in `decode`.
        outputs : sequence of Output
            What is needed; others may be left out.

        Returns
        -------
        Decoded
            (z, y, x) arrays; they equal those of the whole image inside the block, not in its surroundings.
        """
        return self.decode(maps, parameters)

    def with_foreground(self, parameters: ParametersT, probability: float) -> ParametersT:
        """Return parameters that call a pixel foreground from this probability on; see `foreground`."""
        return parameters

    def foreground(self, maps: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
        """Return the foreground probability (Z, Y, X) of maps (K, Z, Y, X), for Otsu's method.

        None, the default, if no parameter of the target is such a probability.
        """
        return None

    @abstractmethod
    def measure(self, decoded: Decoded, labels: NDArray[Any], valid: NDArray[np.bool_]) -> Any:
        """Compare what was decoded from an image with its labels.

        Parameters
        ----------
        decoded : Decoded
            As `decode` returns it.
        labels : (Z, Y, X) int
            The ground truth.
        valid : (Z, Y, X) bool
            Where it counts.

        Returns
        -------
        counts
            Of any type with ``+``; those of several images are added.
        """

    @abstractmethod
    def score(self, counts: Any) -> Score:
        """Turn the sum of what `measure` returned into numbers."""

    def candidates(self, parameters: ParametersT) -> Sequence[ParametersT]:
        """Return the parameters to try on the validation images after training; none by default."""
        return ()

    def choose(self, counts: Sequence[Any]) -> Choice | None:
        """Choose among the candidates.

        Parameters
        ----------
        counts : sequence
            Of each candidate, the sum over the images of what `measure` returned.

        Returns
        -------
        Choice or None
            By default the first with the highest deciding metric. None if nothing can be chosen.
        """
        scores = [self.score(each).values[self.metrics[0].name] for each in counts]
        if not scores or not any(math.isfinite(score) for score in scores):
            return None
        return Choice(int(np.nanargmax(scores)), "")

    @classmethod
    def label(cls, name: str) -> str:
        """Return what a form calls the target of this name."""
        return cls.title or name

    def summary(self) -> str:
        """Return in a word or two what a model of this target finds."""
        return self.label(self.name)
