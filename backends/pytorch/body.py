"""The body of a function: ops as statements, scopes as calls, layers as a loop."""

from __future__ import annotations

import builtins
import itertools
from collections.abc import Callable, Container, Iterable
from dataclasses import replace
from keyword import kwlist
from typing import Any

from ...compiler.graph import Scope
from .code.measure import LONG, width
from .code.nodes import Argument, Call, Choice, Dot, For, If, Index, Name, Sequence, Set, Statement
from .code.nodes import Do as Evaluate
from .code.read import call, constant, dotted, expression, names, statements
from .code.walk import walk, written_for
from .entry import checks_of_part, entry
from .helpers import places
from .items import Do, Item, Keep, Repeat, Run
from .ops import ROWS
from .patterns import by_layer
from .plan import FilePlan, Given
from .writer import SELF, Writer


def write_items(f: Writer, items: Iterable[Item]) -> None:
    """The statements of these items, in order."""
    for item in items:
        if isinstance(item, Do):
            f.doing = item.op
            value = ROWS[item.op.kind](f, item.op)
            f.doing = None
            if value is not None:
                f.settle(item.op, value)
        else:
            CALLS[type(item)](f, item)


# -- calls of modules


def arguments_for(f: Writer, scope: Scope, parameters: list[Given]) -> list[Argument]:
    """The arguments of a call of this scope, in the order of its parameters."""
    tables = {name: weight for weight, name in f.plan.tables(scope.path).items()}
    bundled = f.plan.bundled(f.place.path) if f.place.role == "block" else ()
    found: list[Argument] = []
    for given in parameters:
        if given.value in bundled:
            whole = Argument(Name(f"{scope.name}_inputs"), stars="*")
            found += [] if whole in found else [whole]
        elif given.value:
            found.append(Argument(f.use(given.value), given.name if given.by_name else ""))
        else:
            table = tables.get(given.name)
            value = f.table(table) if table else Name(given.name)
            found.append(Argument(value, given.name if given.by_name else ""))
    return found


def call_module(f: Writer, item: Run) -> None:
    parameters = f.plan.given(item.scope.path)
    name_long_input(f, item.scope, parameters)
    value = Call(Dot(SELF, item.scope.name), tuple(arguments_for(f, item.scope, parameters)))
    (output,) = item.outputs
    producer = f.graph.producer(output)
    assert producer is not None
    given = parameters[0]
    if f.graph.values[output].optional and f.graph.values[given.value].optional:
        own = value.arguments[0].value
        value = expression("None if given is None else x", given=own, x=value)
    f.settle(producer, written_for(value, item.scope.path))


def name_long_input(f: Writer, scope: Scope, given: list[Given]) -> None:
    """Assign the first argument of a call to a variable if the call would not fit on a line."""
    first = given[0].value
    if first not in f.waiting or len(given) == 1:
        return
    passed = [f.waiting.get(g.value) or f.names.get(g.value) or Name(g.name) for g in given]
    dropped = any(op.kind == "dropout" for op in f.plan.index.ops[f.place.path])
    added = 30 if dropped else 28  # columns, with room for `x = x + self.dropout(…)` around it
    room = LONG - 20 if f.whole else LONG - added
    if width(Evaluate(call(Dot(SELF, scope.name), *passed))) > room:
        op, value = f.sources[first], f.waiting.pop(first)
        name, note = ("x", f.note(first)) if f.whole else ("h", "")
        f.assign(f.bind(first, name), value, note, op)


def call_kept(f: Writer, item: Run) -> None:
    """Keys and values of cross-attention: computed in the first step, then read from the cache."""
    inner = f.plan.items(item.scope.path)
    f.count_uses(inner, [])
    before, f.body = f.body, []
    write_items(f, inner)
    made, f.body = f.body, before
    if not f.cached:
        f.say(*made)
        return
    layer = f.layer()
    kept = expression("cache.memory[layer]", layer=layer)
    both = Sequence(tuple(f.names[value] for value in item.outputs), "")
    test = expression("cache is not None and layer in cache.memory", layer=layer)
    store = If(expression("cache is not None"), (Set(kept, both),))
    read = Set(both, kept, f.note(*item.outputs))
    rows: tuple[Statement, ...] = ()
    if _is_first_in_cache(f, item.scope):
        x, k = Name(f.plan.given(f.place.path)[0].name), f.names[item.outputs[0]]
        rows = statements(ROWS_DIFFER, k=k, x=x)
    either = If(test, (read, *rows), (*map(_moved_in, made), store))
    f.say(written_for(either, item.scope.path))


ROWS_DIFFER = """
if len(k) != len(x):
    raise ValueError(f"{len(x)} rows, with a cache of {len(k)}")
"""


