"""Convert pydantic's errors to located messages with the nearest valid key or value.

pydantic reports a misspelt key twice, as unknown and as missing; these are combined. An error at an
outer level that affects several stacks is reported once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pydantic_core import ErrorDetails

from .errors import Mark, SpecError, nearest, shown
from .locate import locate
from .model import BLOCK_KEYS, ONLY_MODEL, STACK_KEYS, ModelSpec, Stack
from .numbers import plain_number
from .part import BROKEN
from .signatures import Holder, holder, shapes
from .source import DECIMAL, Node
from .words import FOREIGN_KEYS, FOREIGN_TYPES, NOT_IN_A_SPEC, RENAMED, places, types_with

Path = tuple[str | int, ...]
KINDS = {
    "string_type": "a word",
    "dict_type": "a mapping",
    "model_type": "a mapping of options",
    "model_attributes_type": "a mapping of options",
    "tuple_type": "a list",
}
MOST_SHOWN = 20  # maximum number of keys in a message
MOST_ERRORS = 200  # maximum number of errors of a spec
TRUTH = {"yes": "true", "on": "true", "True": "true", "TRUE": "true", "no": "false"} | {
    "off": "false",
    "False": "false",
    "FALSE": "false",
}


class Explainer:
    """Converts errors, and remembers the intended keys of misspelt ones."""

    def __init__(self, tree: Node) -> None:
        self.tree = tree
        self.meant: set[str] = set()

    def explain(self, errors: Sequence[ErrorDetails]) -> list[SpecError]:
        """The problems of these errors, without consequences of other problems."""
        unknown = [e for e in errors if e["type"] == "extra_forbidden"]
        missing = {(*e["loc"],) for e in errors if e["type"] == "missing"}
        problems = [self.unknown(e, missing) for e in unknown[:MOST_ERRORS]]
        for error in errors[:MOST_ERRORS]:
            if error["type"] == "extra_forbidden":
                continue
            if error["type"] == "missing" and (
                self.follows(error["loc"]) or _inherited(error["loc"], missing)
            ):
                continue
            problems.append(self.say(error))
        return list(_once(problems))

    def follows(self, path: Path) -> bool:
        """Whether this value is missing only because its key or an enclosing one is misspelt."""
        return any(part in self.meant for part in path)

    def say(self, error: ErrorDetails) -> SpecError:
        rule = RULES.get(error["type"])
        if rule is not None:
            return rule(self, error)
        path = (*error["loc"],)
        return SpecError(self.value_mark(path), f"`{_key(path)}`: {error['msg']}")

    def value_mark(self, path: Path) -> Mark:
        place = locate(self.tree, path)
        return place.mark

    # -- unknown and missing keys

    def unknown(self, error: ErrorDetails, missing: set[Path]) -> SpecError:
        *path, last = error["loc"]
        key = str(last)
        here = holder(path, self.tree)
        options = _options(here, path)
        absent = [str(m[-1]) for m in missing if m[:-1] == (*path,)]
        place = locate(self.tree, (*path, last)).node
        return SpecError(
            place.at, f"unknown key `{_short(key)}`{self.hint(key, options, absent, here)}"
        )

    def hint(self, key: str, options: list[str], absent: list[str], here: Holder) -> str:
        lost = nearest(key, absent, 0.5) or (FOREIGN_KEYS.get(key) if key in FOREIGN_KEYS else None)
        if lost in absent and lost is not None:
            self.meant.add(lost)
            return f"; did you mean `{lost}` (which is missing)?"
        if ":" in key:
            return "; add a space after `:`"
        if key.lower() in NOT_IN_A_SPEC:
            return f"; {NOT_IN_A_SPEC[key.lower()]}"
        now = RENAMED.get(key, key)
        if now != key and now in options:
            self.meant.add(now)
            return f"; this option is now named `{now}`"
        if now == "d_ff" and "expert" in options:
            return "; write `expert: {d_ff: …}`"
        if key in FOREIGN_KEYS:
            target = FOREIGN_KEYS[key]
            self.meant.update(re.findall(r"[a-z_]+", target))
            return f"; write `{target}`"
        close = nearest(key, options, 0.84)
        if close is None and (others := types_with(here.key, key)):
            if len(others) > 1:
                return f"; types of {here.key} with `{key}`: {', '.join(others)}"
            return f"; `{key}` belongs in `{here.key}: {{type: {others[0]}, {key}: …}}`"
        if close is None and (known := places(key)):
            return f"; {known[0]}"
        close = close or nearest(key, options, 0.6)
        if close is not None:
            self.meant.add(close)
            return f"; did you mean `{close}`?"
        if here.cls is not None and not options:
            return f"; type `{here.cls.model_fields['type'].default}` has no options"
        few = 0 < len(options) <= MOST_SHOWN
        return f"; expected one of: {', '.join(options)}" if few else ""

    def missing(self, error: ErrorDetails) -> SpecError:
        path, key = error["loc"][:-1], str(error["loc"][-1])
        here = holder(path, self.tree)
        node = locate(self.tree, path).node
        if here.cls is ModelSpec:
            return SpecError(self.tree.at, f"`{key}` is missing; add `{key}: …` at the top level")
        if here.cls is Stack:
            return SpecError(
                node.at, f"`{key}` is missing; set it in the stack or at the top level"
            )
        if key == "memory":
            text = self._no_memory(path)
        elif node.mark.why == "default" or "stacks" in path[:1]:
            listed = isinstance(path[-1], int)
            owner = "" if listed else f"{here.key}: "
            text = f"`{key}` is missing; write `{owner}{{{_typed(here)}{key}: …}}`"
            if here.key in BLOCK_KEYS and not listed:
                text += " in the block, the stack or at the top level"
        else:
            text = f"`{here.key}` needs `{key}`"
        return SpecError(node.at, text)

    def _no_memory(self, path: Path) -> str:
        """A family gives `memory` to its decoder; what stands above that is the encoder's too."""
        family, other = self.tree.get("family"), ("stacks", "decoder", *path[2:])
        both = locate(self.tree, path).node.at == locate(self.tree, other).node.at
        if family is not None and path[1] == "encoder" and both:
            return (
                "`cross_attention` at the top level is the encoder's too, which has no stack to "
                "attend to; write it in `decoder`: `decoder: {cross_attention: …}`"
            )
        return "`memory` is missing; name the stack to attend to: `cross_attention: {memory: …}`"

    # -- wrong values

    def unknown_type(self, error: ErrorDetails) -> SpecError:
        path, context = (*error["loc"],), error["ctx"]
        node = locate(self.tree, path).node
        kind = node.get("type")
        mark = kind.mark if kind else node.mark
        if kind and not isinstance(kind.value, str):
            return SpecError(mark, f"`type` must be a word, not {shown(kind.value)}")
        return SpecError(mark, _none_of("type", context["given"], context["options"]))

    def plugin(self, error: ErrorDetails) -> SpecError:
        node = locate(self.tree, (*error["loc"],)).node
        kind = node.get("type")
        return SpecError(kind.mark if kind else node.mark, str(error["ctx"]["text"]))

    def no_type(self, error: ErrorDetails) -> SpecError:
        node = locate(self.tree, (*error["loc"],)).node
        options = ", ".join(error["ctx"]["options"])
        return SpecError(node.at, f"`type` is missing; add `type: …`, one of: {options}")

    def choice(self, error: ErrorDetails) -> SpecError:
        words = [shown(option).strip("`") for option in error["ctx"]["options"]]
        given = error["input"]
        if isinstance(given, str):
            text = _none_of(f"`{_key(error['loc'])}`", given, words)
        else:
            one = "one of " if len(words) > 1 else ""
            text = f"`{_key(error['loc'])}` must be {one}{', '.join(words)}, not {shown(given)}"
        return SpecError(self.value_mark((*error["loc"],)), text)

    def wanted(self, error: ErrorDetails) -> SpecError:
        path = (*error["loc"],)
        if path[-1] == "[key]":
            node = locate(self.tree, path[:-1]).node
            return SpecError(node.at, f"{shown(path[-2])} must be {error['ctx']['words']}")
        words = str(error["ctx"]["words"]) if "ctx" in error else error["msg"]
        return self.must_be(path, words, error["input"])

    def kind(self, error: ErrorDetails) -> SpecError:
        return self.must_be((*error["loc"],), KINDS[error["type"]], error["input"])

    def must_be(self, path: Path, words: str, given: Any) -> SpecError:
        text = f"`{_key(path)}` must be {words}"
        if not words.startswith("another") and ";" not in words and given is not BROKEN:
            text += f", not {shown(given)}"
        if isinstance(given, str):
            text += _about_text(words, given)
        return SpecError(self.value_mark(path), text)

    def mask(self, error: ErrorDetails) -> SpecError:
        context, path = error["ctx"], (*error["loc"],)
        if context["index"] is not None:
            path = (*path, context["index"])
        place = locate(self.tree, path)
        mark, value = place.mark, place.node.value
        if isinstance(value, str):
            start = mark.text.find(value, mark.column - 1)
            if start in (mark.column - 1, mark.column):  # with or without a quote
                mark = mark.moved(start - mark.column + 1 + context["offset"])
        words = str(context["words"])
        return SpecError(mark, words if words.startswith("a mask") else f"mask: {words}")


