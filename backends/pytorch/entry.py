"""The first lines of a method: positions of the new tokens, and checks of arguments."""

from __future__ import annotations

from typing import Any, cast

from ...compiler.axes import Dim
from ...compiler.graph import ModuleGraph, Op
from ...compiler.sizes import Size
from ...compiler.stack_lengths import turn_of
from .code.measure import LONG, width
from .code.nodes import Do, Expr, If, Name, Raise, Sequence, Statement
from .code.read import call, constant, expression, statements
from .code.walk import written_for
from .ops.recurrence import is_one_call
from .plan import Given
from .writer import Writer

OF_TOKENS = ("attention_mask", "position_ids", "document_ids", "prefix_length", "global_mask")
"""Arguments whose names begin with the prefix of their stack, since other stacks may read them."""

PADS, SIDES = "pad_mask", ("front", "back")
NEW, SEEN, BATCH, MEMORY = "T", "S", "B", "M"
NEEDS_A_TOKEN = ("pool", "last_state", "convolve", "recur")
TWO_AXES = "(1, 1, *x.shape)[-2:]  # check_shapes rejects other ranks"


def entry(f: Writer, stack: str, given: list[Given], anchor: str) -> list[Statement]:
    """Statements for the range of the new tokens of `anchor`, and checks of all arguments."""
    checked = checks(f, stack, given)
    shape = f.graph.values[given[0].value].shape
    ids = [dim.label for dim in shape] == [BATCH, NEW]
    tokens, limit = Name(anchor), f.graph.limits.get(stack)
    found: list[Statement] = []
    if checked and ids:
        found += statements(f"batch, length = {TWO_AXES}", x=tokens)
    elif checked:
        found += statements("batch, length, _ = x.shape", x=tokens)
    elif f.cached or f.uses_end or limit is not None:
        found += statements("length = x.size(1)", x=tokens)
    if f.static:
        found += statements("end = length if cache is None else cache.capacity")
    elif f.cached:
        found += statements(
            "start, end = (0, length) if cache is None else (cache.length, cache.length + length)"
        )
    found += checked
    if needs_a_token(f.graph, stack) and [dim.label for dim in shape[1:2]] == [NEW]:
        length = Name("length") if found else expression("x.size(1)", x=tokens)
        found += _at_least_one(f.graph.inputs[stack].argument or stack, length)
    if limit is not None:
        found += _at_most(f, stack, limit)
    if f.cached:
        found += [line for most in switches(f.graph, stack) for line in _no_switch(f, given, most)]
    if f.static:
        found += statements(
            "positions = torch.arange(length, device=x.device)  # (T,)\n"
            "if cache is not None:\n"
            "    positions = cache.begin(positions)",
            x=tokens,
        )
    return found


def _at_least_one(name: str, length: Expr) -> tuple[Statement, ...]:
    """An error if an input has no tokens."""
    message = constant(f"{name} has no tokens; at least one is needed")
    text = "if length == 0:\n    raise ValueError(message)"
    return statements(text, length=length, message=message)


def _at_most(f: Writer, stack: str, limit: Any) -> tuple[Statement, ...]:
    """An error if there are more tokens than `max_positions`."""
    of: dict[str, Expr] = {"end": Name("end" if f.cached else "length"), "most": f.number(limit)}
    turn = turn_of(f.graph, stack)
    if turn < 2:
        text = 'if end > most:\n    raise ValueError(f"{end} tokens, but max_positions is {most}")'
        return statements(text, **of)
    text = (  # interleaved inputs share the position of a step
        "if end > turn * most:\n"
        '    raise ValueError(f"{end // turn} steps, but max_positions is {most}")'
    )
    return statements(text, turn=constant(turn), **of)


def needs_a_token(graph: ModuleGraph, stack: str) -> bool:
    """Whether an op has no result for a sequence of the stack that has no tokens."""
    fact = graph.inputs[stack]
    if int(fact.prefix) or fact.kind in ("learned", "zeros"):  # it has tokens of its own
        return False
    for op in graph.ops():
        if op.kind in NEEDS_A_TOKEN and not (op.kind == "recur" and is_one_call(op)):
            made = graph.producer(op.arg("x"))
            if made is not None and graph.scopes[made.scope].stack == stack:
                return True
    return False


# -- arguments


def checks_of_part(f: Writer, stack: str, given: list[Given]) -> list[Statement]:
    """The lines that check arguments with a number for each token but the learned ones in front."""
    return [*_checks_of_own(f, stack, given), *_checks_of_memories(f, stack, given)]


