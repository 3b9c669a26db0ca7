"""What the page may ask, with bounds on every value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

LONGEST_TEXT = 100_000
"""More than a spec may have, so that too long a text is an error with a place."""

Text = Annotated[str, Field(max_length=LONGEST_TEXT)]
Name = Annotated[str, Field(max_length=100, pattern=r"^[\w .-]+$")]


class RequestError(ValueError):
    """A request that the page never makes; the message names the key and what is wrong."""


class Request(BaseModel):
    """One question about a spec.

    ask       `figure`: problems, the figure, and sizes for the sliders; `code`: the PyTorch file,
              costs and weights; `links`: the resolved spec, and the links between the panes;
              `masks`; `difference`: from `other`; `export`: the figure in a `format`
    text      the spec as YAML
    name      its name in messages, without folders
    other     the other spec of a difference, and its name
    depth, costs, theme       of figures
    format    of an export
    batch, sequence, dtype    what costs are counted for
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    ask: Literal["figure", "code", "links", "masks", "difference", "export"]
    text: Text
    name: Name = "spec.yaml"
    other: Text = ""
    other_name: Name = "other.yaml"
    depth: Literal["stack", "block", "module", "ops"] = "block"
    costs: bool = False
    theme: Literal["light", "dark"] = "light"
    format: Literal["svg", "png", "pdf"] = "svg"
    batch: Annotated[int, Field(ge=1, le=65_536)] = 1
    sequence: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"


class Run(BaseModel):
    """A run of the model of a spec: its attention maps and next tokens.

    text, name    the spec, as in `Request`
    prompt        the text to read; None: one that suits the vocabulary
    target        the text of the decoder of an encoder-decoder; None: what the model generates
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    text: Text
    name: Name = "spec.yaml"
    prompt: Annotated[str, Field(max_length=2000)] | None = None
    target: Annotated[str, Field(max_length=2000)] | None = None


Question = TypeVar("Question", bound=BaseModel)


def read_request(data: Mapping[str, Any]) -> Request:
    """The request of plain data. Raises RequestError."""
    return _read(Request, data)


def read_run(data: Mapping[str, Any]) -> Run:
    """The run of plain data. Raises RequestError."""
    return _read(Run, data)


def _read(kind: type[Question], data: Mapping[str, Any]) -> Question:
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "request"
        raise RequestError(f"{place}: {first['msg']}") from None