RULES: dict[str, Callable[[Explainer, ErrorDetails], SpecError]] = {
    "missing": Explainer.missing,
    "unknown_type": Explainer.unknown_type,
    "plugin": Explainer.plugin,
    "no_type": Explainer.no_type,
    "choice": Explainer.choice,
    "wanted": Explainer.wanted,
    "mask": Explainer.mask,
    **dict.fromkeys(KINDS, Explainer.kind),
}


def _inherited(path: Sequence[int | str], missing: set[Path]) -> bool:
    """Whether cross-attention lacks the value only because the attention it inherits from does."""
    attention = tuple("attention" if part == "cross_attention" else part for part in path)
    return attention != tuple(path) and attention in missing


def _once(problems: Sequence[SpecError]) -> Iterator[SpecError]:
    """Remove duplicates; a value that fails in several stacks is one problem."""
    reported: set[tuple[Mark, str]] = set()
    for problem in problems:
        start = problem.message.split(" must be ")[0]
        if (problem.mark, start) not in reported:
            reported.add((problem.mark, start))
            yield problem


def _about_text(words: str, given: str) -> str:
    """The end of a message about a string instead of a number or boolean."""
    if words.startswith("true"):
        if given in ("true", "false"):
            return ", which is in quotes; write it without quotes"
        return f"; write `{TRUTH[given]}`" if given in TRUTH else ""
    if "number" not in words and "integer" not in words:
        return ""
    if DECIMAL.match(given) and not re.match(r"[-+]?0\d", given):
        return ", which is in quotes; write it without quotes"
    number = plain_number(given)
    return f"; write `{number}`" if number else ""


