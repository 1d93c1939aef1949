from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from segloop.artifacts.model.card import VERSION, ModelCard, NormalisationCard, card_name, parse_card
from segloop.images.recipe import Recipe


def card(name: str) -> ModelCard:
    network: dict[str, Any] = {
        "name": "unet",
        "dims": 2,
        "in_channels": 1,
        "out_channels": 2,
    }
    return ModelCard.model_validate(
        {
            "name": name,
            "axes": "YX",
            "recipe": {"inputs": [{"channels": ["DNA"]}]},
            "network": network,
            "target": {"name": "instance"},
            "normalisation": {"low": 1, "high": 99, "clip_low": 0, "clip_high": 1},
            "stride": [1, 1],
        }
    )


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("nuclei 3", "nuclei 3"),
        ("Zellkerne-größe", "Zellkerne-größe"),
        ("run 12:30", "run 12_30"),
        ('<a>"b"|c?*', "_a__b__c__"),
        ("back\\slash", "back_slash"),
        ("two\nlines", "two_lines"),
        (".hidden", "hidden"),
        ("run.", "run"),
        ("...", "model"),
        (" ", "model"),
        ("", "model"),
        ("not utf8 \udcff", "not utf8 _"),
        ("x" * 250, "x" * 100),
    ],
)
def test_a_card_takes_any_folder_for_its_name(folder: str, name: str) -> None:
    assert card_name(folder) == name
    assert card(card_name(folder)).name == name


def test_a_card_of_version_1_is_upgraded() -> None:
    old = parse_card((Path(__file__).parent / "model_v1.json").read_bytes(), "model_v1.json")

    assert (old.version, old.test_input) == (VERSION, "inputs")
    assert old.recipe.build() == Recipe.of_channels(old.recipe.channels)
    assert (old.target.name, old.target.options) == ("semantic", {"classes": 3})
    assert old.parameters == {"foreground": 0.5, "min_size": 12}


def test_a_card_of_version_2_takes_its_channels_as_they_are() -> None:
    old = parse_card((Path(__file__).parent / "model_v2.json").read_bytes(), "model_v2.json")

    assert (old.version, old.test_input) == (VERSION, "inputs")
    assert old.recipe.channels == ["DAPI", "merge(a)"]
    assert [each.operation for each in old.recipe.build().inputs] == ["pick", "pick"]


def test_a_card_of_version_4_says_nothing_about_itself() -> None:
    old = parse_card((Path(__file__).parent / "model_v4.json").read_bytes(), "model_v4.json")

    assert (old.version, old.test_input) == (VERSION, "pixels")
    assert (old.description, old.license, old.cite) == ("", "", [])


def test_a_card_of_version_5_does_not_know_its_medians() -> None:
    old = parse_card((Path(__file__).parent / "model_v5.json").read_bytes(), "model_v5.json")

    assert (old.version, old.median_range) == (VERSION, [])
    assert (old.object_diameter, old.license) == (26.0, "BSD-3-Clause")


def test_a_card_of_version_6_is_normalised_by_percentiles() -> None:
    old = parse_card((Path(__file__).parent / "model_v6.json").read_bytes(), "model_v6.json")

    assert (old.version, old.median_range) == (VERSION, [(0.05, 0.4)])
    assert old.normalisation == NormalisationCard(low=1.0, high=99.8, clip_low=-1.0, clip_high=4.0)


@pytest.mark.parametrize("ranges", [[], [(0.0, 1.0), (0.0, 1.0)], [(2.0, 2.0)]])
def test_a_fixed_normalisation_has_two_different_values_for_each_channel(
    ranges: list[tuple[float, float]],
) -> None:
    values = card("nuclei").model_dump() | {"normalisation": {"kind": "fixed", "ranges": ranges}}

    with pytest.raises(ValidationError, match="two different values for each channel"):
        ModelCard.model_validate(values)


@pytest.mark.parametrize(
    ("recipe", "problem"),
    [
        (
            {"operation": "stir", "channels": ["a"]},
            "no recipe operation 'stir': choose one of pick, merge, blank",
        ),
        (
            {"operation": "merge", "channels": ["a"], "options": {"how": "sum"}},
            "merge.how=sum .* of mean, max",
        ),
        ({"operation": "blank", "channels": []}, "uses no channel"),
    ],
)
def test_a_card_names_operations_that_exist(recipe: dict[str, Any], problem: str) -> None:
    values = card("nuclei").model_dump() | {"recipe": {"inputs": [recipe]}}

    with pytest.raises(ValidationError, match=problem):
        ModelCard.model_validate(values)


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ({"name": "sorcery"}, "no target 'sorcery'"),
        ({"name": "semantic", "options": {"classes": 100}}, r"target\.classes=100 is out of bounds"),
        ({"name": "instance", "options": {"classes": 2}}, r"no target\.classes"),
    ],
)
def test_a_card_names_a_target_and_options_that_exist(target: dict[str, Any], problem: str) -> None:
    values = card("nuclei").model_dump() | {"target": target}

    with pytest.raises(ValidationError, match=problem):
        ModelCard.model_validate(values)
