"""Named values with title, description, unit and bounds: options of networks, targets and others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self, TypeAlias, cast, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from segloop.core.errors import ConfigError
from segloop.core.wording import shortened

Value: TypeAlias = bool | int | float | str


def parameter(
    default: Any,
    title: str,
    description: str,
    *,
    unit: str = "",
    minimum: float | None = None,
    maximum: float | None = None,
    step: float | None = None,
    stacks_only: bool = False,
) -> Any:
    """Declare a field of a `ParameterSet`; its type may be a `typing.Literal` of some texts.

    Parameters
    ----------
    default : bool, int, float or str
        Value where nothing else is chosen.
    title, description : str
        Label and tooltip; ``description`` is one plain sentence.
    unit : str, optional
        Such as ``"px"``.
    minimum, maximum : float, optional
        Inclusive bounds of a number.
    step : float, optional
        By how much a slider changes the value; 1 for integers and 0.01 for other numbers if not given.
    stacks_only : bool, optional
        Whether it changes nothing in images of one slice; the docks then show it for stacks only.
    """
    return Field(
        default,
        title=title,
        description=description,
        ge=minimum,
        le=maximum,
        json_schema_extra={"unit": unit, "step": step, "stacks_only": stacks_only},
    )


@dataclass(frozen=True)
class ParameterField:
    """What a form, a command line or a page needs to know of one parameter.

    Attributes
    ----------
    name : str
        As in ``threshold.NAME=VALUE``.
    type : type
        ``bool``, ``int``, ``float`` or ``str``.
    default : bool, int, float or str
        Value where nothing else is chosen.
    title, description, unit : str
        For people; ``unit`` may be empty.
    minimum, maximum : float or None
        Inclusive bounds of a number.
    step : float
        By how much a slider changes a number.
    choices : tuple of str
        All possible values of a text; empty if it is free.
    stacks_only : bool
        Whether it changes nothing in images of one slice.
    """

    name: str
    type: type
    default: Value
    title: str
    description: str
    unit: str
    minimum: float | None
    maximum: float | None
    step: float
    choices: tuple[str, ...] = ()
    stacks_only: bool = False


class ParameterSet(BaseModel):
    """Base of options and of a target's parameters: plain values, each declared by `parameter`.

    One such class is all that the docks' forms, the command line, model cards and records of predictions
    need to know.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)

    @classmethod
    def fields(cls) -> tuple[ParameterField, ...]:
        """Return what is known of each parameter, in the order of declaration."""
        return tuple(_describe(name, info) for name, info in cls.model_fields.items())

    @classmethod
    def from_values(cls, values: Mapping[str, Any], prefix: str, also: Sequence[str] = ()) -> Self:
        """Return the parameters with these values, and defaults for the others.

        Parameters
        ----------
        values : mapping of str to plain value
            By name.
        prefix : str
            How the values are called in messages, such as ``"threshold"``.
        also : sequence of str, optional
            Other names that a message about an unknown name is to offer.

        Raises
        ------
        ConfigError
            If there is no parameter of a name, or a value has the wrong type or is out of bounds.
        """
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise ConfigError(_sentence(cls, error.errors()[0], prefix, also)) from error

    def override(self, values: Mapping[str, Any], prefix: str = "threshold") -> Self:
        """Return these parameters with some values replaced; see `from_values`."""
        return type(self).from_values({**self.values(), **values}, prefix)

    def values(self) -> dict[str, Value]:
        """Return all values by name."""
        return self.model_dump()


class NoParameters(ParameterSet):
    """For what has no options, or no parameters."""


def options_type_of(item: Any) -> type[ParameterSet]:
    """Return the class of the options of a registry's item, its attribute ``options_type``.

    An item without this attribute has no options.
    """
    found: type[ParameterSet] = getattr(item, "options_type", NoParameters)
    return found


def _describe(name: str, info: Any) -> ParameterField:
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    bounds = {key: getattr(rule, key) for rule in info.metadata for key in ("ge", "le") if hasattr(rule, key)}
    step = extra.get("step") or (1 if info.annotation is int else 0.01)
    choices = get_args(info.annotation) if get_origin(info.annotation) is Literal else ()
    return ParameterField(
        name=name,
        type=str if choices else cast(type, info.annotation),
        default=info.default,
        title=info.title or name,
        description=info.description or "",
        unit=str(extra.get("unit") or ""),
        minimum=bounds.get("ge"),
        maximum=bounds.get("le"),
        step=float(step),
        choices=choices,
        stacks_only=bool(extra.get("stacks_only")),
    )


def _sentence(cls: type[ParameterSet], problem: Any, prefix: str, also: Sequence[str]) -> str:
    name = str(problem["loc"][0]) if problem["loc"] else ""
    known = {field.name: field for field in cls.fields()}
    if name not in known:
        names = ", ".join([*also, *known])
        choices = f"choose among {names}" if names else "there are none to choose"
        return f"There is no {prefix}.{shortened(name)}: {choices}."
    field, value = known[name], shortened(str(problem["input"]))
    if problem["type"] in ("greater_than_equal", "less_than_equal", "finite_number"):
        low, high = field.minimum, field.maximum
        span = f"between {low:g} and {high:g}" if low is not None and high is not None else None
        span = span or (f"of at least {low:g}" if low is not None else f"of at most {high:g}")
        return f"{prefix}.{name}={value} is out of bounds: choose a value {span}."
    if field.choices:
        return f"{prefix}.{name}={value} is not possible: choose one of {', '.join(field.choices)}."
    kinds: dict[type, str] = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
    return f"{prefix}.{name}={value} is not valid: choose {kinds.get(field.type, 'another value')}."
