"""The stacks of a model: parameters and `forward`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from ...compiler.axes import M, show
from ...compiler.count import as_long_as
from ...compiler.graph import ModuleGraph, Op, Scope
from .body import with_positions, write_items
from .calls import table_of
from .code.measure import LONG
from .code.nodes import Do as DoStatement
from .code.nodes import Dot, Expr, Function, Name, Statement
from .code.read import call, constant, expression, statements
from .code.walk import written_for
from .data_checks import data_checks
from .entry import prefix_of
from .items import Do, Item
from .plan import FilePlan, Given
from .writer import SELF, Needs, TwoNumbersError, Writer

OPTIONAL = ("attention_mask", "position_ids", "token_type_ids")
CACHE = Given("cache", kind="cache", by_default=True)
TENSOR = Name("Tensor")
MANY = 3
"""A stack that reads more numbers of the config than this, or two of one name, keeps the config."""
JOINS = ("join_inputs", "interleave_inputs")


def tensors(count: int) -> Expr:
    """The type of this number of tensors."""
    several: Expr = expression(f"tuple[{', '.join(['Tensor'] * count)}]")
    return several if count > 1 else TENSOR


@dataclass(frozen=True)
class Step:
    """The call that computes the hidden states of one stack.

    name   the stack, or the method `hidden_states` if there is only one stack
    given  parameters of the call
    table  the model's embedding for the first parameter; None if the stack has its own
    ids    the argument that this embedding reads
    path   the scope of the stack
    absent whether its input may be absent; its hidden states are then None
    origins values of the spec that the call comes from
    """

    name: str
    stack: str
    value: str
    given: list[Given]
    table: Op | None = None
    ids: Given | None = None
    path: str = ""
    absent: bool = False
    origins: tuple[tuple[str, ...], ...] = ()

    def call(self, *passed: Expr) -> Expr:
        """The call of the stack with these arguments."""
        found: Expr = written_for(call(Dot(SELF, self.name), *passed), self.path, *self.origins)
        return found

    def computed(self) -> Expr:
        """The call, as an expression over arguments of the model; None if its input is absent."""
        made = self.call(*self.passed())
        if not self.absent:
            return made
        own = Name(self.arguments[0].name)
        found: Expr = expression("None if own is None else x", own=own, x=made)
        return found

    @property
    def arguments(self) -> list[Given]:
        """The parameters as arguments of the model, with ids instead of embedded ids."""
        if self.absent:
            first = self.ids or self.given[0]
            return [replace(first, optional=True, by_default=True), *self.given[1:]]
        if self.ids is None:
            return self.given
        ids, own = self.ids, self.embedded
        others = [g for g in self.given if g.name != ids.name]
        return [
            replace(ids, optional=g.optional, by_default=g.by_default) if g is own else g
            for g in others
        ]

    @property
    def embedded(self) -> Given | None:
        """The parameter for embedded ids, if the model has their table."""
        if self.table is None:
            return None
        return next((g for g in self.given if g.value == self.table.outputs[0]), self.given[0])

    @property
    def cached(self) -> bool:
        return CACHE in self.given

    def passed(self, ids: Expr | None = None) -> list[Any]:
        """The arguments of a call without the cache, with other ids."""
        source = self.arguments[0].name if self.ids is None else self.ids.name
        ids = Name(source) if ids is None else ids
        given = [g for g in self.given if g != CACHE]
        found = [ids if g.name == source else Name(g.name) for g in given]
        own = self.embedded
        if self.table is not None and own is not None:
            embedded = call(Dot(SELF, self.table.name), ids)
            if own.optional:
                embedded = expression("None if ids is None else x", ids=ids, x=embedded)
            found[given.index(own)] = written_for(embedded, self.table.number)
        return found


# -- parameters of a stack


def given_for(plan: FilePlan, items: Iterable[Item], stack: str, *more: str) -> list[Given]:
    """Parameters for all inputs of a stack's items, and for `more`."""
    items = list(items)
    made = {value for item in items for value in item.outputs}
    read = [v for item in items for v in item.inputs if v]
    read += [
        item.op.attrs["absent"]
        for item in items
        if isinstance(item, Do) and item.op.attrs.get("absent")
    ]
    found = []
    for value in dict.fromkeys([*read, *more]):
        if value not in made:
            optional = plan.graph.values[value].optional
            name = name_of(plan, value, stack)
            found.append(Given(name, value, optional=optional, by_default=optional))
    own = own_mask(plan.graph, stack)
    return sorted(found, key=lambda given: rank(plan.graph, given, own))


def name_of(plan: FilePlan, value: str, stack: str) -> str:
    """Parameter name of a value in a stack."""
    for other, hidden in plan.graph.hidden.items():
        if hidden == value and other != stack:
            return memory_name(plan, other)
    producer = plan.graph.producer(value)
    if producer is not None and producer.kind != "argument":
        return "x"
    return plan.graph.values[value].name


