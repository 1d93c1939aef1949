"""One class of parameters tells forms, command line and files all they need."""

from __future__ import annotations

from typing import Any

import pytest

from segloop.core.errors import ConfigError
from segloop.targets import TARGETS, ParameterSet, make_target, parameter
from segloop.targets.instance import InstanceParameters


class Many(ParameterSet):
    """One of each type."""

    share: float = parameter(0.5, "Share", "Of something.", minimum=0, maximum=1)
    size: int = parameter(3, "Size", "How many.", unit="px", minimum=0)
    fill: bool = parameter(True, "Fill", "Whether holes are filled.")
    mode: str = parameter("a", "Mode", "Which way.")


def test_the_fields_say_what_a_form_needs() -> None:
    share, size, fill, mode = Many.fields()

    assert (share.type, share.default, share.minimum, share.maximum, share.step) == (float, 0.5, 0, 1, 0.01)
    assert (size.type, size.unit, size.minimum, size.maximum, size.step) == (int, "px", 0, None, 1)
    assert (fill.type, fill.title, fill.description) == (bool, "Fill", "Whether holes are filled.")
    assert (mode.type, mode.default) == (str, "a")


def test_values_that_are_given_replace_the_others() -> None:
    own = InstanceParameters(foreground=0.4, min_size=12, splitting=0.2)

    assert own.override({}) == own
    assert own.override({"foreground": 0.6, "min_size": 0}).values() == {
        "foreground": 0.6,
        "min_size": 0,
        "splitting": 0.2,
    }


def test_values_typed_as_text_are_read() -> None:
    assert Many().override({"share": "0.25", "size": "7", "fill": "false"}).values() == {
        "share": 0.25,
        "size": 7,
        "fill": False,
        "mode": "a",
    }


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"shar": 1}, r"There is no threshold\.shar: choose among share, size, fill, mode\."),
        ({"share": 1.5}, r"threshold\.share=1\.5 is out of bounds: choose a value between 0 and 1\."),
        ({"share": float("nan")}, r"threshold\.share=nan is out of bounds: choose a value between 0 and 1\."),
        ({"size": -1}, r"threshold\.size=-1 is out of bounds: choose a value of at least 0\."),
        ({"size": 1.5}, r"threshold\.size=1\.5 is not valid: choose a whole number\."),
        ({"share": "much"}, r"threshold\.share=much is not valid: choose a number\."),
        ({"fill": "maybe"}, r"threshold\.fill=maybe is not valid: choose true or false\."),
    ],
)
def test_a_wrong_name_or_value_is_refused_in_one_sentence(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        Many().override(values)


@pytest.mark.parametrize("name", TARGETS.names())
def test_every_target_describes_its_options_and_parameters(name: str) -> None:
    target = make_target(name)

    for kind in (target.options_type, target.parameters_type):
        assert all(field.title and field.description.endswith(".") for field in kind.fields())
