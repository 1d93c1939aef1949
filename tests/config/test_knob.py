"""Every knob explains itself and keeps its bounds."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest

from segloop.config.knob import knob, knobs, validate
from segloop.config.predict import PredictConfig
from segloop.config.train import TrainConfig
from segloop.core.errors import ConfigError


def all_fields(schema: type) -> Iterator[tuple[str, dataclasses.Field[object]]]:
    """Yield the leaves and the groups they are folded into."""
    for field in dataclasses.fields(schema):
        yield f"{schema.__name__}.{field.name}", field
        if isinstance(field.default_factory, type) and dataclasses.is_dataclass(field.default_factory):
            yield from all_fields(field.default_factory)


FIELDS = dict([*all_fields(TrainConfig), *all_fields(PredictConfig)])
NUMBERS = [name for name, field in FIELDS.items() if type(field.default) in (int, float)]


@pytest.mark.parametrize("name", FIELDS)
def test_every_knob_has_a_label_and_help_in_plain_sentences(name: str) -> None:
    metadata = FIELDS[name].metadata
    assert metadata["label"][0].isupper() or metadata["label"][0].isdigit()
    assert len(metadata["label"]) <= 24
    assert metadata["help"].endswith(".")
    assert len(metadata["help"]) > len(metadata["label"])


@pytest.mark.parametrize("name", NUMBERS)
def test_every_number_has_bounds_that_admit_its_default(name: str) -> None:
    field = FIELDS[name]
    low, high = field.metadata["min"], field.metadata["max"]
    assert low is not None
    assert low <= field.default
    assert high is None or field.default <= high


@pytest.mark.parametrize("schema", [TrainConfig, PredictConfig])
def test_the_defaults_are_valid(schema: type) -> None:
    validate(schema())


def test_labels_in_one_group_differ() -> None:
    for schema in {
        field.default_factory for field in FIELDS.values() if isinstance(field.default_factory, type)
    }:
        if dataclasses.is_dataclass(schema):
            labels = [field.metadata["label"] for field in dataclasses.fields(schema)]
            assert len(set(labels)) == len(labels)


def test_leaves_are_found_with_their_dotted_paths_and_values() -> None:
    config = TrainConfig()
    config.network.dimensions = 3
    found = {leaf.path: leaf.value for leaf in knobs(config)}
    assert found["network.dimensions"] == 3
    assert found["dataset"] == ""
    assert "network" not in found


def test_two_configs_share_no_list_or_group() -> None:
    first, second = TrainConfig(), TrainConfig()
    first.recipe.channels.append("dapi")
    first.stop.max_epochs = 1
    assert second.recipe.channels == []
    assert second.stop.max_epochs != 1


@dataclasses.dataclass
class _Bounded:
    ratio: float = knob(0.5, "Ratio", "A share.", minimum=0, maximum=1)
    sizes: list[int] = knob([8], "Sizes", "Some sizes.", minimum=1)
    on: bool = knob(True, "On", "A switch.", minimum=5)


@pytest.mark.parametrize("value", [0, 1, 0.3])
def test_bounds_are_inclusive(value: float) -> None:
    validate(_Bounded(ratio=value))


@pytest.mark.parametrize("value", [-0.01, 1.01, float("nan"), float("inf")])
def test_a_number_out_of_bounds_is_named_with_the_range(value: float) -> None:
    with pytest.raises(ConfigError, match=r"^ratio=.* choose a value between 0 and 1\.$"):
        validate(_Bounded(ratio=value))


def test_each_number_of_a_list_is_checked() -> None:
    with pytest.raises(ConfigError, match=r"^sizes=0 .* at least 1\.$"):
        validate(_Bounded(sizes=[64, 0]))


def test_a_switch_is_not_a_number() -> None:
    validate(_Bounded(on=False))