def _checks_of_memories(f: Writer, stack: str, given: list[Given]) -> list[Statement]:
    """The masks of memories that begin with learned tokens."""
    found: list[Statement] = []
    for one in given:
        pads = [op for op in f.graph.consumers(one.value) if op.kind == PADS and not op.arg("x")]
        owner = owner_of(f.graph, one.name) if pads else stack
        memory = next((g.name for g in given if g.value == f.graph.hidden.get(owner)), "")
        learned = _learned_around(f.graph, stack, owner, pads) if memory and owner != stack else []
        if any(map(int, learned)):
            length: Expr = expression("memory.size(1)", memory=Name(memory))
            for size in learned:
                if int(size):
                    length = expression("length - size", length=length, size=f.number(size))
            batch = expression("memory.size(0)", memory=Name(memory))
            lines = _check(f, Sequence((batch, length), "()"), [one])
            found += _where_given(f, stack, given, [one], lines)
    return found


def _learned_around(graph: ModuleGraph, stack: str, owner: str, pads: list[Op]) -> list[Size]:
    """The numbers of learned tokens in the states of a memory, which have no mask."""
    own = [op for op in pads if graph.scopes[op.scope].stack == owner]
    if own or graph.inputs[stack].stack != owner:  # otherwise they have tokens of `stack`, too
        return [(own or pads)[0].attrs[side] for side in SIDES]
    inserted = (op for op in graph.ops() if op.kind == "insert_tokens")
    return [op.attrs["rows"] for op in inserted if graph.scopes[op.scope].stack == owner]


def _checks_of_own(f: Writer, stack: str, given: list[Given]) -> list[Statement]:
    names = [f.graph.inputs[stack].argument, *(one.argument for one in f.graph.read_by(stack))]
    found = (_checks_of_input(f, stack, given, name) for name in dict.fromkeys(names))
    return next(filter(None, found), [])


def _checks_of_input(f: Writer, stack: str, given: list[Given], name: str) -> list[Statement]:
    first = next((g for g in given if g.name in (name, "x")), given[0])
    part = _labels(f, first)
    if part[:1] != (BATCH,) or part[1:] in ((), (NEW,)) or not part[1].startswith(NEW):
        return []
    integers = [g for g in given if (v := f.graph.values.get(g.value)) and v.dtype == "int"]
    own = [g for g in integers if g is first or owner_of(f.graph, g.name) == stack]
    group = [g for g in own if _labels(f, g) == part]
    sizes = TWO_AXES if first in group else "x.shape[:2]"
    both = statements(f"batch, length = {sizes}", x=Name(first.name))
    found = [*both, *_check(f, expression("(batch, length)"), group)] if group else []
    if found and first.optional:
        beside = [one.name for one in group if one is not first]
        test = expression("x is not None", x=Name(first.name))
        return [If(test, tuple(found), refused_alone(first.name, name, beside))]
    return found


def refused_alone(first: str, ids: str, names: list[str]) -> tuple[Statement, ...]:
    """An error for each argument that is given without the input that it belongs to.

    ids: what callers of the model call this input
    """
    if not names:
        return ()
    error = Raise(call("ValueError", constant(f"{names[0]} needs {ids}, which is not given")))
    test = expression("x is not None", x=Name(names[0]))
    return (If(test, (error,), refused_alone(first, ids, names[1:])),)


def _labels(f: Writer, one: Given) -> tuple[str, ...]:
    """The first two axes of an argument."""
    value = f.graph.values.get(one.value)
    return () if value is None else tuple(dim.label for dim in value.shape[:2])


def checks(f: Writer, stack: str, given: list[Given]) -> list[Statement]:
    """The lines that check integer arguments and conditions; one line per shape."""
    groups: dict[tuple[str, Expr], list[Given]] = {}
    for one in given:
        shape = shape_of(f, stack, given, one)
        if shape is not None:
            helper = "check_shapes" if is_integer(f.graph, one) else "check_vectors"
            groups.setdefault((helper, shape), []).append(one)
    return [
        line
        for (helper, shape), group in groups.items()
        for line in _where_given(f, stack, given, group, _check(f, shape, group, helper))
    ]


def _where_given(
    f: Writer, stack: str, given: list[Given], group: list[Given], lines: list[Statement]
) -> list[Statement]:
    """The checks of a group whose shape is that of a memory, which may be absent."""
    owner = owner_of(f.graph, group[0].name)
    memory = next((g for g in given if g.value == f.graph.hidden.get(owner)), None)
    if owner == stack or memory is None or not memory.optional:
        return lines
    test = expression("x is not None", x=Name(memory.name))
    ids = f.graph.inputs[owner].argument or memory.name
    beside = refused_alone(memory.name, ids, [one.name for one in group])
    return [If(test, tuple(lines), beside)]


def _check(
    f: Writer, shape: Expr, group: list[Given], helper: str = "check_shapes"
) -> list[Statement]:
    """One or several lines, each with as many arguments as fit."""
    lines: list[Statement] = []
    while group:
        size = len(group)
        line = _check_of(shape, group, helper)
        while size > 1 and width(line, 2) > LONG:
            size -= 1
            line = _check_of(shape, group[:size], helper)
        ops = [op.number for op in map(f.graph.producer, (g.value for g in group[:size])) if op]
        lines.append(written_for(line, *ops))
        group = group[size:]
    return lines


