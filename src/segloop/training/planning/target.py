"""What the network learns: as configured, or as the labels of the dataset are."""

from __future__ import annotations

from dataclasses import replace

from segloop.artifacts.dataset.check import OBJECT_MEANS
from segloop.artifacts.run.plan import Choice
from segloop.config.train import AUTO, TrainConfig
from segloop.targets import TARGETS

_BY_LABELS = {"instances": "instance", "semantic": "semantic"}


def resolve_target(config: TrainConfig, label_kind: str) -> TrainConfig:
    """Return the config with the target that suits the labels, where the choice is left to them.

    Parameters
    ----------
    config : TrainConfig
        What the user chose.
    label_kind : {"instances", "semantic"}
        Of the dataset.
    """
    if config.target.kind != AUTO:
        return config
    return replace(config, target=replace(config.target, kind=_BY_LABELS[label_kind]))


def target_choice(name: str, label_kind: str) -> Choice:
    """Return the target as the plan shows it."""
    target = TARGETS.get(name)
    labels = "number objects" if label_kind == "instances" else "are masks or classes"
    if name == _BY_LABELS[label_kind]:
        reason = f"Learns {target.label(name)} because the labels {labels}."
    else:
        reason = f"Learns {target.label(name)}, as set by target, although the labels {labels}."
    if target.needs_objects and label_kind != "instances":
        reason += f" An object is {OBJECT_MEANS[label_kind]}."
    return Choice(name="Target", value=target.label(name), reason=reason)