def memory_name(plan: FilePlan, stack: str) -> str:
    if plan.is_input(stack):
        return f"{stack}_states"
    read = [s for s in plan.graph.hidden if plan.is_read(s) and not plan.is_input(s)]
    return "memory" if len(read) <= 1 else f"{stack}_memory"


def own_mask(graph: ModuleGraph, stack: str) -> str:
    """The argument that masks this stack's padding."""
    return f"{prefix_of(graph, stack)}attention_mask"


def rank(graph: ModuleGraph, given: Given, own: str) -> tuple[int, int, bool]:
    """Sort key: vectors, states of input stacks, ids, memory, conditions, then optional arguments
    in Hugging Face's order.

    The mask of the memory precedes the stack's own.
    """
    if not given.by_default:
        producer = graph.producer(given.value)
        states = {graph.hidden[s] for fact in graph.stack_facts.values() for s in fact.inputs}
        other = not is_data(graph, given.value)  # such as a timestep
        place = -2 if given.name == "x" else -1 if given.value in states else int(other)
        return 0, place, producer is None or producer.kind != "argument"
    if is_data(graph, given.value) or given.name == "x":
        return 1, -1 - (given.name == "x"), False
    place = next((i for i, name in enumerate(OPTIONAL) if given.name.endswith(name)), len(OPTIONAL))
    return 1, place, given.name == own


def is_data(graph: ModuleGraph, value: str) -> bool:
    """Whether a value is the input of a stack, or the output of one."""
    arguments = {fact.argument for fact in graph.sources()}
    return value in graph.hidden.values() or graph.values[value].name in arguments


def reads_memory(graph: ModuleGraph, stack: str) -> bool:
    """Whether it attends to other stacks."""
    scopes = graph.scopes
    return any(
        scopes[op.scope].stack == stack
        and ((op.kind == "mask" and op.attrs.get("memory")) or scopes[op.scope].role == "method")
        for op in graph.ops()
    )


# -- methods


def write_hidden(
    f: Writer, stack: str, items: list[Item], given: list[Given]
) -> tuple[Statement, ...]:
    """The statements that compute the hidden states of a stack, with or without a cache."""
    values = f.graph.results_of(stack)
    for one in given:
        f.hold(one.value, one.name)
    f.count_uses(items, values)
    f.ids = given[0].value
    read = {fact.argument for fact in f.graph.read_by(stack)}
    data = data_checks(
        f, items, [g.value for g in given if g.name in read and not f.plan.ops(f.place.path)]
    )
    if stack in f.graph.parts:  # the sequence of all inputs
        f.ids = next(op.outputs[0] for op in f.graph.ops(f.place.path) if op.kind in JOINS)
    write_items(f, items)
    f.finish([*values])
    checks = [*data, *_length_checks(f, stack), *_batch_checks(f, given)]
    body = [*checks, *with_positions(f, stack, given)]
    if f.cached:
        moved = "cache.length += length" if f.static else "cache.length = end"
        close = statements(f"if cache is not None:\n    {moved}")
        body = [*body[:-1], *close, body[-1]]
    return tuple(body)


def _length_checks(f: Writer, stack: str) -> list[Statement]:
    """`check_lengths("residue", msa.size(2), pair.size(1), pair.size(2))` for each shared axis, and
    the batch.
    """
    axes = f.graph.axes.get(stack, ())
    found: dict[str, list[Expr]] = {axis: [] for axis in [*["B"] * bool(axes), *axes]}
    made: dict[str, list[int]] = {axis: [] for axis in found}  # the arguments, for source maps
    arguments = [op for op in f.graph.ops("") if op.kind == "argument"]
    for op in arguments if found else ():
        for number, dim in enumerate(f.graph.values[op.outputs[0]].shape):
            if dim.label in found:
                size = expression("x.size(n)", x=Name(op.name), n=constant(number))
                found[dim.label].append(size)
                made[dim.label].append(op.number)
    names = {"B": "batch"}
    return [
        written_for(
            DoStatement(call("check_lengths", constant(names.get(axis, axis)), *sizes)), *made[axis]
        )
        for axis, sizes in found.items()
        if len(sizes) > 1
    ]


def _batch_checks(f: Writer, given: list[Given]) -> list[Statement]:
    """`check_lengths("batch", pixel_values.size(0), memory.size(0))` for a condition on a memory.

    Arguments are checked with those of the stack.
    """
    graph, first = f.graph, given[0]
    read = [
        one
        for one in given[1:]
        if one.value in graph.hidden.values()
        and any("condition" in op.scope.split(".") for op in graph.consumers(one.value))
    ]
    if not read or first.optional:
        return []
    sizes = [expression("x.size(0)", x=Name(one.name)) for one in (first, *read)]
    line, argument = call("check_lengths", constant("batch"), *sizes), graph.producer(first.value)
    return [written_for(DoStatement(line), *([argument.number] if argument else []))]


