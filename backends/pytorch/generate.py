"""`generate`: the template in `runtime/generate.py`, filled in for one model."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from ...compiler.facts import TokenFact
from ...compiler.graph import ModuleGraph
from .caches import KEYS, STATES, parts_of
from .code.nodes import (
    NOWHERE,
    Binary,
    Dot,
    Expr,
    For,
    Function,
    If,
    Name,
    Parameter,
    Sequence,
    Set,
    Statement,
    Try,
    Unary,
)
from .code.read import Filling, call, constant, dotted, expression, filling
from .code.scope import UnboundNameError, bound_by
from .code.walk import change, walk, written_for
from .entry import prefix_of, switches
from .helpers import trees
from .model import Model
from .ops.masks import atoms_of
from .plan import Given
from .sizes import field_of, over
from .stacks import Step, own_mask, reads_memory
from .static import BuildError

SLOT = Name("slot")
SHORT = 16  # letters of a mask's name that a line has room for twice
GIVEN = Name("given states")  # stands for the states of each stack


@dataclass(frozen=True)
class Slots:
    """What the template of `generate` needs to know about a model.

    source    its first argument: `input_ids`, or the input of an encoder
    mask      the argument that masks padding; "" if the source has no padding
    memory    the encoder's output, as an expression; None if generated tokens extend `source`
    method    the method or stack that computes hidden states
    passed    its arguments in each step
    limit     the maximum length, as an expression over the Config; None if there is none
    absolute  whether its mask depends on absolute positions, which padding would shift
    placed    whether it takes `position_ids`, so that positions of padded rows skip padding
    dropout   whether it has dropout, which must be off during generation
    static    whether the cache has a fixed size, so that a step is compiled only once
    asked     arguments with data for its mask: name in the loop -> argument of the method
    ids       whether its first argument is token ids, not vectors
    switches  lengths at which LongRoPE switches frequencies
    states    those of other stacks that replace tokens of the prompt, by variable
    given     the arguments of these stacks, or of optional inputs of an encoder
    path      the scope of the stack that each step calls
    vocabulary  the number of tokens, as an expression over the Config
    stored    what the cache stores of previous tokens
    """

    source: str
    mask: str
    memory: Expr | None
    method: str
    passed: tuple[Expr, ...]
    limit: Expr | None = None
    absolute: bool = False
    placed: bool = False
    dropout: bool = False
    static: bool = False
    switches: tuple[Expr, ...] = ()
    asked: dict[str, str] = field(default_factory=dict)
    ids: bool = True
    states: dict[str, Expr] = field(default_factory=dict)
    given: tuple[Given, ...] = ()
    path: str = ""
    stored: tuple[str, ...] = ()
    vocabulary: Expr = field(kw_only=True)

    @property
    def flags(self) -> dict[str, bool]:
        reads = self.memory is not None
        return {
            "reads_memory": reads,
            "reads_ids": reads and self.ids,
            "extends": not reads,
            "measured": self.static or bool(self.switches) or self.limit is not None,
            "masked": bool(self.mask),
            "short": len(self.mask) <= SHORT,
            "limited": self.limit is not None,
            "absolute": self.absolute,
            "placed": self.placed,
            "dropout": self.dropout,
            "static": self.static,
            "switches": bool(self.switches),
            "marks": "marks" in self.asked,
            "places": bool(self.states),
            "keys": KEYS in self.stored,
            "sums": STATES in self.stored,
        }

    @property
    def expressions(self) -> dict[str, Any]:
        """Expressions for `slot.name`."""
        method = dotted(f"self.{self.method}")
        forward = Name("forward") if self.static else method
        more = {argument: Name(name) for name, argument in self.asked.items()}
        padding = " - padding" if self.mask and self.memory is None else ""
        new = "tokens.size(1) - step.size(1) : tokens.size(1)" if self.static else "-step.size(1) :"
        return {
            "memory": self.memory,
            "given": GIVEN,
            "limit": self.limit,
            "vocabulary": self.vocabulary,
            "method": method,
            "forward": forward,
            "number": Name("i" if self.static else "_"),
            "first": constant(1) if self.memory else expression("x.size(1)", x=Name(self.source)),
            "end": expression("cache.capacity" if self.static else "tokens.size(1)"),
            "positions": expression(f"(mask.bool().cumsum(-1) - 1).clamp(min=0)[:, {new}]"),
            "states": written_for(
                call(forward, *self.passed, **more, cache=Name("cache")), self.path
            ),
            "lengths": Sequence(self.switches),
            "seen": expression(f"tokens.size(1){padding}"),
        }


def generate_method(model: Model) -> Function | None:
    """`generate`, if a language-model head reads a stack with a cache."""
    slots = slots_of(model)
    template = trees("generate")["generate"]
    assert isinstance(template, Function)
    if slots is None:
        return None
    origins = ("heads", model.language_head()), ("tokens",)
    made: Function = written_for(filled(template, slots, model.graph.tokens), *origins)
    return made


def beam_search_method(model: Model) -> Function:
    """`beam_search`, if the model is an encoder-decoder. Raises BuildError for other models."""
    slots = slots_of(model)
    if slots is None or slots.memory is None:
        raise BuildError(
            f"--beam-search does not apply to {model.graph.name}, which has no decoder that reads "
            "an encoder"
        )
    if slots.switches:
        raise BuildError(f"--beam-search does not support LongRoPE, which {model.graph.name} has")
    template = trees("beams")["beam_search"]
    assert isinstance(template, Function)
    slots = replace(slots, stored=parts_of(model.graph))
    origins = ("heads", model.language_head()), ("tokens",)
    made: Function = written_for(filled(template, slots, model.graph.tokens), *origins)
    return made


def why_not_generate(model: Model) -> str:
    """Why a decoder with a language-model head has no `generate`; "" for other models."""
    name = model.language_head()
    stack = model.head_stack(name) if name else ""
    if not name or (model.graph.uncached.get(stack) is None and stack not in model.plan.cached):
        return ""
    if reason := model.graph.uncached.get(stack):
        return reason
    if slots_of(model) is not None:
        return ""
    required = [g.name for g in model.all_given(model.steps, []) if not g.by_default]
    if len(required) > 1 + reads_memory(model.graph, stack):
        return f"it needs several inputs, {', '.join(required)}"
    if reads_memory(model.graph, stack) and len(model.steps) == 2:
        return f"the mask of `{stack}` needs data"
    return f"`{stack}` reads several stacks"


def slots_of(model: Model) -> Slots | None:
    """The slots of a model; None if it cannot have `generate`."""
    name = model.language_head()
    if not name or model.head_stack(name) not in model.plan.cached:
        return None
    stack = model.head_stack(name)
    step = next(s for s in model.steps if s.stack == stack)
    arguments = {g.name for s in model.steps for g in s.given}
    required = [g.name for g in model.all_given(model.steps, []) if not g.by_default]
    own = prefix_of(model.graph, stack)
    asked = {ROLES[role]: f"{own}{role}" for role in ROLES if f"{own}{role}" in arguments}
    static = model.plan.options.static_cache
    if reads_memory(model.graph, stack):
        if asked or len(model.steps) != 2 or len(required) != 2:
            return None
        return _with_memory(model, step, required[0], static=static)
    inputs = [s for s in model.steps if s is not step]
    if len(required) != 1 or not all(s.absent for s in inputs):
        return None
    placed = any(name.endswith("position_ids") for name in arguments)
    taken = {given.name for given in step.given}
    states = [name for name in map(model.local_name, inputs) if name in taken]
    more = ["position_ids"] if placed else []
    return Slots(
        required[0],
        own_mask(model.graph, stack),
        None,
        step.name,
        tuple(map(Name, ("step", *states, "mask", *more))),
        limit_of(model, stack),
        counts_places(model.graph, stack),
        placed,
        has_dropout(model.graph),
        static,
        switches_of(model, stack),
        asked,
        states={model.local_name(one): one.computed() for one in inputs},
        given=tuple(model.all_given(inputs, [])) if inputs else (),
        path=step.path,
        vocabulary=_vocabulary(model),
    )


ROLES = {"prefix_length": "prefix_length", "global_mask": "marks"}
"""Argument with data for a mask -> its name in the loop."""


def switches_of(model: Model, stack: str) -> tuple[Expr, ...]:
    """The lengths at which LongRoPE switches frequencies."""
    return tuple(over(length, _of_config) for length in switches(model.graph, stack))


def _of_config(value: Any) -> Expr:
    return field_of(dotted("self.config"), value)


def limit_of(model: Model, stack: str) -> Expr | None:
    """The maximum length of a stack, as in its methods."""
    limit = model.graph.limits.get(stack)
    if limit is None:
        return None
    return over(limit, _of_config)


def _vocabulary(model: Model) -> Expr:
    """The number of tokens that the language-model head gives logits for."""
    return over(
        model.graph.values[model.graph.outputs[model.language_head()]].shape[-1].size, _of_config
    )


ABSOLUTE = ("global", "keys", "queries", "random")
"""Predicates of masks that depend on absolute positions, counted with padding."""


def counts_places(graph: ModuleGraph, stack: str) -> bool:
    """Whether a mask of this stack depends on absolute positions, which left padding shifts."""
    return any(
        op.kind == "mask"
        and graph.scopes[op.scope].stack == stack
        and any(atom.name in ABSOLUTE for atom in atoms_of(op.attrs["formula"]))
        for op in graph.ops()
    )


def has_dropout(graph: ModuleGraph) -> bool:
    """Whether the model has dropout or stochastic depth."""
    kinds = ("dropout", "drop_path", "drop_labels")
    return any(op.kind in kinds or op.attrs.get("dropout") is not None for op in graph.ops())


def _with_memory(model: Model, step: Step, source: str, *, static: bool) -> Slots:
    first, second = _memory_masks(model, model.steps[0]), _memory_masks(model, step)
    mask = next(iter([*first, *second]), "")
    more = _optional_inputs(model, model.steps[0])
    names = {source, "step", "memory", mask, *(given.name for given in more)}
    memory = model.steps[0].call(*_known(model.steps[0].passed(), names))
    passed = tuple(_known(step.passed(Name("step")), names))
    limit, dropout = limit_of(model, step.stack), has_dropout(model.graph)
    return Slots(
        source,
        mask,
        memory,
        step.name,
        passed,
        limit,
        dropout=dropout,
        static=static,
        switches=switches_of(model, step.stack),
        ids=any(
            g.name == source and model.graph.values[g.value].dtype == "int"
            for one in model.steps
            for g in one.arguments
        ),
        given=tuple(more),
        path=step.path,
        vocabulary=_vocabulary(model),
    )


def _known(passed: list[Any], names: set[str]) -> list[Any]:
    """The arguments of a stack that `generate` passes; None for others before them."""
    found = [constant(None) if isinstance(x, Name) and x.id not in names else x for x in passed]
    while found and found[-1] == constant(None):
        found.pop()
    return found


def _optional_inputs(model: Model, step: Step) -> list[Given]:
    """The arguments of a step for optional inputs, and for embeddings that are added."""
    graph = model.graph
    names = {part.input.argument for part in graph.parts.get(step.stack, ()) if part.optional}
    added = (op for op in graph.subtree(step.path) if op.attrs.get("absent"))
    names |= {graph.values[op.arg("ids")].name for op in added}
    return [given for given in step.arguments if given.name in names]


def _memory_masks(model: Model, step: Step) -> list[str]:
    """The arguments of a step that mask padding in the memory or its source."""
    masks = [g.name for g in step.given if g.name.endswith("attention_mask")]
    own = own_mask(model.graph, step.stack) if reads_memory(model.graph, step.stack) else ""
    return [name for name in masks if name != own]


def filled(template: Function, slots: Slots, tokens: TokenFact) -> Function:
    """The template of `generate` with these slots filled in."""
    body = _filling(template, tuple(slots.flags.items()))(
        {
            **{f"slot.{key}": value for key, value in slots.expressions.items()},
            "source": Name(slots.source),
            "StaticCache": Name("Cache"),
            "attention_mask": Name(slots.mask),
        }
    )
    body = expanded(body, slots)
    parameters = tuple(_parameters(template, slots, tokens))
    local = set().union(*map(bound_by, body))
    if hidden := local & {p.name for p in parameters} - {slots.mask}:
        raise UnboundNameError(f"generate sets its own arguments {', '.join(sorted(hidden))}")
    doc = BEAMS if template.name == "beam_search" else _doc(slots)
    return replace(template, parameters=parameters, body=body, doc=doc)


@cache
def _filling(template: Function, flags: tuple[tuple[str, bool], ...]) -> Filling:
    """A function that resolves tests on slots and fills in their expressions."""
    body = decided(template.body, dict(flags))
    slots = {node for node in walk(body) if isinstance(node, Dot) and node.of == SLOT}
    holes = {slot: Name(f"slot.{slot.name}") for slot in slots}
    names = {"source", "StaticCache", "attention_mask", *(hole.id for hole in holes.values())}
    return filling(change(body, holes), frozenset(names))


def _parameters(template: Function, slots: Slots, tokens: TokenFact) -> list[Parameter]:
    """The parameters of a template, with the model's special tokens as defaults."""
    reads = slots.memory is not None
    absent = {
        "attention_mask": not slots.mask,
        "prefix_length": "prefix_length" not in slots.asked,
        "global_mask": "marks" not in slots.asked,
        "decoder_start_token_id": not reads,
        "capacity": not slots.static,
        "compile_mode": not slots.static,
    }
    names = {"source": slots.source, "attention_mask": slots.mask}
    ends: Any = tokens.all_eos if len(tokens.all_eos) > 1 else tokens.eos
    start = "bos" if tokens.decoder_start is None else "decoder_start"
    pad = "eos" if tokens.pad is None else "pad"
    given = {
        "eos_token_id": ("eos", ends),
        "pad_token_id": (pad, getattr(tokens, pad)),
        "decoder_start_token_id": (start, getattr(tokens, start)),
    }
    known = {p.name for p in template.parameters}
    if template.name == "generate" and (unknown := {*absent, *given, *names} - known):
        raise UnboundNameError(f"generate has no parameter {', '.join(sorted(unknown))}")
    found = [Parameter("self")]
    for p in template.parameters[1:]:
        if not absent.get(p.name):
            key, own = given.get(p.name, ("", None))
            default = p.default if own is None else constant(own)
            origins = NOWHERE if own is None else frozenset({("tokens", key)})
            name = names.get(p.name, p.name)
            found.append(Parameter(name, p.annotation, default, origins=origins))
        if p.name == "max_new_tokens":
            found += [replace(given, by_default=True).parameter() for given in slots.given]
    return found


