"""Options that have no effect beside others are errors: one table for all commands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any

import click
from click.core import ParameterSource

from .console import fail

Values = Mapping[str, Any]
Reason = Callable[[Values], str]


@dataclass(frozen=True)
class Useless:
    """Options, by parameter, that have no effect for a reason; "" if they have one."""

    names: tuple[str, ...]
    reason: Reason


def without(*names: str) -> Reason:
    """None of these parameters is given."""
    words = " or ".join(f"{{{name}}}" for name in names)
    return lambda values: "" if any(map(_given, map(values.get, names))) else f"without {words}"


def unwritten(*names: str) -> Reason:
    """No file is written: the output is not given, or `-`."""
    words = " or ".join(f"{{{name}}} FILE" for name in names)

    def reason(values: Values) -> str:
        given = [values[name] for name in names if _given(values[name])]
        return "" if any(str(value) != "-" for value in given) else f"without {words}"

    return reason


def beside(name: str, *wanted: Any) -> Reason:
    """A parameter is given, or has one of these values."""

    def reason(values: Values) -> str:
        value = values[name]
        if not wanted:
            return f"with {{{name}}}" if _given(value) else ""
        word = f"{value:g}" if isinstance(value, float) else str(value)
        return f"with {{{name}}} {word}" if value in wanted else ""

    return reason


def _given(value: Any) -> bool:
    return value not in (None, (), False)


def only_text(values: Values) -> str:
    """The files are plain text, which has no fields."""
    from ..training.texts import READERS

    plain = all(path.suffix.lower() not in READERS for path in values["text"])
    return "with text files; it names fields of JSONL and Parquet" if plain else ""


def other_fields(values: Values) -> str:
    """A field that documents of a kind do not have is renamed."""
    from ..training.token_files import KINDS

    kind = KINDS.get(values["kind"])
    if kind is None:
        return ""
    known = [*kind.columns, *filter(None, [kind.label])]
    given = [word.partition("=")[0] for word in values["fields"]]
    other = [name for name in given if name in FIELDS and name not in known]
    return f"for `{other[0]}` with {{kind}} {values['kind']}" if other else ""


FIELDS = ("text", "source", "target", "label")
"""Names of fields of `data`."""
SERVER = ("port", "no_browser", "watch", "host", "weights", "tokenizer", "token", "plugins")
"""Options of the server of `explore`."""
IMAGES = ("images", "captions")

USELESS: dict[str, tuple[Useless, ...]] = {
    "new": (
        Useless(("output", "force"), without("name")),
        Useless(("force",), unwritten("output")),
    ),
    "build": (Useless(("force",), unwritten("output")),),
    "verify": (Useless(("force",), without("emit_tests")),),
    "inspect": (Useless(("weights", "layers", "kernels"), beside("as_json")),),
    "visualize": (
        Useless(("unroll",), beside("depth", "stack")),
        Useless(("force",), unwritten("output")),
    ),
    "masks": (Useless(("force",), unwritten("output")),),
    "attend": (Useless(("force",), unwritten("output")),),
    "diff": (
        Useless(("format", "theme"), without("output")),
        Useless(("force",), unwritten("output")),
    ),
    "explore": (
        Useless(SERVER, beside("folder")),
        Useless(("force",), without("folder")),
        Useless(("watch",), without("spec")),
    ),
    "schema": (Useless(("force",), unwritten("output")),),
    "import": (Useless(("force",), unwritten("output", "weights")),),
    "tokenizer": (
        Useless(("sets",), without("spec")),
        Useless(("fields",), only_text),
        Useless(("force",), unwritten("output")),
    ),
    "data": (
        Useless(("tokenizer", "end", "special_tokens"), beside("kind", "images")),
        Useless(("special_tokens",), beside("tokenizer", "bytes")),
        Useless(("fields", "processes"), beside("kind", *IMAGES)),
        Useless(("fields",), only_text),
        Useless(("fields",), other_fields),
    ),
    "train": (Useless(("devices",), beside("write_only")),),
    "quantize": (Useless(("samples", "length"), without("data")),),
    "generate": (
        Useless(("temperature", "top_k", "top_p", "seed"), beside("beams")),
        Useless(("length_penalty",), without("beams")),
        Useless(("top_k", "top_p", "seed"), beside("temperature", 0.0)),
    ),
}
"""Command -> its rows, of which the first one that applies is the error."""


def with_effects(command: click.Command, name: str) -> click.Command:
    """The command, which first refuses options without effect."""
    inner = command.callback
    if inner is None or name not in USELESS or hasattr(inner, "__wrapped_effects__"):
        return command

    @wraps(inner)
    def checked(*arguments: Any, **values: Any) -> Any:
        refuse_useless(click.get_current_context(), USELESS[name])
        return inner(*arguments, **values)

    checked.__wrapped_effects__ = True  # type: ignore[attr-defined]
    command.callback = checked
    return command


def refuse_useless(ctx: click.Context, rows: tuple[Useless, ...]) -> None:
    """Fail for the first option that is given and has no effect."""
    labels = {one.name: _label(one) for one in ctx.command.params}
    for row in rows:
        for name in row.names:
            if ctx.get_parameter_source(name) != ParameterSource.COMMANDLINE:
                continue
            if reason := row.reason(ctx.params):
                fail(f"{labels[name]} has no effect {reason.format_map(labels)}")


def _label(parameter: click.Parameter) -> str:
    """`--option` or `ARGUMENT`."""
    if isinstance(parameter, click.Argument):
        return parameter.human_readable_name
    return max(parameter.opts, key=len)
