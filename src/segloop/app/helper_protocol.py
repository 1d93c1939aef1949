"""What the prediction helper answers: one line of JSON on its standard output for each step.

Its standard input takes the folders of jobs, one a line. Lines that are not answers, such as what a library
prints, are not part of the protocol and are ignored.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

PROTOCOL_VERSION = 1


class _Answer(BaseModel):
    """What all answers have."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    format: Literal["segloop-helper"] = "segloop-helper"
    version: int = PROTOCOL_VERSION


class Loading(_Answer):
    """The process has started and loads torch, which takes seconds; jobs wait."""

    kind: Literal["loading"] = "loading"


class Ready(_Answer):
    """Jobs start at once from now on."""

    kind: Literal["ready"] = "ready"


class Accepted(_Answer):
    """The job in ``folder`` starts."""

    kind: Literal["accepted"] = "accepted"
    folder: str


class Refused(_Answer):
    """The job in ``folder`` can't be executed: its task is missing, damaged or unknown."""

    kind: Literal["refused"] = "refused"
    folder: str
    reason: str


class Finished(_Answer):
    """The job in ``folder`` has finished or was stopped, at times before it began; its events say which."""

    kind: Literal["finished"] = "finished"
    folder: str


class Failed(_Answer):
    """The job in ``folder`` has failed."""

    kind: Literal["failed"] = "failed"
    folder: str
    error: str


Answer = Loading | Ready | Accepted | Refused | Finished | Failed
"""One line of the helper's standard output."""

_ADAPTER: TypeAdapter[Answer] = TypeAdapter(
    Annotated[Answer, Field(discriminator="kind")], config=ConfigDict(defer_build=True)
)


def format_answer(answer: Answer) -> bytes:
    """Return an answer as a line."""
    return answer.model_dump_json().encode() + b"\n"


def parse_answer(line: bytes) -> Answer | None:
    """Return a line as an answer, or None if it is not one."""
    if not line.startswith(b"{"):
        return None
    try:
        return _ADAPTER.validate_json(line)
    except ValidationError:
        return None
