"""Outcomes of adding an option to a spec: another graph, an error, or no change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import yaml

from modelwright.compiler.lower import lower_spec
from modelwright.spec import ModelSpec, SpecErrors, loads
from modelwright.spec.order import LayerOrder

from .attempts import Attempt, Data, Path, attempts, value_at, with_value
from .pruned import IDLE
from .signature import signature

PLAIN = ("norm", "norm_placement", "activation", "bias", "dropout", "vocab_size")
DEFAULTS = (*PLAIN, "positions")
"""Keys of a stack or a block that inner levels inherit: what they make of them is compared."""


@dataclass(frozen=True)
class Verdict:
    """What came of an attempt.

    word:
        changed   another graph
        refused   an error says that it has no effect
        illegal   another error
        warned    a warning says that it has no effect
        holds     the value is what holds without it: the same spec, or the only value of its site
                  with which the graph stays
        default   the value that the language gives the option
        nothing   the value switches off what is not there, whatever is written in its place
        cut       the number of layers leaves this block, or all of them, out
        ignored   the graph stays, and nothing of the above is the reason
    """

    attempt: Attempt
    word: str
    after: str = ""
    message: str = ""

    @property
    def is_default(self) -> bool:
        """Is the value what the language gives the option?"""
        return self.attempt.default is not None and self.attempt.value == self.attempt.default


def read(data: Data, folder: str | None = None) -> ModelSpec:
    text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True)
    return loads(text, folder=folder)


def outline(spec: ModelSpec) -> Any:
    """What a spec says of its layers, inputs and heads; what only inner levels use is left out."""
    data = spec.model_dump(mode="json", by_alias=True)
    for stack in data["stacks"].values():
        for part in (stack, *stack["blocks"].values()):
            for key in DEFAULTS:
                if key != "positions" or part is stack:
                    part.pop(key, None)
    return _plain_bias(data)


def _plain_bias(data: Any) -> Any:
    """An empty list of layers with a bias is none."""
    if isinstance(data, dict):
        return {k: v or False if k == "bias" else _plain_bias(v) for k, v in data.items()}
    return [_plain_bias(v) for v in data] if isinstance(data, list) else data


def judged(
    data: Data, every: int = 1, first: int = 0, most: int = 99, only: Path = ()
) -> list[Verdict]:
    """What becomes of the options that may be written into a document.

    every, first: of every so many-th place, beginning with this one
    most: so many values of each
    only: at this place alone
    """
    spec = read(data)
    before = signature(lower_spec(spec))
    sites: dict[Any, list[Attempt]] = {}
    for attempt in attempts(data):
        if only in ((), attempt.path):
            sites.setdefault(attempt.path, []).append(attempt)
    found = []
    for site in list(sites.values())[first::every]:
        found += _settled(data, spec, [_judge(data, spec, before, one) for one in site[:most]])
    return found


def _settled(data: Data, spec: ModelSpec, site: list[Verdict]) -> Iterator[Verdict]:
    """The verdicts on the values of one option, each beside the others."""
    changes = any(verdict.word == "changed" for verdict in site)
    there = value_at(data, site[0].attempt.path)
    default = site[0].attempt.default
    kept = {canonical(there, default)} if there is not None else set()
    for verdict in site:
        off = not changes and verdict.attempt.value in OFF
        if verdict.word in SAME and not verdict.is_default and not off:
            kept.add(canonical(verdict.attempt.value, default))
    for verdict in site:
        word = verdict.word
        if word in SAME:
            if verdict.is_default:
                word = "default"
            elif len(kept) > 1 or (word == "ignored" and not changes):
                off = not changes and verdict.attempt.value in OFF
                cut = is_cut(spec, verdict.attempt.path)
                word = "nothing" if off else "cut" if cut else "ignored"
            else:
                word = "holds"
        yield replace(verdict, word=word)


def canonical(value: Any, default: Any) -> str:
    """A value as text, without the type that a mapping has anyway; an empty list is none."""
    if isinstance(value, dict) and {*value} == {"type"}:
        value = value["type"]
    if isinstance(value, dict) and value.get("type") == default:
        value = {key: inner for key, inner in value.items() if key != "type"} or default
    return repr(value or False)


SAME = ("holds", "ignored")
OFF = (False, "none", [], 0)


def is_cut(spec: ModelSpec, path: Path) -> bool:
    """Does the number of layers leave out a block that is meant here?"""
    named = [name for name in spec.stacks if name in path[:2]]
    for name in named or spec.stacks:
        order = spec.stacks[name].order
        rule = order.rule if isinstance(order, LayerOrder) else None
        if not order or (rule is not None and {*rule.pattern} - {*order}):
            return True
    return False


def _judge(data: Data, spec: ModelSpec, before: str, attempt: Attempt) -> Verdict:
    try:
        other = read(with_value(data, attempt.path, attempt.value))
        after = signature(lower_spec(other))
    except SpecErrors as error:
        idle = all(IDLE in problem.message for problem in error.problems)
        word = "refused" if idle else "illegal"
        return Verdict(attempt, word, message=str(error))
    if after != before:
        return Verdict(attempt, "changed", after)
    if outline(other) == outline(spec):
        return Verdict(attempt, "holds", after)
    if set(other.warnings) - set(spec.warnings):
        return Verdict(attempt, "warned", after)
    return Verdict(attempt, "ignored", after)
