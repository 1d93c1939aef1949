from __future__ import annotations

from typing import Any

import pytest

from segloop.artifacts.model.card import ModelCard, card_name


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
            "recipe": {"channels": ["DNA"]},
            "network": network,
            "target": {"kind": "instance"},
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
