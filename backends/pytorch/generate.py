"""`generate`: the runtime's loop, with its slots filled for one model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from ...compiler.facts import TokenFact
from .code.nodes import (
    Binary,
    Dot,
    Expr,
    For,
    Function,
    If,
    Name,
    Parameter,
    Statement,
    Unary,
    change,
    written_for,
)
from .code.read import call, constant, dotted, expression
from .helpers import trees
from .model import Model, Step

SLOT = Name("slot")


@dataclass(frozen=True)
class Slots:
    """How a model takes its tokens.

    source    its first argument: `input_ids`, or what an encoder reads
    mask      the argument that hides padding; "" where nothing there is padding
    memory    what the decoder reads, as an expression; None where the answer extends `source`
    method    the method that makes hidden states
    passed    what each step passes to it
    placed    does it take `position_ids`, so that padded rows count from their first real token?
    vectors   does the encoder read vectors, so that only its result tells the batch?
    static    has the cache a fixed size, so that a step may be compiled once?
    """

    source: str
    mask: str
    memory: Expr | None
    method: str
    passed: tuple[str, ...]
    placed: bool = False
    vectors: bool = False
    static: bool = False

    @property
    def flags(self) -> dict[str, bool]:
        reads = self.memory is not None
        own = {"placed": self.placed, "vectors": self.vectors, "static": self.static}
        return {"reads_memory": reads, "extends": not reads, **own}

    @property
    def expressions(self) -> dict[str, Any]:
        """What stands for `slot.name`, and for the names of the loop."""
        reads = self.memory is not None
        method = dotted(f"self.{self.method}")
        forward = Name(self.method if reads else "states") if self.static else method
        tokens = Name("answer" if reads else self.source)
        last = expression("x" if reads and not self.vectors else "x[:, -1:]")
        return {
            "memory": self.memory,
            "needed": Name("max_new_tokens" if reads else "needed"),
            "given": Name("memory" if reads else self.source),
            "tokens": tokens,
            "method": method,
            "forward": forward,
            "number": Name("i" if self.static else "_"),
            "hidden": Name("x"),
            "states": call(forward, *map(Name, self.passed), cache=Name("cache")),
            "logits": call("self.logits", last),
        }


def generate_method(model: Model) -> Function | None:
    """`generate`, where a language-model head reads a stack that keeps a cache."""
    slots = slots_of(model)
    template = trees("generate")["generate"]
    assert isinstance(template, Function)
    if slots is None:
        return None
    origins = ("heads", model.language_head()), ("tokens",)
    made: Function = written_for(filled(template, slots, model.graph.tokens), *origins)
    return made


def slots_of(model: Model) -> Slots | None:
    """How the model takes its tokens; None where it cannot go on from a text."""
    name = model.language_head()
    if not name or model.head_stack(name) not in model.plan.cached:
        return None
    stack = model.head_stack(name)
    step = next(s for s in model.steps if s.stack == stack)
    arguments = {g.name for s in model.steps for g in s.given}
    required = [g.name for g in model.all_given(model.steps, []) if not g.by_default]
    if any(name.endswith(("prefix_length", "global_mask")) for name in arguments):
        return None
    static = model.plan.options.static_cache
    if model.reads_memory(stack):
        if len(model.steps) != 2 or step.name != "decode" or len(required) != 2:
            return None
        return _with_memory(model, step, required[0], static=static)
    if len(model.steps) > 1 or len(required) != 1:
        return None
    placed = any(name.endswith("position_ids") for name in arguments)
    passed = ("step", "attention_mask", *(["position_ids"] if placed else []))
    return Slots(
        "input_ids", "attention_mask", None, "hidden_states", passed, placed, static=static
    )


def _with_memory(model: Model, step: Step, source: str, *, static: bool) -> Slots:
    first, second = _memory_masks(model, model.steps[0]), _memory_masks(model, step)
    vectors = model.graph.values[model.steps[0].given[0].value].dtype == "float"
    vectors = vectors or not (first or second)
    masks = [*first, *second]
    mask = (masks[0] if vectors else "attention_mask") if masks else ""
    source = source if vectors else "input_ids"
    memory = call("self.encode", *map(Name, (source, mask) if first else (source,)))
    passed = ("step", "memory", *([mask] if second else []))
    return Slots(source, mask, memory, "decode", passed, vectors=vectors, static=static)


def _memory_masks(model: Model, step: Step) -> list[str]:
    """The argument that tells a step which tokens of the memory, or of its source, are padding."""
    masks = [g.name for g in step.given if g.name.endswith("attention_mask")]
    own = model.own_mask(step.stack) if model.reads_memory(step.stack) else ""
    return [name for name in masks if name != own]


@lru_cache(maxsize=64)
def filled(template: Function, slots: Slots, tokens: TokenFact) -> Function:
    """The runtime's `generate` with these slots."""
    names: dict[Any, Any] = {Dot(SLOT, key): value for key, value in slots.expressions.items()}
    names |= {Name("source"): Name(slots.source), Name("StaticCache"): Name("Cache")}
    if slots.mask:
        names[Name("attention_mask")] = Name(slots.mask)
    body = change(decided(template.body, slots.flags), names)
    parameters = tuple(_parameters(template.parameters, slots, tokens))
    return replace(template, parameters=parameters, body=body, doc=_doc(slots))