def _is_first_in_cache(f: Writer, scope: Scope) -> bool:
    """Whether nothing before it in its block has compared the rows of the cache with those of x;
    a recurrence compares those of its state.
    """
    block = f.graph.block_of(scope.path)
    assert block is not None
    own = {op.number for op in f.graph.subtree(scope.path)}
    before = itertools.takewhile(lambda op: op.number not in own, f.graph.subtree(block.path))
    readers = [
        op
        for number in own
        for value in f.graph.op(number).outputs
        for op in f.graph.consumers(value)
    ]
    recurs = any(op.kind == "recur" for op in readers)
    keepers = {op.number for op in f.graph.keepers(block.path)}
    return not recurs and keepers.isdisjoint(op.number for op in before)


def _moved_in(statement: Any) -> Statement:
    """Indent a statement by one level; drop its note if it no longer fits."""
    note = getattr(statement, "note", "")
    if note and width(statement) > LONG - 12:
        statement = replace(statement, note="")
    moved: Statement = statement
    return moved


# -- the loop over layers


def call_layers(f: Writer, item: Run) -> None:
    """The loop over the blocks of a stack."""
    plan, layers = f.plan, item.scope
    streams = [_stream(f, value) for value in layers.sources]
    blocks = plan.index.children[layers.path]
    passed: list[Any] = []
    if module := plan.bundle(layers.path):
        choice = choose(
            f, layers, [f"{module}_inputs"], {b.path: plan.bundled(b.path) for b in blocks}
        )
    else:
        inputs = plan.layer_inputs(layers.path)
        varying = [one for one in inputs if one.varies]
        values = {b.path: tuple([one.values[b.path] for one in varying]) for b in blocks}
        choice = choose(f, layers, [one.name for one in varying], values) if varying else ()
        passed = [Name(o.name) if o.varies else f.use(o.values[blocks[0].path]) for o in inputs]
    passed += [Name(given.name) for given in plan.given(blocks[0].path)[1:] if not given.value]
    for value, name in zip(layers.results, streams, strict=True):
        f.hold(value, name)
    loop(f, layers, streams, passed, choice)


def choose(
    f: Writer, layers: Scope, targets: list[str], given: dict[str, tuple[str, ...]]
) -> tuple[Statement, ...]:
    """The first statements of the loop: choose the masks or angles of the layer's kind.

    targets: the variables to assign; a single one for a tuple of all values
    given: the values of each block
    """
    blocks = {block.name: block.path for block in f.plan.index.children[layers.path]}
    places = zip(*given.values(), strict=False) if len(targets) > 1 else given.values()
    used = {v: f.use(v) for values in places for v in dict.fromkeys(values)}
    read = {node.id for node in walk(*used.values()) if isinstance(node, Name)}
    assert read.isdisjoint(targets), f"the loop sets what it reads: {sorted(read & {*targets})}"
    sets = {kind: tuple([used[v] for v in given[path]]) for kind, path in blocks.items()}
    single = all(len(values) == 1 for values in sets.values()) and not f.plan.bundle(layers.path)
    labels: dict[Any, Any] = {}
    for values in sets.values():
        if values not in labels:
            kind = min([kind for kind in sets if sets[kind] == values], key=len)
            labels[values] = values[0] if single else Name(variable(kind, {*targets, *f.holds}))
    if not single:
        for values, label in labels.items():
            made = Sequence(values, "" if len(values) > 1 else "()")
            f.say(written_for(Set(label, made), layers.path))
    value = by_layer(layers, {kind: labels[sets[kind]] for kind in sets}, f.number)
    if isinstance(value, Index):
        f.say(written_for(Set(Name("kinds"), value.of), layers.path))
        value = Index(Name("kinds"), value.keys)
    return (Set(names(*targets), value),)


def variable(kind: str, taken: Container[str]) -> str:
    """A variable name for a kind of layer, such as `local` or `global_` (a Python keyword)."""
    name = kind
    while (
        name in RESERVED or name in taken or name in places() or name.endswith(("_mask", "_tiles"))
    ):
        name += "_"
    return name


RESERVED = {
    *("i", "kinds", "block", "cache", "causal", "start", "end", "length", "batch"),
    *("self", "config", "torch", "nn", "F", "math", "checkpoint"),
    *("l", "I", "O"),  # look like digits
    *(*kwlist, *dir(builtins)),
}
"""Names that a loop over layers reads or sets, or that are hard to read."""


