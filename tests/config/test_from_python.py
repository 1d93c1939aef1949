"""Settings as people write them in Python."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from segloop.config.from_python import as_overrides, resolve
from segloop.config.predict import OutputFormat, PredictConfig
from segloop.config.train import NetworkConfig, NetworkSize, TrainConfig
from segloop.core.errors import ConfigError


def test_strings_are_taken_where_enums_are_meant() -> None:
    config = resolve(PredictConfig(format="zarr"))  # type: ignore[arg-type]

    assert config.format is OutputFormat.zarr
    assert resolve(TrainConfig(network=NetworkConfig(size="large"))).network.size is NetworkSize.large  # type: ignore[arg-type]


def test_a_single_string_is_taken_where_a_list_is_meant() -> None:
    assert resolve(PredictConfig(outputs="mask")).outputs == ["mask"]  # type: ignore[arg-type]


def test_the_config_that_was_passed_stays_as_it_is() -> None:
    config = PredictConfig(outputs="labels")  # type: ignore[arg-type]
    resolve(config, {"tile_size": [256, 256]})
    assert config == PredictConfig(outputs="labels")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (
            PredictConfig(format="png"),  # type: ignore[arg-type]
            "format='png' is not possible: choose one of auto, tiff, zarr.",
        ),
        (
            TrainConfig(network=NetworkConfig(size="huge")),  # type: ignore[arg-type]
            "network.size='huge' is not possible: choose one of small, medium, large.",
        ),
    ],
)
def test_what_is_no_member_is_refused_with_the_valid_names(
    config: TrainConfig | PredictConfig, sentence: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(config)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("config", "settings", "sentence"),
    [
        (PredictConfig(tile_size="large"), {}, "tile_size"),  # type: ignore[arg-type]
        (TrainConfig(), {"stop.max_minutes": -1}, "stop.max_minutes"),
        (TrainConfig(), {"stop.max_minute": 1}, "max_minute"),
        (TrainConfig(), {"network.size": "huge"}, "small, medium, large"),
        (TrainConfig(), {"network.size": object()}, "not a plain value"),
    ],
)
def test_bad_settings_are_refused_by_name(config: Any, settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        resolve(config, settings)


def test_a_mapping_and_overrides_say_the_same() -> None:
    settings = {"network.size": "medium", "stop.max_minutes": 2.5, "recipe.channels": ["nuclei", "1"]}
    overrides = ["network.size=medium", "stop.max_minutes=2.5", "recipe.channels=[nuclei,'1']"]

    assert resolve(TrainConfig(), settings) == resolve(TrainConfig(), overrides)


@given(st.lists(st.text(st.characters(blacklist_categories=("Cs", "Cc"))), max_size=3))
@example(["${oc.env:HOME}"])
@example(["\\'", "a\\", "it's", "'\\\\'"])
def test_strings_arrive_as_they_are(names: list[str]) -> None:
    assert resolve(TrainConfig(), {"recipe.channels": names}).recipe.channels == names


def test_one_override_needs_no_list() -> None:
    assert as_overrides("network.size=large") == ["network.size=large"]
