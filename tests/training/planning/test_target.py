from __future__ import annotations

import pytest

from segloop.config import compose
from segloop.config.train import TrainConfig
from segloop.core.errors import ConfigError
from segloop.training.planning.target import resolve_target, target_choice


@pytest.mark.parametrize(
    ("overrides", "label_kind", "target"),
    [
        ([], "instances", "instance"),
        ([], "semantic", "semantic"),
        (["target=instance"], "semantic", "instance"),
        (["target=semantic"], "instances", "semantic"),
    ],
)
def test_the_target_follows_the_labels_unless_it_is_set(
    overrides: list[str], label_kind: str, target: str
) -> None:
    config = compose.compose(TrainConfig, overrides)

    assert resolve_target(config, label_kind).target.kind == target


@pytest.mark.parametrize(
    ("target", "label_kind", "words"),
    [
        ("instance", "instances", ["Learns objects because the labels number objects."]),
        ("semantic", "semantic", ["because the labels are masks or classes."]),
        ("instance", "semantic", ["although the labels are masks", "An object is a connected component"]),
        ("semantic", "instances", ["although the labels number objects"]),
    ],
)
def test_the_plan_says_what_an_object_is(target: str, label_kind: str, words: list[str]) -> None:
    reason = target_choice(target, label_kind).reason

    assert all(word in reason for word in words)


def test_options_of_an_open_choice_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"target\.classes depends on the choice: set target"):
        compose.compose(TrainConfig, ["+target.classes=3"])
