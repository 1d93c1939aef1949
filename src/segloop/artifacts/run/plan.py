"""The plan of a training: every automatic choice, with its reason and the number it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

VERSION = 2


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Choice(_Frozen):
    """One choice and its reason.

    Attributes
    ----------
    name : str
        What was chosen, such as ``"Patch size"``.
    value : str
        The choice, readable.
    reason : str
        One sentence that says why, with the number it rests on.
    """

    name: str
    value: str
    reason: str


class PlannedDevice(_Frozen):
    """Where a training computes.

    Attributes
    ----------
    kind : {"cpu", "cuda", "mps"}
        As torch calls it.
    mixed : bool
        Whether predictions use 16 bit where it is safe.
    precision : str
        Number format of the training steps, as Lightning calls it.
    """

    kind: str
    mixed: bool = False
    precision: str = "32-true"


class TrainingPlan(_Frozen):
    """What a training will do and why; shown before it starts, used by the run, and saved in ``plan.json``.

    Attributes
    ----------
    target : str
        What the network learns: a name in the registry of targets.
    target_options : dict
        Its options by name, with nothing left open.
    dimensions : {2, 3}
        Spatial dimensions of the network.
    channels : tuple of str
        What feeds the network, in order: names of channels, or operations such as ``merge(DAPI, GFP)``.
    voxel_size_um : (z, y, x)
        In micrometres; None where unknown.
    network : dict
        Name and arguments of the network.
    patch_size : (Y, X) or (Z, Y, X)
        In pixels.
    batch_size : int
        Patches per step.
    batches_per_epoch : int
        Steps per epoch.
    steps : int
        Steps after which the training ends, unless it ends earlier.
    validate_every : int
        Epochs between two validations in a training that ends by a number of steps; in others the time that
        validations take decides.
    device : PlannedDevice
        Where it computes.
    expected_minutes : float
        Roughly how long it takes; 0 where nothing is known.
    train_samples, val_samples : tuple of str
        Ids of the samples to learn from and to validate on.
    train_objects, val_objects : int or None
        Number of objects in them; None where they were not counted.
    parameters : dict
        The parameters of the target that the model starts with; empty before the labels were read.
    choices : tuple of Choice
        The choices in the order in which they are shown.
    warnings : tuple of str
        What the user should know before starting, one sentence each.
    problems : tuple of str
        One sentence for each sample that can't be used.
    """

    version: Literal[2] = 2
    target: str
    target_options: dict[str, Any] = {}
    dimensions: Literal[2, 3]
    channels: tuple[str, ...]
    voxel_size_um: tuple[float | None, float | None, float | None] = (None, None, None)
    network: dict[str, Any]
    patch_size: tuple[int, ...]
    batch_size: int = Field(ge=1)
    batches_per_epoch: int = Field(ge=1)
    steps: int = 0
    validate_every: int = 1
    device: PlannedDevice
    expected_minutes: float = 0.0
    train_samples: tuple[str, ...] = ()
    val_samples: tuple[str, ...] = ()
    train_objects: int | None = None
    val_objects: int | None = None
    parameters: dict[str, Any] = {}
    choices: tuple[Choice, ...] = ()
    warnings: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """The reasons of all choices, one sentence each."""
        return tuple(choice.reason for choice in self.choices if choice.reason)

    def lines(self) -> list[str]:
        """Return the plan as readable lines: each choice with its reason, then warnings and problems."""
        width = max((len(choice.name) for choice in self.choices), default=0)
        lines = [f"{choice.name:<{width}}  {choice.value}: {choice.reason}" for choice in self.choices]
        lines += [f"Warning: {text}" for text in self.warnings]
        return [*lines, *(f"Left out: {text}" for text in self.problems)]

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as plain values, fit for JSON."""
        return self.model_dump(mode="json")

    @classmethod
    def from_dict(cls, values: Any) -> TrainingPlan:
        """Read back what `to_dict` gave, or what an older version wrote.

        Raises
        ------
        ValueError
            If a value is missing or does not fit.
        """
        if not isinstance(values, dict):
            raise ValueError("a plan is a set of named values")
        return cls.model_validate(upgrade(values))


def upgrade(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of an older ``plan.json`` as those of the present version.

    Version 1 had no number, kept sentences without the choice they belong to, and did not name its target.
    """
    if "version" in values:
        return dict(values)
    rest = {name: value for name, value in values.items() if name != "notes"}
    rest["target"] = "instance" if int(values["network"]["out_channels"]) == 2 else "semantic"
    classes = rest.pop("classes", 2)
    rest["target_options"] = {"classes": classes} if rest["target"] == "semantic" else {}
    rest["parameters"] = rest.pop("thresholds", {})
    rest["choices"] = [{"name": "", "value": "", "reason": note} for note in values.get("notes", ())]
    return {"version": VERSION, **rest}
