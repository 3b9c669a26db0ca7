"""The language reference as Markdown, generated from the classes.

python -m modelwright.spec.reference > docs/language.md
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

from . import masks
from .branch import Branch
from .condition import Adaptive
from .display import DERIVED, derived, scalar
from .docs import options, summary
from .embedding import Source
from .head import HeadPart
from .levels import WORDS
from .model import WRITTEN, Block, ModelSpec, Stack, Stream
from .part import COMPONENTS, Part, Tagged
from .prose import AFTER, BEFORE, LEVELS
from .residual import Joining
from .signatures import Shape, key_of, shapes
from .sublayers import Own
from .support import LATER_OPTIONS, LATER_TYPES
from .words import FOREIGN_KEYS

ORDER = (
    "input", "positions", "scaling", "norm", "attention", "qk_norm", "score_bias", "feed_forward",
    "expert", "shared_expert", "activation", "residual", "condition", "embed", "sublayers", "head",
    "transform", "pool", "projector", "init",
)  # fmt: skip
BASES: dict[str, type[Part]] = {  # base classes with options of all types of a component
    "input": Source,
    "attention": Branch,
    "feed_forward": Branch,
    "residual": Joining,
    "condition": Adaptive,
    "sublayers": Own,
    "head": HeadPart,
}
SAME = {"cross_attention": "attention"}  # keys with the same types


def language_reference() -> str:
    """The whole page."""
    return "\n".join(_page()).rstrip("\n") + "\n"


def _page() -> Iterator[str]:
    yield BEFORE
    yield LEVELS["model"]
    yield from _table(ModelSpec, extra=("head", "encoder", "decoder", "extends"))
    yield LEVELS["stack"]
    skip = ("order", *(key for key in shapes(Stack) if key in shapes(Block)))
    yield from _table(Stack, extra=("pattern", "overrides", "extends"), skip=skip)
    yield f"`streams`: {summary(Stream)}\n"
    yield from _table(Stream)
    yield LEVELS["block"]
    yield from _table(Block)
    yield "## Components\n"
    yield LEVELS["components"]
    for key in ORDER:
        yield from _component(COMPONENTS[key])
    yield "## Masks\n"
    yield LEVELS["masks"]
    yield "```text"
    yield from _atoms()
    yield "```\n"
    yield AFTER
    yield "## Keys of other libraries\n"
    yield LEVELS["words"]
    yield "| there | here |\n|---|---|"
    for word, here in sorted(FOREIGN_KEYS.items()):
        yield f"| `{word}` | `{here}` |"


def _atoms() -> Iterator[str]:
    """The table of predicates in the docstring of `masks`."""
    for line in (masks.__doc__ or "").splitlines():
        if line.startswith("    "):
            yield line[4:]


def _component(tagged: Tagged) -> Iterator[str]:
    yield f"### `{tagged.key}`\n"
    common = _common(tagged)
    if common:
        yield f"{summary(BASES[tagged.key])}\n"
        yield "Options of all types:\n"
        yield from _table(BASES[tagged.key])
    for name, cls in tagged.classes.items():
        bold = f"**`{name}`**" if name == tagged.default else f"`{name}`"
        later = " *Not yet.*" if issubclass(cls, tuple(LATER_TYPES)) else ""
        yield f"{bold}: {summary(cls)}{later}\n"
        yield from _table(cls, skip=common)
        for inner in _plain_parts(cls):
            yield f"`{inner[0]}`: {summary(inner[1])}\n"
            yield from _table(inner[1])


def _common(tagged: Tagged) -> tuple[str, ...]:
    """Options of all types except `none`."""
    base = BASES.get(tagged.key)
    return tuple(shapes(base)) if base else ()


def _plain_parts(cls: type[Part]) -> Iterator[tuple[str, type[Part]]]:
    for key, shape in shapes(cls).items():
        inner = shape.cls or (shape.inner.cls if shape.inner else None)
        if inner is not None:
            yield key, inner
            yield from _plain_parts(inner)


def _table(
    cls: type[Part], extra: tuple[str, ...] = (), skip: tuple[str, ...] = ()
) -> Iterator[str]:
    meaning = options(cls)
    rows = [
        f"| `{key}` | {_takes(key, shape)} | {_default(cls, key)} | {meaning.get(key, '')}"
        f"{_later(cls, key)} |"
        for key, shape in shapes(cls).items()
        if key not in skip
    ]
    rows += [f"| `{key}` | {EXTRA[key]} | | {WRITTEN[key]} |" for key in extra]
    if rows:
        yield "| key | takes | default | meaning |\n|---|---|---|---|"
        yield from rows
        yield ""


SETTLED = {"vocab_size": "", "blocks": "", "stacks": "", "final_norm": ""}  # defaults in words
EXTRA = {
    "head": "[head](#head)",
    "encoder": "a stack",
    "decoder": "a stack",
    "extends": "a file",
    "pattern": "a list",
    "overrides": "a mapping",
}


def _later(cls: type[Part], key: str) -> str:
    for known, refused in LATER_OPTIONS.items():
        if issubclass(cls, known) and key in refused:
            built = [scalar(v) for v in refused[key][0]]
            none = built in (["[]"], ["{}"], ["false"], ["none"], ["0"])
            return "; *not yet*" if none else f"; *not yet: other than {', '.join(built)}*"
    return ""


def _takes(key: str, shape: Shape) -> str:
    if shape.kind == "component" and shape.tagged is not None:
        name = SAME.get(shape.tagged.key, shape.tagged.key)
        return f"[{name}](#{name})"
    if shape.kind == "list" and shape.inner is not None:
        one = key in ("positions", "input")
        return (
            f"{_takes('', shape.inner)}, or a list" if one else f"a list: {_takes('', shape.inner)}"
        )
    if shape.kind == "map" and shape.inner is not None:
        return f"a mapping: name → {_takes('', shape.inner)}"
    if shape.kind == "part":
        return "a block" if shape.cls is Block else "a stack" if shape.cls is Stack else "a mapping"
    return _leaf(shape.leaf)


def _leaf(leaf: Any) -> str:
    if hasattr(leaf, "words"):
        return str(leaf.words).replace("|", "\\|")
    if leaf is bool:
        return "true or false"
    if get_origin(leaf) is Literal:
        return " · ".join(f"`{scalar(a)}`" for a in get_args(leaf))
    return "a name"


def _default(cls: type[Part], key: str) -> str:
    name, field = next((n, f) for n, f in cls.model_fields.items() if key_of(n, f) == key)
    if key in SETTLED and cls in (ModelSpec, Stack):
        return SETTLED[key]
    if field.is_required():
        return "required"
    value = field.default
    if name in DERIVED and value is None:
        return derived(cls, name)
    if value is None:
        optional = "`none`" in getattr(shapes(cls)[key].leaf, "words", "")
        return "↑" if name in WORDS else "none" if optional else ""
    if cls is Block and key == "attention":
        return "mha"
    if isinstance(value, Part):
        return str(getattr(value, "type", ""))
    if isinstance(value, tuple):
        words = [getattr(v, "type", v) for v in value]
        return ", ".join(map(str, words)) or "none"
    if isinstance(value, dict):
        return "none"
    return "" if value == "" else scalar(str(value) if isinstance(value, masks.Mask) else value)


if __name__ == "__main__":
    sys.stdout.write(language_reference())