def _check_of(shape: Expr, group: list[Given], helper: str) -> Do:
    return Do(call(helper, shape, **{one.name: Name(one.name) for one in group}))


def is_integer(graph: ModuleGraph, one: Given) -> bool:
    return one.value in graph.values and graph.values[one.value].dtype == "int"


def is_condition(graph: ModuleGraph, one: Given) -> bool:
    """Whether it is an argument with a number or a vector for each sequence."""
    op = graph.producer(one.value)
    if op is None or op.kind != "argument" or graph.values[one.value].dtype != "float":
        return False
    first, *axes = graph.values[one.value].shape
    data = {fact.argument for fact in graph.sources()}
    return first.label == BATCH and len(axes) < 2 and op.name not in data


def shape_of(f: Writer, stack: str, given: list[Given], one: Given) -> Expr | None:
    """The shape of an integer argument or of a condition; None for other arguments."""
    value = f.graph.values.get(one.value)
    if value is None or not (is_integer(f.graph, one) or is_condition(f.graph, one)):
        return None
    found = [_size(f, stack, given, one, dim) for dim in value.shape]
    sizes = tuple(size for size in found if size is not None)
    return Sequence(sizes, "()") if len(sizes) == len(found) else None


def _size(f: Writer, stack: str, given: list[Given], one: Given, dim: Dim) -> Expr | None:
    """The size of an axis of an argument; None if it is unknown in the method."""
    axis = dim.label
    if axis == BATCH:
        return Name("batch")
    letter, _, less = axis.partition("-")
    if letter not in (NEW, SEEN):
        return None if dim.size is None else cast(Expr, f.number(dim.size))
    owner = owner_of(f.graph, one.name)
    fact = f.graph.inputs[stack]
    if less:
        return None  # see `checks_of_part`
    continued = "" if fact.prefix or stack in f.graph.parts else fact.stack
    if owner in (stack, continued):
        return Name("end" if axis == SEEN and f.cached else "length")
    memory = next((g.name for g in given if g.value == f.graph.hidden.get(owner)), "")
    return expression("memory.size(1)", memory=Name(memory)) if memory else None


def owner_of(graph: ModuleGraph, argument: str) -> str:
    """The stack of an argument: the one whose input it is, or that alone reads it, or the one with
    its prefix.
    """
    for stack in graph.inputs:
        if argument in {fact.argument for fact in graph.read_by(stack)}:
            return stack
    if not argument.endswith(OF_TOKENS):
        value = next(op.outputs[0] for op in graph.ops("") if op.name == argument)
        readers = {graph.scopes[op.scope].stack for op in graph.consumers(value)}
        if len(readers) == 1:
            return readers.pop()
    prefixes = {stack: prefix_of(graph, stack) for stack in graph.inputs}
    fits = [stack for stack in prefixes if argument.startswith(prefixes[stack])]
    return max(fits, key=lambda stack: len(prefixes[stack]), default="")


def prefix_of(graph: ModuleGraph, stack: str) -> str:
    """Prefix of a stack's arguments: `decoder_`, or ""."""
    first = graph.inputs[stack]
    if first.stack and stack not in graph.parts:
        return prefix_of(graph, first.stack)
    ids = "input_ids" if len(graph.inputs) == 1 else f"{stack}_ids"
    if first.kind == "tokens":
        ids = first.argument
    prefix = ids.removesuffix("input_ids")
    return prefix if prefix != ids else f"{ids.removesuffix('_ids')}_"


# -- LongRoPE


def switches(graph: ModuleGraph, stack: str) -> list[Any]:
    """The lengths at which LongRoPE switches frequencies, without duplicates."""
    found = [
        op.attrs["scaling"]["original_max_positions"]
        for op in graph.ops()
        if op.kind == "rope_table"
        and graph.scopes[op.scope].stack == stack
        and (op.attrs["scaling"] or {}).get("type") == "longrope"
    ]
    return list(dict.fromkeys(found))


CROSSING = """\
if position_ids is None and 0 < start <= most < end:
    raise ValueError(f"{end} tokens need the long LongRoPE factors; encode all with a new cache")
"""
STATIC_CROSSING = """\
if position_ids is None and cache is not None:
    old, new = cache.length, cache.length + length
    crosses = (0 < old) & (old <= most) & (most < new)
    torch._assert_async(~crosses, "LongRoPE switches factors here; encode all with a new cache")
"""


def _no_switch(f: Writer, given: list[Given], most: Any) -> tuple[Statement, ...]:
    """A check that no step crosses such a length: cached keys would have the short angles."""
    positions = next(g.name for g in given if g.name.endswith("position_ids"))
    text = STATIC_CROSSING if f.static else CROSSING
    return statements(text, position_ids=Name(positions), most=f.number(most))