def _parameters(
    template: tuple[Parameter, ...], slots: Slots, tokens: TokenFact
) -> list[Parameter]:
    """The parameters that a model with these slots has, with its own tokens as defaults."""
    reads = slots.memory is not None
    absent = {
        "attention_mask": not slots.mask,
        "decoder_start_token_id": not reads,
        "capacity": not slots.static,
        "compile_mode": not slots.static,
    }
    names = {"source": slots.source, "attention_mask": slots.mask}
    start = tokens.decoder_start if tokens.decoder_start is not None else tokens.bos
    pad = tokens.pad if tokens.pad is not None else tokens.eos
    given = {
        "eos_token_id": tokens.eos,
        "pad_token_id": pad,
        "decoder_start_token_id": start,
    }
    found = [Parameter("self")]
    for p in template[1:]:
        if not absent.get(p.name):
            own = given.get(p.name)
            default = p.default if own is None else constant(own)
            found.append(Parameter(names.get(p.name, p.name), p.annotation, default))
    return found


def _doc(slots: Slots) -> str:
    if slots.memory is None:
        first = "Extend `input_ids` (B, T), padded on the left, by up to `max_new_tokens`."
        if not slots.static:
            return first
        return (
            f"{first}\n\n"
            'With a `compile_mode` ("default", "reduce-overhead" …) `torch.compile` compiles the '
            "step,\nonce for each `capacity` of the cache: by default, just what is needed."
        )
    shape = "" if slots.vectors else " (B, T)"
    first = (
        f"The decoder's answer to `{slots.source}`{shape}: up to `max_new_tokens` after its start."
    )
    if slots.mask:
        return first
    more = "Temperature 0 takes the likeliest token. A row that made `eos_token_id` gets padding."
    return f"{first}\n\n{more}"


def decided(body: tuple[Statement, ...], flags: dict[str, bool]) -> tuple[Statement, ...]:
    """The statements, of which each `if` on slots is replaced by what it comes to."""
    found: list[Statement] = []
    for statement in body:
        if isinstance(statement, If):
            found += _decided_if(statement, flags)
        elif isinstance(statement, For):
            found.append(replace(statement, body=decided(statement.body, flags)))
        else:
            found.append(statement)
    return tuple(found)


def _decided_if(statement: If, flags: dict[str, bool]) -> tuple[Statement, ...]:
    value = truth(statement.test, flags)
    if value is None:
        then, other = (decided(part, flags) for part in (statement.then, statement.other))
        return (replace(statement, then=then, other=other),)
    return decided(statement.then if value else statement.other, flags)


def truth(test: Any, flags: dict[str, bool]) -> bool | None:
    """What a test of slots comes to; None for a test of something else."""
    if isinstance(test, Dot) and test.of == SLOT:
        return flags[test.name]
    if isinstance(test, Unary) and test.sign == "not ":
        value = truth(test.of, flags)
        return None if value is None else not value
    if isinstance(test, Binary) and test.sign in ("and", "or"):
        left, right = truth(test.left, flags), truth(test.right, flags)
        if left is None or right is None:
            return None
        return left and right if test.sign == "and" else left or right
    return None
