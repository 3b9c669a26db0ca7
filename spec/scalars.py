"""Scalar types: description, validator and JSON Schema of each."""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import GetCoreSchemaHandler
from pydantic_core import PydanticCustomError, core_schema

from .errors import shown
from .names import (
    ARGUMENT_NAMES,
    BLOCK_NAME,
    HELPER_NAMES,
    MAX_LENGTH,
    MODEL_NAME,
    PLAIN_NAME,
    hides_code,
    name_problem,
)
from .part import BROKEN, UnknownValueError


@dataclass(frozen=True, eq=False)
class Wanted:
    """A scalar type.

    words: description in errors, as in "`layers` must be an integer from 0 to 100,000"
    read: returns the normalised value, or raises ValueError
    json: JSON Schema
    """

    words: str
    read: Callable[[Any], Any]
    json: dict[str, Any]

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(self.validate)

    def validate(self, value: Any) -> Any:
        if value is BROKEN:
            return value
        try:
            return self.read(value)
        except UnknownValueError:  # already reported
            return BROKEN
        except ValueError as error:
            context = {"words": str(error) or self.words}
            raise PydanticCustomError("wanted", "{words}", context) from None


def whole(low: int, high: int) -> Wanted:
    """An integer in a range, including both ends."""

    def read(value: Any) -> int:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError
        return value

    words = f"an integer from {low:,} to {high:,}"
    return Wanted(words, read, {"type": "integer", "minimum": low, "maximum": high})


def real(
    low: float, high: float, *also: str, open_low: bool = False, below: bool = False
) -> Wanted:
    """A number in a range, or one of some words. The ends are included unless said otherwise."""

    def read(value: Any) -> float | str:
        if isinstance(value, str) and value in also:
            return value
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValueError
        if not low <= value <= high or (open_low and value == low) or (below and value == high):
            raise ValueError
        return int(value) if value == int(value) and abs(value) < 2**53 else value

    if open_low and high >= LARGE:
        words = f"a number above {low:g}"
    elif low <= -LARGE or high >= LARGE:
        words = "a number" if low < 0 else f"a number from {low:g} up"
    else:
        start = f"above {low:g}, at most" if open_low else f"from {low:g} to"
        words = f"a number {start} {'less than ' if below else ''}{high:g}"
    number: dict[str, Any] = {"type": "number"}
    if low > -LARGE:
        number["exclusiveMinimum" if open_low else "minimum"] = low
    if high < LARGE:
        number["exclusiveMaximum" if below else "maximum"] = high
    json = {"anyOf": [number, {"enum": list(also)}]} if also else number
    return Wanted(" or ".join([words, *(f"`{w}`" for w in also)]), read, json)


LARGE = 1e30
SIZE = re.compile(r"(?:(\d{1,9}(?:/\d{1,9})?)\s*\*\s*)?d_model\Z")


def _read_flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _read_size(value: Any) -> int | str:
    if isinstance(value, str) and (match := SIZE.match(value)):
        factor = match[1] or "1"
        if factor.split("/")[-1].strip("0") and Fraction(factor) > 0:
            return f"{factor} * d_model"
    return int(whole(1, 100_000_000).read(value))


def size_of(size: int | str, d_model: int) -> Fraction:
    """The value of a size: `8/3 * d_model` with d_model 768 is 2048."""
    factor = Fraction(size.split(" * ")[0]) * d_model if isinstance(size, str) else size
    return Fraction(1) * factor


def _read_name(value: Any) -> str:
    problem = name_problem(value, PLAIN_NAME)
    if problem:
        raise ValueError(problem)
    return str(value)


def _read_argument(value: Any) -> str:
    text = _read_name(value)
    if hides_code(text):
        raise ValueError("another name; the generated code uses this one")
    return text


def _read_model_name(value: Any) -> str:
    problem = name_problem(value, MODEL_NAME)
    if problem:
        raise ValueError(problem)
    return str(value)


def _read_block_name(value: Any) -> str:
    problem = name_problem(value, BLOCK_NAME)
    if problem:
        raise ValueError(problem)
    return str(value)


def _read_text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 2000:
        raise ValueError
    return value