def _stream(f: Writer, source: str) -> str:
    """The variable, first of this value, that the loop over the layers updates."""
    if source in f.waiting:
        op, value = f.sources[source], f.waiting.pop(source)
        f.assign(f.bind(source, "x"), value, f.note(source), op)
    entry = f.use(source)
    producer = f.graph.producer(source)
    if producer is not None and producer.kind == "argument":  # an argument that is used directly
        if f.place.stack in f.graph.streams:
            return str(entry.id)  # a stream has the name of its argument
        name = f.bind(source, "x")
        f.assign(name, entry, f.note(source))
        return name
    return str(entry.id)


def loop(
    f: Writer,
    layers: Scope,
    streams: list[str],
    passed: list[Any],
    choice: tuple[Statement, ...],
) -> None:
    """`for block in self.layers:`, or a loop over the indices of shared blocks."""
    modules, stored = layers.modules, written_for(dotted("self.layers"), layers.path)
    number = Name("i" if choice else "layer")
    counted = bool(choice) or number in passed
    passed = [number if one == Name("layer") else one for one in passed]
    step: Any = Name("block")
    target, over, note = step, stored, ""
    if len(set(modules)) == 1 and len(modules) > 1:
        step, note = expression("stored[0]", stored=stored), "one block for all layers"
        target = number if counted else Name("_")
        over = expression("range(count)", count=f.number(layers.layers))
    elif len(set(modules)) < len(modules):
        step = expression("stored[module]", stored=stored)
        target, over = Name("module"), dotted("self.module_of")
        if counted:
            target, over = names(number.id, "module"), call("enumerate", over)
    elif counted:
        target, over = names("i", "block"), call("enumerate", stored)
    blocks = [block.path for block in f.plan.index.children[layers.path]]
    body = [written_for(s, *blocks) for s in (*choice, *step_of(f, streams, step, passed))]
    f.say(written_for(For(target, over, tuple(body), note), layers.path))


def step_of(f: Writer, streams: list[str], block: Any, passed: list[Any]) -> tuple[Statement, ...]:
    """`x = block(x, …)`, with gradient checkpointing if requested."""
    passed = [*map(Name, streams), *passed]
    stream: Any = names(*streams) if len(streams) > 1 else Name(streams[0])
    plain = call(block, *passed)
    if not f.plan.options.gradient_checkpointing:
        return (Set(stream, plain),)
    again = call("checkpoint", block, *passed, use_reentrant=constant(False))
    test = expression("self.training")
    if Name("cache") in passed:  # recomputation would append to the cache twice
        test = expression("self.training and cache is None")
    either = Set(stream, Choice(again, test, plain))
    if width(either) <= LONG - 12:  # the loop is indented in a method
        return (either,)
    return (If(test, (Set(stream, again),), (Set(stream, plain),)),)


def constant_prefix(plan: FilePlan, layers: Scope) -> str:
    return f"{layers.stack.upper()}_" if plan.several_stacks() else ""


# -- the rest of a function


def enter(f: Writer, path: str) -> list[Given]:
    """Bind the parameters of a scope's function to their values."""
    found = f.plan.given(path)
    for given in found:
        if given.value:
            f.hold(given.value, given.name)
    return found


FROM_MEMORY = ("learned", "zeros")
"""Inputs of a stack that come from no argument; its first parameter is a memory."""


def ids_of(f: Writer) -> str:
    """A value whose second axis is the new tokens: the ids, or the hidden states."""
    values = f.graph.values
    for value in f.names:
        labels = [dim.label for dim in values[value].shape[:2]] if value in values else []
        if labels == ["B", "T"] and not values[value].optional:
            return value
    return next(iter(f.names), "")


def with_positions(f: Writer, stack: str, given: list[Given]) -> list[Statement]:
    """The body, with a statement that sets the positions of the new tokens as early as possible.

    That is at the beginning if the first argument has an axis of tokens, else after the line that
    computes the tokens.
    """
    fact = f.graph.inputs[stack]
    source = f.graph.hidden.get(fact.stack, "")  # a memory may be passed before it
    first, place = next((g for g in given if g.value == source), given[0]), 0
    anchor, shape = first.name, f.graph.values[first.value].shape
    # the first argument is a memory, or it is not the whole sequence
    other = fact.kind in FROM_MEMORY or fact.prefix or fact.skip or stack in f.graph.parts
    if f.first is not None and (other or [dim.label for dim in shape[1:2]] != ["T"]):
        place, anchor = f.first
    start = checks_of_part(f, stack, given)
    return [*start, *f.body[:place], *entry(f, stack, given, anchor), *f.body[place:]]


CALLS: dict[type[Run], Callable[[Writer, Any], None]] = {
    Run: call_module,
    Keep: call_kept,
    Repeat: call_layers,
}