def _short(word: str) -> str:
    return word if len(word) <= 60 else word[:57] + "…"


def _key(path: Sequence[str | int]) -> str:
    return next((str(p) for p in reversed(path) if isinstance(p, str)), "this")


def _typed(here: Holder) -> str:
    """`type: x, ` if the type is required or differs from the default."""
    if here.tagged is None or here.cls is None:
        return ""
    name = here.cls.model_fields["type"].default
    return "" if name == here.tagged.default else f"type: {name}, "


def _none_of(what: str, given: str, options: Sequence[str]) -> str:
    text = f"unknown {what} {shown(given)}; expected one of: {', '.join(options)}"
    word = FOREIGN_TYPES.get(re.sub(r"[- ]", "_", str(given).lower()))
    if word is not None and (
        word in options or word.split(",")[0].strip("{").split(": ")[-1] in options
    ):
        return f"{text}; write `{word}`" if "`" not in word else f"{text}; write {word}"
    close = nearest(str(given), options)
    return f"{text}; did you mean `{close}`?" if close else text


def _options(here: Holder, path: Sequence[str | int]) -> list[str]:
    """The keys that are allowed in this mapping."""
    if not path:
        return sorted(ONLY_MODEL | STACK_KEYS | BLOCK_KEYS)
    if here.cls is None:
        return []
    if here.cls is Stack:
        return sorted(STACK_KEYS | BLOCK_KEYS)
    return sorted(shapes(here.cls))