Projection = Literal["query", "key", "value", "output"]
PROJECTIONS = ("query", "key", "value", "output", "output_gate")
HiddenLayer = Literal["gate", "up", "down"]
HIDDEN_LAYERS = ("gate", "up", "down")


def _biases(of: tuple[str, ...]) -> Wanted:
    """True, false, or a list of linear layers that have a bias."""
    wanted = f"true, false, or a list of {', '.join(of)}"

    def read(value: Any) -> bool | tuple[str, ...]:
        if isinstance(value, bool):
            return value
        if not isinstance(value, (list, tuple)):
            raise ValueError
        for one in value:
            if not isinstance(one, str) or one not in of or value.count(one) > 1:
                why = "occurs twice" if one in of else "is not one of them"
                raise ValueError(f"{wanted}; {shown(one)} {why}")
        return tuple(each for each in of if each in value)

    listed = {"type": "array", "items": {"enum": [*of]}, "uniqueItems": True}
    return Wanted(wanted, read, {"anyOf": [{"type": "boolean"}, listed]})


def _read_optional_id(value: Any) -> int | None:
    return None if value in ("none", None) else int(whole(0, 2**31 - 1).read(value))


def _read_optional_count(value: Any) -> int | None:
    return None if value in ("none", None) else int(whole(1, 100_000_000).read(value))


def _read_maybe_count(value: Any) -> int | str:
    return "none" if value == "none" else int(whole(1, 100_000_000).read(value))


def _read_sides(value: Any) -> int | tuple[int, int]:
    side = whole(1, 100_000_000)
    if not isinstance(value, (list, tuple)):
        return int(side.read(value))
    if len(value) != 2:
        raise ValueError
    one, other = (int(side.read(each)) for each in value)
    return one if one == other else (one, other)


def _read_widths(value: Any) -> tuple[int, int, int]:
    width = whole(1, 100_000_000)
    if not isinstance(value, (list, tuple)) or len(value) != 3:
        raise ValueError
    first, second, third = (int(width.read(each)) for each in value)
    return first, second, third


def _read_ids(value: Any) -> int | tuple[int, ...]:
    one = whole(0, 2**31 - 1)
    if not isinstance(value, (list, tuple)):
        return int(one.read(value))
    ids = tuple(int(one.read(each)) for each in value)
    if not ids:
        raise ValueError
    if len(set(ids)) < len(ids):
        raise ValueError("a list of different token ids")
    return ids[0] if len(ids) == 1 else ids


def _read_padding(value: Any) -> Any:
    if value is True:  # the older spelling
        return "mask"
    if value is False or value in ("mask", "tokens"):
        return value
    raise ValueError


_PLAIN = {"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_]*$", "maxLength": MAX_LENGTH}
NAME_JSON = {**_PLAIN, "not": {"enum": ["none", *sorted(keyword.kwlist)]}}
_NAME_OR_NONE_JSON = {**_PLAIN, "not": {"enum": sorted(keyword.kwlist)}}
BLOCK_NAME_JSON = {**_PLAIN, "not": {"enum": ["none"]}}
_ARGUMENT_JSON = {
    **_PLAIN,
    "not": {"enum": sorted({"none", *keyword.kwlist, *ARGUMENT_NAMES, *HELPER_NAMES})},
}

_COUNT_JSON = {"type": "integer", "minimum": 1, "maximum": 100_000_000}
_SIZE_PATTERN = r"^(?:0*[1-9]\d*(?:/0*[1-9]\d*)?\s*\*\s*)?d_model$"

