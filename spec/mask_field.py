"""Masks as field values: parsed from and printed as formulas."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import PydanticCustomError, core_schema

from .masks import MAX_LENGTH, NUMBERS, RANGES, Mask, MaskError, parse_mask
from .part import BROKEN


def read_mask(value: Any) -> Mask | tuple[Mask, ...]:
    """Read a mask: a formula, a tree, or a list of them, one per group of heads."""
    if isinstance(value, Mask):
        return value
    if isinstance(value, str):
        return parse_mask(value)
    if isinstance(value, (list, tuple)) and value:
        masks = tuple(read_mask(v) for v in value)
        if not any(isinstance(m, tuple) for m in masks):
            return tuple(m for m in masks if isinstance(m, Mask))
    raise MaskError("a mask must be a formula such as `causal & window(512)`, or a list of them")


def json_pattern() -> str:
    """A regular expression for formulas, for JSON Schema.

    It checks predicates, their number of arguments, and operators, but not balanced parentheses or
    ranges of numbers.
    """
    number, space = r"-?\d{1,12}", r"\s*"
    atoms = []
    for name, (least, optional) in NUMBERS.items():
        if not least:
            atoms.append(name)
            continue
        needed = [number] * (len(least) - optional)
        more = rf"(?:{space},{space}{number})?" * optional
        inside = rf"{space},{space}".join(needed) + more
        atoms.append(rf"{name}{space}\({space}{inside}{space}\)")
    span = rf"(?:{number}|-?\d*:-?\d*)"
    for name in RANGES:
        inside = f"(?:{span}|given)" if name == "global" else span
        atoms.append(rf"{name}{space}\({space}{inside}{space}\)")
    one = rf"[\s~(]*(?:{'|'.join(atoms)})[\s)]*"
    return rf"^{one}(?:[&|]{one})*$"


_FORMULA = {"type": "string", "maxLength": MAX_LENGTH, "pattern": json_pattern()}


class _MaskField:
    """pydantic validation and serialisation of masks."""

    words = "a formula such as `causal & window(512)`, or a list of them"
    json: dict[str, Any] = {  # noqa: RUF012 - read only
        "anyOf": [_FORMULA, {"type": "array", "items": _FORMULA, "minItems": 1}]
    }

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self.validate,
            serialization=core_schema.plain_serializer_function_ser_schema(self.dump),
        )

    @staticmethod
    def validate(value: Any) -> Mask | tuple[Mask, ...]:
        items = value if isinstance(value, (list, tuple)) else [value]
        if any(item is BROKEN for item in items):
            return BROKEN  # type: ignore[no-any-return]
        for index, item in enumerate(items):
            try:
                read_mask(item)
            except MaskError as error:
                where = index if isinstance(value, (list, tuple)) else None
                context = {"words": str(error), "offset": error.offset, "index": where}
                raise PydanticCustomError("mask", "{words}", context) from None
        try:
            return read_mask(value)
        except MaskError as error:
            context = {"words": str(error), "offset": 0, "index": None}
            raise PydanticCustomError("mask", "{words}", context) from None

    @staticmethod
    def dump(value: Any) -> Any:
        return [str(m) for m in value] if isinstance(value, tuple) else str(value)


MaskField = Annotated[Mask | tuple[Mask, ...], _MaskField()]