def expanded(body: tuple[Statement, ...], slots: Slots) -> tuple[Statement, ...]:
    """Replace each assignment to `given` by one for each stack whose states replace tokens."""
    found: list[Statement] = []
    for statement in body:
        if isinstance(statement, (For, Try)):
            found.append(replace(statement, body=expanded(statement.body, slots)))
        elif isinstance(statement, If):
            then, other = (expanded(part, slots) for part in (statement.then, statement.other))
            found.append(replace(statement, then=then, other=other))
        elif isinstance(statement, Set) and statement.target == Name("given"):
            found += _given(statement, slots)
        else:
            found.append(statement)
    return tuple(found)


def _given(statement: Set, slots: Slots) -> list[Set]:
    """The states of all stacks before the first step; None for those that the steps take."""
    first = statement.value == GIVEN
    return [
        replace(statement, target=Name(name), value=made if first else statement.value)
        for name, made in slots.states.items()
        if first or Name(name) in slots.passed
    ]


BEAMS = """\
The most likely texts of up to `max_new_tokens` tokens, by beam search.

They are compared by log-probability / ((5 + length) / 6) ** length_penalty (Wu et al. 2016,
arXiv:1609.08144)."""
COMPILED = """\
With a `compile_mode` such as "reduce-overhead", all steps but the first are compiled, once
for each `capacity` of the cache."""


def _doc(slots: Slots) -> str:
    first = "Extend left-padded `input_ids` (B, T) by `max_new_tokens` or until `eos_token_id`."
    if slots.memory is not None:
        first = (
            f"Generate up to `max_new_tokens` tokens after the start token, given `{slots.source}`."
        )
    return "\n\n".join([first, *([COMPILED] if slots.static else [])])


def decided(body: tuple[Statement, ...], flags: dict[str, bool]) -> tuple[Statement, ...]:
    """Replace every `if slot.x` by the branch that applies."""
    found: list[Statement] = []
    for statement in body:
        if isinstance(statement, If):
            found += _decided_if(statement, flags)
        elif isinstance(statement, For):
            found.append(replace(statement, body=decided(statement.body, flags)))
        elif isinstance(statement, Try):
            body, final = decided(statement.body, flags), decided(statement.final, flags)
            found += [Try(body, final)] if final else body  # an empty `finally` is dropped
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
    """The value of a test on slots; None for other tests."""
    if isinstance(test, Dot) and test.of == SLOT:
        if test.name not in flags:
            raise UnboundNameError(f"generate asks for slot.{test.name}, which is not a slot")
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