Flag = Annotated[bool, Wanted("true or false", _read_flag, {"type": "boolean"})]
Layers = Annotated[int, whole(0, 100_000)]
Width = Annotated[int, whole(1, 1_000_000)]
Heads = Annotated[int, whole(1, 100_000)]
Count = Annotated[int, whole(1, 100_000_000)]
Entries = Annotated[int, whole(1, 1_000_000_000)]
Whole = Annotated[int, whole(0, 1_000_000_000)]
Id = Annotated[int, whole(0, 2**31 - 1)]
_ID = {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}
Ids = Annotated[
    int | tuple[int, ...],
    Wanted(
        "an integer from 0 to 2,147,483,647, or a list of them",
        _read_ids,
        {"anyOf": [_ID, {"type": "array", "items": _ID, "minItems": 1, "uniqueItems": True}]},
    ),
]
OptionalId = Annotated[
    int | None,
    Wanted(
        "a token id or `none`",
        _read_optional_id,
        {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 2**31 - 1}, {"const": "none"}]},
    ),
]
OptionalCount = Annotated[
    int | None,
    Wanted(
        "an integer above 0 or `none`",
        _read_optional_count,
        {"anyOf": [_COUNT_JSON, {"const": "none"}]},
    ),
]
MaybeCount = Annotated[  # here, `none` differs from leaving it out
    int | Literal["none"],
    Wanted(
        "an integer above 0 or `none`",
        _read_maybe_count,
        {"anyOf": [_COUNT_JSON, {"const": "none"}]},
    ),
]
Sides = Annotated[
    int | tuple[int, int],
    Wanted(
        "an integer above 0, or a list of two of them",
        _read_sides,
        {
            "anyOf": [
                _COUNT_JSON,
                {"type": "array", "items": _COUNT_JSON, "minItems": 2, "maxItems": 2},
            ]
        },
    ),
]
Widths = Annotated[
    tuple[int, int, int],
    Wanted(
        "a list of three integers above 0",
        _read_widths,
        {"type": "array", "items": _COUNT_JSON, "minItems": 3, "maxItems": 3},
    ),
]
Number = Annotated[float, real(-LARGE, LARGE)]
NotNegative = Annotated[float, real(0, LARGE)]
Positive = Annotated[float, real(0, LARGE, open_low=True)]
AboveOne = Annotated[float, real(1, LARGE, open_low=True)]
Epsilon = Annotated[float, real(0, 1, open_low=True)]
Fractional = Annotated[float, real(0, 1, open_low=True)]
Rate = Annotated[float, real(0, 1, below=True)]
Maybe = Annotated[float | Literal["none"], real(0, LARGE, "none", open_low=True)]
MaybeNumber = Annotated[float | Literal["none"], real(-LARGE, LARGE, "none")]
ScoreScale = Annotated[float | Literal["none", "by_layer"], real(-LARGE, LARGE, "none", "by_layer")]
InputScale = Annotated[
    float | Literal["sqrt_d_model"], real(0, LARGE, "sqrt_d_model", open_low=True)
]
HeadScale = Annotated[float | Literal["1/sqrt_d_model"], real(-LARGE, LARGE, "1/sqrt_d_model")]
Size = Annotated[
    int | str,
    Wanted(
        "an integer above 0, or a multiple such as `4 * d_model`",
        _read_size,
        {"anyOf": [_COUNT_JSON, {"type": "string", "pattern": _SIZE_PATTERN}]},
    ),
]
Bias = Annotated[bool | tuple[Projection, ...], _biases(PROJECTIONS)]
HiddenBias = Annotated[bool | tuple[HiddenLayer, ...], _biases(HIDDEN_LAYERS)]
Padding = Annotated[
    Literal[False, "mask", "tokens"],
    Wanted("false, `mask` or `tokens`", _read_padding, {"enum": [False, "mask", "tokens"]}),
]
Name = Annotated[
    str,
    Wanted("a name", _read_name, NAME_JSON),
]
NameOrNone = Annotated[
    str,
    Wanted(
        "a name or `none`",
        lambda value: value if value == "none" else _read_name(value),
        _NAME_OR_NONE_JSON,
    ),
]
Argument = Annotated[
    str,
    Wanted("a name", _read_argument, _ARGUMENT_JSON),
]
LabelsArgument = Annotated[  # an input called `labels` would be taken for what the loss compares
    str,
    Wanted(
        "a name", lambda value: value if value == "labels" else _read_argument(value), NAME_JSON
    ),
]
BlockName = Annotated[
    str,
    Wanted("a name", _read_block_name, BLOCK_NAME_JSON),
]
ModelName = Annotated[
    str,
    Wanted(
        "a name",
        _read_model_name,
        {
            "type": "string",
            "pattern": r"^[A-Za-z][A-Za-z0-9_.\-]*$",
            "maxLength": MAX_LENGTH,
            "not": {"enum": ["none"]},
        },
    ),
]
Text = Annotated[
    str,
    Wanted(
        "a string of at most 2,000 characters", _read_text, {"type": "string", "maxLength": 2000}
    ),
]