def step_of(plan: FilePlan, stack: str) -> Step:
    """The model's call of one of several stacks."""
    graph, value = plan.graph, plan.graph.hidden[stack]
    path = graph.stacks()[stack].path
    given = given_for(plan, plan.items(path), stack, *([] if plan.ops(path) else [value]))
    own = {hidden for other, hidden in graph.hidden.items() if not plan.is_input(other)}
    own |= {g.value for g in given if g.name in needed_inputs(graph, stack)}
    if stack not in graph.parts and graph.inputs[stack].stack:
        own.add(graph.hidden[graph.inputs[stack].stack])
    given = [replace(g, optional=False, by_default=False) if g.value in own else g for g in given]
    if stack in plan.cached:  # only the steps with the tokens that they replace have vectors
        later = {graph.hidden[other] for other in graph.stack_facts[stack].inputs}
        given = [
            replace(g, optional=True, by_default=True) if g.value in later else g for g in given
        ]
    given.sort(key=lambda one: rank(graph, one, own_mask(graph, stack)))
    if stack not in graph.parts:  # vectors that replace some of its tokens follow them
        first = ("x", graph.inputs[stack].argument)  # "x": the embedded ids
        given.sort(key=lambda one: one.name not in first or one.by_default)
    cache = [CACHE] if stack in plan.cached else []
    table = table_of(graph, stack)
    ids = None
    if table is not None:
        ids = Given(graph.values[table.arg("ids")].name, table.arg("ids"))
    absent = graph.values[value].optional
    origins = (("stacks", stack, "input"),) if graph.inputs[stack].stack else ()
    return Step(stack, stack, value, [*given, *cache], table, ids, path, absent, origins)


def needed_inputs(graph: ModuleGraph, stack: str) -> set[str]:
    """The arguments that a stack cannot do without."""
    if parts := graph.parts.get(stack):
        return {part.input.argument for part in parts if not part.optional}
    return {graph.inputs[stack].argument}


def stack_forward(plan: FilePlan, scope: Scope, needs: Needs) -> Function:
    """The `forward` of one of several stacks."""
    step = step_of(plan, scope.stack)
    tensors = [given for given in step.given if given != CACHE]

    def body_with(needs: Needs) -> tuple[Statement, ...]:
        f = Writer(plan, scope, needs, root=False)
        return write_hidden(f, scope.stack, plan.items(scope.path), tensors)

    tried, body = Needs(), tuple[Statement, ...]()
    try:
        body = body_with(tried)
        needs.config = len(tried.attributes) > MANY
    except TwoNumbersError:
        needs.config = True
    if needs.config:
        body = body_with(needs)
    else:
        vars(needs).update(vars(tried))
    parameters = plan.parameters(step.given)
    made = Function("forward", parameters, TENSOR, body, title_of(plan.graph, step))
    found: Function = written_for(made, scope.path)
    return found


def title_of(graph: ModuleGraph, step: Step) -> str:
    """The docstring of a method that returns hidden states."""
    if step.stack in graph.streams:
        return "Hidden states of each stream."
    shape = show(graph.values[step.value].shape)
    first, inner = "learned vectors", graph.inputs[step.stack].kind in ("learned", "zeros")
    if step.stack in graph.parts:
        first = joined_title(graph, step.stack)
    elif graph.inputs[step.stack].kind == "zeros":
        first = "vectors of zeros"
    elif graph.inputs[step.stack].kind != "learned":
        first = described(graph, step.given[0])
    text = f"Hidden states {shape} of {first}"
    if placed := placing(graph, step):
        return "\n\n".join([f"{text}.", *placed])
    others = step.given if inner else step.given[1:]
    memory = next((g for g in others if g.value in graph.hidden.values()), None)
    if memory is not None:
        text += f", given `{memory.name}` {show(as_long_as(graph.values[memory.value].shape, M))}"
    more = ", which follow the tokens in `cache`" if step.cached else ""
    return f"{text}{more}." if len(text + more) < LONG - 14 else f"{text}."


def joined_title(graph: ModuleGraph, stack: str) -> str:
    """`pixel_values` and `input_ids`, joined."""
    facts = [part.input for part in graph.parts[stack]]
    names = [f"`{f.argument}`" if f.argument else f"the {f.stack} stack" for f in facts]
    return f"{', '.join(names[:-1])} and {names[-1]}, joined"


def placing(graph: ModuleGraph, step: Step) -> list[str]:
    """A sentence for each stack whose vectors replace tokens."""
    found = []
    for op in graph.subtree(step.path):
        if op.kind != "place_rows":
            continue
        value = graph.hidden[graph.from_states(op.arg("rows"))[0]]
        given = next((g.name for g in step.given if g.value == value), "")
        token = op.attrs["token"].code()
        if given:
            shape = show(graph.values[value].shape).replace("B, T", "N, M")
            found.append(f"`{given}` {shape} replace the tokens `{token}`, row by row.")
    return found


def described(graph: ModuleGraph, given: Given) -> str:
    """`input_ids` (B, T)."""
    embedded = "embedded tokens " if given.name == "x" else ""
    return f"{embedded}`{given.name}` {show(graph.values[given.value].shape)}"
