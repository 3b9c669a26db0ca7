"""Spec data as readable YAML: without defaults, one line per key."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from ...compiler import lower
from ...spec import SpecErrors, from_data

WIDTH = 100
ORDER = (
    *("name", "family", "vocab_size", "max_positions", "d_model", "layers", "dropout"),
    *("activation", "bias", "norm", "norm_placement", "final_norm", "residual", "input"),
    *("positions", "mask", "attention", "cross_attention", "feed_forward"),
    *("blocks", "pattern", "overrides", "output_width"),
)
LAST = ("encoder", "decoder", "stacks", "head", "heads", "init", "tokens")
Path = tuple[str, ...]


def shortest(data: Mapping[str, Any]) -> dict[str, Any]:
    """The data without keys that have no effect.

    Raises SpecErrors if the data is not a valid spec.
    """
    whole = from_data(data).model_dump()
    short = _copy(data)
    for path in list(_paths(short)):
        if _tells_blocks_apart(path) or "overrides" in path:  # never in vain, and may be many
            continue
        without = _without(short, path)
        if _means(without) == whole:
            short = without
    return _all_used(short)


def _all_used(data: dict[str, Any]) -> dict[str, Any]:
    """The data without unused keys, such as a `bias` that every branch overrides."""
    unused = _count_unused(data)
    for path in list(_paths(data)) if unused else ():
        without = _without(data, path)
        if _means(without) is not None and (fewer := _count_unused(without)) < unused:
            data, unused = without, fewer
    return data


def _count_unused(data: Mapping[str, Any]) -> int:
    try:
        lower(from_data(data))
    except SpecErrors as errors:
        return len(errors.problems)
    return 0


def _tells_blocks_apart(path: Path) -> bool:
    """Whether a path is a named block or a key of one; these are kept for comparison."""
    return "blocks" in path and len(path) - path.index("blocks") in (2, 3)


def _means(data: Mapping[str, Any]) -> dict[str, Any] | None:
    try:
        return from_data(data).model_dump()
    except SpecErrors:
        return None


def _paths(data: Mapping[str, Any], before: Path = ()) -> Iterator[Path]:
    """The paths of all keys: inner ones first, `type` last in its mapping."""
    for key in sorted(data, key=lambda key: key == "type"):
        if isinstance(data[key], Mapping):
            yield from _paths(data[key], (*before, key))
        yield (*before, key)


def _copy(data: Mapping[str, Any]) -> dict[str, Any]:
    return {k: _copy(v) if isinstance(v, Mapping) else v for k, v in data.items()}


def _without(data: Mapping[str, Any], path: Path) -> dict[str, Any]:
    if len(path) == 1:
        return {key: value for key, value in data.items() if key != path[0]}
    return {**data, path[0]: _without(data[path[0]], path[1:])}


def yaml_text(data: Mapping[str, Any], comment: str) -> str:
    """YAML: a comment, then one line per key; flow style inside, block style for long values."""
    lines = textwrap.wrap(comment, WIDTH, initial_indent="# ", subsequent_indent="# ")
    return "\n".join([*lines, *_lines(_ordered(data), "")]) + "\n"


def _ordered(data: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a spec or stack in the order used in `examples/`."""
    places = {key: place for place, key in enumerate((*ORDER, "", *LAST))}
    keys = sorted(data, key=lambda key: places.get(key, places[""]))
    stacks = ("encoder", "decoder")
    return {key: _ordered(data[key]) if key in stacks else data[key] for key in keys}


def _lines(data: Mapping[str, Any], indent: str) -> Iterator[str]:
    for key, value in data.items():
        line = f"{indent}{key}: {_top(value)}"
        if len(line) > WIDTH and isinstance(value, (list, tuple)):
            yield f"{indent}{key}:"
            yield from (f"{indent}  - {_flow(each)}" for each in value)
        elif not isinstance(value, Mapping) or (len(line) <= WIDTH and not _deep(value)):
            yield line
        else:
            yield f"{indent}{key}:"
            yield from _lines(value, indent + "  ")


def _deep(value: Mapping[str, Any]) -> bool:
    """Whether a value contains more than one mapping; these go on separate lines."""
    return sum(isinstance(inner, Mapping) for inner in value.values()) > 1


def _top(value: Any) -> str:
    """A value in block style, where commas need no quotes."""
    return value if isinstance(value, str) and not set(value) & set("[]{}#:\"'") else _flow(value)


def _flow(value: Any) -> str:
    """A value in flow style."""
    if isinstance(value, Mapping):
        if set(value) == {"type"}:
            return str(value["type"])
        return "{" + ", ".join(f"{key}: {_flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_flow(inner) for inner in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"' if set(value) & set(",[]{}#:\"'") else value
    return _number(value) if isinstance(value, float) else str(value)


def _number(value: float) -> str:
    """A number as usually written: 8, 0.1, 1e-6."""
    if value.is_integer() and abs(value) < 1e6:
        return str(int(value))
    short = f"{value:g}"
    text = short if float(short) == value else repr(value)
    return re.sub(r"e([+-])0*", lambda found: "e" + found[1].replace("+", ""), text)
