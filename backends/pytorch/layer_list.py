"""The layers of a stack in `__init__`: classes and constructor arguments."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ...compiler.graph import Scope
from .body import constant_prefix, variable
from .code.measure import LONG, width
from .code.nodes import Call, Choice, Expr, For, Index, Name, Set, Statement
from .code.nodes import Sequence as Items
from .code.read import call, names, statements
from .code.walk import change, walk, written_for
from .patterns import by_layer
from .plan import FilePlan
from .sizes import config_expression


def construct(plan: FilePlan, child: Scope, layer: str = "layer") -> Any:
    """The constructor call of a module or block; `layer` is an expression for the layer index."""
    knows = plan.knows_layer(child.path) and child.role != "stack"
    unneeded = plan.unneeded.get(child.path, ())
    config = [] if "config" in unneeded else [Name("config")]
    number = [Name(layer)] if knows and "layer" not in unneeded else []
    own = plan.class_arguments.get(child.path, {}).values()
    given = [*config, *own, *number] if child.path in plan.lenient else [*config, *number, *own]
    made = change(call(plan.class_of(child), *given), {Name("layer"): Name(layer)})
    return written_for(made, child.path)


def layer_list(plan: FilePlan, layers: Scope) -> list[Statement]:
    """`self.layers = nn.ModuleList(…)`, with one block per layer or per group of shared layers."""
    if plan.has_shared_layers(layers.path):
        return shared_list(plan, layers)
    blocks, kinds = plan.index.children[layers.path], kinds_of(plan, layers)
    several = len(set(class_names(plan, layers))) > 1
    given = len(blocks) > 1 and plan.class_arguments.get(blocks[0].path)
    if kinds is None and (several or given):
        return layer_loop(plan, layers)
    made = construct(plan, blocks[0], "i")
    if kinds is not None:
        made = replace(made, of=Index(kinds_constant(plan, layers), kinds.keys))
    i = Name("i" if Name("i") in walk(made) else "_")
    count = config_expression(layers.layers)
    line = "self.layers = nn.ModuleList(made for i in range(count))"
    return list(statements(line, made=made, i=i, count=count))


def layer_loop(plan: FilePlan, layers: Scope) -> list[Statement]:
    """A loop that creates the layers, with arguments that depend on the index."""
    blocks = {block.name: block for block in plan.index.children[layers.path]}
    made = {kind: construct(plan, block, "i") for kind, block in blocks.items()}
    given = {k: plan.class_arguments.get(b.path, {}) for k, b in blocks.items()}
    block: Expr = Name("block")
    own, chosen = ["block"], made
    if len(set(class_names(plan, layers))) == 1:  # the arguments that differ
        own, first = list(next(iter(given.values()))), next(iter(made.values()))
        alike = len(first.arguments) - len(own)
        own = own if len(own) > 1 else _short(own, [m.arguments[-1].value for m in made.values()])
        chosen = {kind: _tuple([a.value for a in m.arguments[alike:]]) for kind, m in made.items()}
        block = call(first.of, *[a.value for a in first.arguments[:alike]], *map(Name, own))
    listed = not any(isinstance(node, Call) for node in walk(*chosen.values()))
    value = by_layer(layers, chosen, config_expression, listed=listed)
    body = (*_chosen(own, value, chosen), *statements("self.layers.append(b)", b=block))
    over = call("range", config_expression(layers.layers))
    return [*statements("self.layers = nn.ModuleList()"), For(Name("i"), over, body)]


def _chosen(own: list[str], value: Expr, chosen: dict[str, Any]) -> tuple[Statement, ...]:
    """Set the values of a layer; a long choice of two gets a name for its test."""
    whole = Set(names(*own), value)
    if width(whole, depth=3) <= LONG or not isinstance(value, Choice):
        return (whole,)
    kind = next((kind for kind, made in chosen.items() if made == value.then), None)
    if kind is None or isinstance(value.other, Choice):
        return (whole,)
    test = Name(variable(kind, own))
    return Set(test, value.test), replace(whole, value=replace(value, test=test))


def _short(own: list[str], values: list[Expr]) -> list[str]:
    """The variable of a branch; "branch" if a choice of two is then short enough for a line."""
    for name in (own[0], "branch"):
        choice = Choice(values[0], Name("dense"), values[-1])
        if width(Set(Name(name), choice), depth=3) <= LONG:
            return [name]
    return own


def _tuple(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else Items(tuple(values))


def shared_list(plan: FilePlan, layers: Scope) -> list[Statement]:
    """The modules, if some layers share one: each is stored once, and `module_of` lists them."""
    blocks = plan.index.children[layers.path]
    if len(set(layers.modules)) == 1:
        return list(statements("self.layers = nn.ModuleList([b])", b=construct(plan, blocks[0])))
    found: list[Statement] = []
    values: dict[str, Expr] = {}
    for block in blocks:
        values[block.name] = construct(plan, block)
        if block.name in layers.rule.shared if layers.rule else len(block.stored) == 1:
            name = Name(variable(block.name, OWN))
            found.append(Set(name, values[block.name], "shared by its layers"))
            values[block.name] = name
    value = by_layer(layers, values, config_expression, listed=len(found) == len(blocks))
    count = config_expression(layers.layers)
    found += statements(SHARED, value=value, count=count)
    return found


OWN = ("blocks", "block", "i")
"""Variables of these lines."""
SHARED = """\
blocks = [value for i in range(count)]
self.layers = nn.ModuleList(dict.fromkeys(blocks))  # each module once
self.module_of = [[*self.layers].index(block) for block in blocks]  # by layer
"""


def class_names(plan: FilePlan, layers: Scope) -> list[str]:
    """The class of each layer."""
    blocks = {block.name: plan.class_of(block) for block in plan.index.children[layers.path]}
    return [blocks[kind] for kind in layers.order]


def kinds_of(plan: FilePlan, layers: Scope) -> Index | None:
    """A tuple of classes and the item of each layer, if no shorter expression gives the class."""
    if plan.has_shared_layers(layers.path) or len(set(class_names(plan, layers))) == 1:
        return None
    blocks = plan.index.children[layers.path]
    if any(plan.class_arguments.get(block.path) for block in blocks):
        return None
    if len({plan.knows_layer(block.path) for block in blocks}) > 1:
        return None
    names = {block.name: Name(plan.class_of(block)) for block in blocks}
    found = by_layer(layers, names, config_expression)
    return found if isinstance(found, Index) else None


def kinds_constant(plan: FilePlan, layers: Scope) -> Name:
    return Name(constant_prefix(plan, layers) + "KINDS")


def constants(plan: FilePlan) -> list[Statement]:
    """Assignments of KINDS for each stack that needs it."""
    found: list[Statement] = []
    for layers in plan.graph.scopes.values():
        listed = kinds_of(plan, layers) if layers.role == "layers" else None
        if listed is not None:
            blocks = [block.path for block in plan.index.children[layers.path]]
            made = Set(kinds_constant(plan, layers), listed.of)
            found.append(written_for(made, layers.path, *blocks))
    return found
