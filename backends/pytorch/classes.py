"""Scopes become classes: weights in `__init__`, ops in `forward`; equal classes are one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from ...compiler.graph import ModuleGraph, Scope
from ...compiler.names import camel_case
from .body import constant_prefix, enter, ids_of, write_items
from .code.layout import binding
from .code.nodes import (
    Binary,
    Call,
    Class,
    Dot,
    Expr,
    Function,
    Name,
    Node,
    Parameter,
    Sequence,
    Set,
    Statement,
    parts_of,
    union,
)
from .code.read import call, constant, dotted, expression, statements
from .items import Do, Keep, Repeat
from .make import make
from .options import BuildOptions
from .plan import FilePlan
from .sizes import config_expression
from .writer import SELF, Needs, Writer

MODULE = dotted("nn.Module")
NONE = constant(None)
INT = Name("int")


@dataclass(eq=False)
class Written:
    """A class of the file; what it is called is decided when all of its level are written."""

    scope: Scope
    constructor: Function
    body: tuple[Statement, ...]  # of the class: constructor and forward
    doc: str = ""
    needs: Needs = field(default_factory=Needs)
    name: str = ""
    bases: tuple[Expr, ...] = (MODULE,)

    @property
    def noun(self) -> str:
        return self.scope.noun

    def same_as(self, other: Written) -> bool:
        """Do both say the same, whatever they are called?"""
        return (self.doc, self.body) == (other.doc, other.body)

    def tree(self) -> Class:
        return Class(self.name, self.bases, self.body, self.doc)


def write_class(plan: FilePlan, scope: Scope) -> Written:
    """The class of a module, block or stack scope; its children's classes are named already."""
    needs = Needs()
    if scope.role == "stack":  # what it does is a method of the model
        made = constructor(plan, scope, needs)
        return Written(scope, made, (made,), "", needs)
    runs = forward(plan, scope, needs)
    made = constructor(plan, scope, needs)
    return Written(scope, made, (made, runs), scope.title, needs)


# -- __init__


def constructor(plan: FilePlan, scope: Scope, needs: Needs) -> Function:
    knows = plan.knows_layer(scope.path) and scope.role != "stack"
    parameters = [Parameter("self"), Parameter("config", Name("Config"))]
    if knows:
        idle = scope.path in plan.lenient and not plan.counts_layers(scope.path)
        parameters.append(Parameter("layer", INT, constant(0) if idle else None))
    body = [*statements("super().__init__()")]
    if knows and needs.layer:
        body += statements("self.layer = layer")
    made = members(plan, scope, needs)
    for name, value in needs.attributes.items():
        own = Dot(SELF, name)
        body.append(Set(own, value))
        if isinstance(value, Binary):  # a size that is computed is computed once
            made = [_computed_once(statement, value, own) for statement in made]
    return Function("__init__", tuple(parameters), NONE, (*body, *made))


def _computed_once(part: Any, size: Expr, own: Expr) -> Any:
    """The tree with an attribute for a size that stands in brackets of its own."""
    if isinstance(part, tuple):
        return tuple([_computed_once(item, size, own) for item in part])
    if not isinstance(part, Node):
        return part
    if isinstance(part, Call) and len(part.arguments) == 1 and part.arguments[0].value == size:
        return replace(part, arguments=(replace(part.arguments[0], value=own),))
    if isinstance(part, Binary) and part.right == size and binding(size) <= binding(part):
        return replace(part, left=_computed_once(part.left, size, own), right=own)
    if isinstance(part, Binary) and part.left == size and binding(size) < binding(part):
        return replace(part, left=own, right=_computed_once(part.right, size, own))
    parts = {name: getattr(part, name) for name in parts_of(type(part))}
    return replace(part, **{key: _computed_once(v, size, own) for key, v in parts.items()})


def members(plan: FilePlan, scope: Scope, needs: Needs) -> list[Statement]:
    """The statements that make a scope's weights and modules, in reading order."""
    f = Writer(plan, scope, needs, root=False)
    found: list[Statement] = []
    for item in plan.items(scope.path):
        if isinstance(item, Do):
            for statement in make(f, item.op):
                place = found.index(statement) if statement in found else None
                if place is None:
                    found.append(statement)
                else:  # several ops may use one module
                    found[place] = union(found[place], statement)
        elif isinstance(item, Repeat):
            found.append(Set(Dot(SELF, "layers"), layer_list(plan, item.scope)))
        elif isinstance(item, Keep):
            found += members(plan, item.scope, needs)
        else:
            found.append(Set(Dot(SELF, item.scope.name), construct(plan, item.scope)))
    return found


def construct(plan: FilePlan, child: Scope) -> Any:
    knows = plan.knows_layer(child.path) and child.role != "stack"
    return call(plan.class_of(child), *map(Name, ("config", "layer") if knows else ("config",)))


def layer_list(plan: FilePlan, layers: Scope) -> Any:
    """`nn.ModuleList(…)`: one block per layer, or one for those that share."""
    blocks = plan.index.children[layers.path]
    knows = plan.knows_layer(blocks[0].path)
    distinct = len(set(layers.modules))
    if len(set(layers.order)) == 1:
        block: Expr = Name(plan.class_of(blocks[0]))
        if distinct == 1 and len(layers.modules) > 1:
            return expression("nn.ModuleList([block(config)])", block=block)
    else:
        kinds = Name(constant_prefix(plan, layers) + "KINDS")
        if distinct < len(layers.modules):
            return expression("nn.ModuleList(kind(config) for kind in KINDS)", KINDS=kinds)
        period = constant(fold(layers.order))
        block = expression("KINDS[i % period]", KINDS=kinds, period=period)
    number = "i" if knows or len(set(layers.order)) > 1 else "_"
    made = call(block, *map(Name, ("config", "i") if knows else ("config",)))
    return expression(
        "nn.ModuleList(made for i in range(count))",
        made=made,
        i=Name(number),
        count=config_expression(layers.layers),
    )


def fold(order: tuple[str, ...]) -> int:
    """The shortest length after which the pattern repeats."""
    return next(
        n
        for n in range(1, len(order) + 1)
        if all(order[i] == order[i % n] for i in range(len(order)))
    )


def constants(plan: FilePlan) -> list[Statement]:
    """KINDS and MODULES of each stack that needs them, as statements."""
    found: list[Statement] = []
    for layers in plan.graph.scopes.values():
        if layers.role != "layers":
            continue
        names = {b.name: plan.class_of(b) for b in plan.index.children[layers.path]}
        prefix = constant_prefix(plan, layers)
        shared = len(set(layers.modules)) < len(layers.modules)
        if len(set(layers.order)) > 1:
            stored = (
                tuple(layers.order[layers.modules.index(m)] for m in sorted(set(layers.modules)))
                if shared
                else layers.order[: fold(layers.order)]
            )
            kinds = _runs([Name(names[kind]) for kind in stored])
            found.append(Set(Name(f"{prefix}KINDS"), kinds))
        if shared and len(set(layers.modules)) > 1:
            numbers = _runs([constant(module) for module in layers.modules])
            found.append(Set(Name(f"{prefix}MODULES"), numbers))
    return found


def _runs(parts: list[Any]) -> Expr:
    """A tuple; long runs of one thing are folded: `(Dense,) * 3 + (Sparse,) * 58`."""
    runs: list[tuple[Any, int]] = []
    for part in parts:
        if runs and runs[-1][0] == part:
            runs[-1] = (part, runs[-1][1] + 1)
        else:
            runs.append((part, 1))
    if max(count for _, count in runs) < 4:
        return Sequence(tuple(parts))
    terms: list[Expr] = []
    for part, count in runs:
        one: Expr = Sequence((part,))
        terms.append(Binary(one, "*", constant(count)) if count > 1 else one)
    found = terms[0]
    for term in terms[1:]:
        found = Binary(found, "+", term)
    return found


# -- forward


def forward(plan: FilePlan, scope: Scope, needs: Needs) -> Function:
    f = Writer(plan, scope, needs, root=False)
    given = enter(f, scope.path)
    items = plan.items(scope.path)
    results = [scope.carry[1]] if scope.carry else list(plan.external(scope.path)[1])
    f.count_uses(items, results)
    f.ids = ids_of(f)
    write_items(f, items)
    f.finish(results)
    parameters = (Parameter("self"), *(g.parameter() for g in given))
    return Function("forward", parameters, Name("Tensor"), tuple(f.body))


# -- which classes a file has


def plan_file(graph: ModuleGraph, options: BuildOptions) -> tuple[FilePlan, list[Written]]:
    """How the classes of a file fit together: the way in which the fewest say it all."""
    plan = FilePlan(graph, options)
    classes = write_classes(plan)
    if not one_causal_mask(graph) or not may_merge(graph):
        return plan, classes
    told = plan.telling_causal(told=True)
    fewer = write_classes(told)
    return (told, fewer) if len(fewer) < len(classes) else (plan, classes)


def one_causal_mask(graph: ModuleGraph) -> bool:
    """Have all layers of a stack that is causal the same mask, so that one word is true of all?"""
    masks: dict[str, set[str]] = {}
    for op in graph.ops():
        if op.kind == "attend" and op.attrs["causal"]:
            masks.setdefault(graph.scopes[op.scope].stack, set()).add(op.arg("mask"))
    return bool(masks) and all(len(found) == 1 for found in masks.values())


def may_merge(graph: ModuleGraph) -> bool:
    """Are there attentions that are told of their mask in another way, or without a cache?"""
    ways = {
        (graph.scopes[op.scope].stack, op.attrs["causal"])
        for op in graph.ops()
        if op.kind == "attend"
    }
    return len(ways) > 1


def write_classes(plan: FilePlan) -> list[Written]:
    """Every class below the model, those first that others use."""
    levels: dict[int, list[Scope]] = {}
    for scope in plan.graph.scopes.values():
        if scope.role in ("module", "block", "stack") and plan.ops(scope.path):
            levels.setdefault(depth(scope), []).append(scope)
    found: list[Written] = []
    for level in sorted(levels, reverse=True):
        classes = share(plan, [write_class(plan, scope) for scope in levels[level]])
        found += name_classes(plan, classes, found)
    return found


def depth(scope: Scope) -> int:
    return scope.path.count(".") + bool(scope.path)


def share(plan: FilePlan, classes: list[Written]) -> list[Written]:
    """Modules that keep no cache take the class of those that do, where nothing else differs.

    Such a class may be called without a cache, and without a word on who makes the causal mask.
    """
    modules = [c for c in classes if c.scope.role != "stack"]
    full = [c for c in modules if _keeps(plan, c.scope)]
    bare = [c for c in modules if not _keeps(plan, c.scope)]
    nouns = {c.noun for c in bare}
    plain = plan.as_plain()
    twins: dict[int, Written] = {}  # id of a class -> the one that it becomes
    for one in full:
        if one.noun not in nouns:
            continue
        without = write_class(plain, one.scope)
        alike = [c for c in bare if c.noun == one.noun and c.same_as(without)]
        if alike:
            plan.lenient.add(one.scope.path)
            lenient = write_class(plan, one.scope)
            twins |= {id(c): replace(lenient, scope=c.scope) for c in alike}
            twins[id(one)] = lenient
    return [twins.get(id(c), c) for c in classes]


def _keeps(plan: FilePlan, scope: Scope) -> bool:
    """Does it keep a cache, or is it told when the kernel masks?"""
    if plan.layer_by_call(scope.path):
        return False
    return plan.uses_cache(scope.path) or plan.told_causal(scope.path)


def name_classes(plan: FilePlan, classes: list[Written], others: list[Written]) -> list[Written]:
    """Give classes of one noun names: one name where they are alike, told apart where not.

    Returns the classes to write, each once, for the ops of all that are alike.
    """
    by_noun: dict[str, list[Written]] = {}
    for one in classes:
        by_noun.setdefault(one.noun, []).append(one)
    written: list[Written] = []
    for noun, group in by_noun.items():
        taken = {other.name for other in others if other.noun != noun}
        names, firsts = _names(plan, noun, group, taken | {w.name for w in written})
        for name, one in zip(names, group, strict=True):
            plan.class_names[one.scope.path] = name
        for name, first in firsts.items():
            first.name = name
            written.append(first)
    return written


def _names(
    plan: FilePlan, noun: str, group: list[Written], taken: set[str]
) -> tuple[list[str], dict[str, Written]]:
    """The name of each class of a group, and the class that is written under each name."""
    for prefix in PREFIXES:
        names = [prefix(plan.graph, one.scope) + noun for one in group]
        if taken.intersection(names):
            continue
        firsts: dict[str, Written] = {}
        for name, one in zip(names, group, strict=True):
            first = firsts.setdefault(name, one)
            if first is not one:
                if not first.same_as(one):
                    break
                firsts[name] = replace(first, body=union(first.body, one.body))
        else:
            return names, firsts
    raise AssertionError(f"two classes {noun} cannot be told apart")


def _stack_prefix(graph: ModuleGraph, scope: Scope) -> str:
    return camel_case(scope.stack)


def _kind_prefix(graph: ModuleGraph, scope: Scope) -> str:
    block = graph.block_of(scope.path)
    return camel_case(block.name) if block is not None and block is not scope else ""


PREFIXES: tuple[Callable[[ModuleGraph, Scope], str], ...] = (
    lambda graph, scope: "",
    _stack_prefix,
    _kind_prefix,
    lambda graph, scope: _stack_prefix(graph, scope) + _kind_prefix(graph, scope),
    lambda graph, scope: camel_case(scope.name),
)

# -- bases


TITLE = "The weights that attention and cross-attention both have."


def with_bases(classes: list[Written]) -> list[Class]:
    """The classes to write, and before those that are made alike the class that makes them.

    Attentions that hold the same weights and differ in what they do get them from one base.
    """
    groups: list[list[Written]] = []
    for one in classes:
        if one.noun.endswith("Attention") and one.scope.role == "module":
            same = next((g for g in groups if _made_by(g[0]) == _made_by(one)), None)
            groups.append([one]) if same is None else same.append(one)
    groups = [group for group in groups if len(group) > 1]
    bases = {id(one): base_of(group, len(groups)) for group in groups for one in group}
    firsts = {id(group[0]) for group in groups}
    found: list[Class] = []
    for one in classes:
        base = bases.get(id(one))
        if base is None:
            found.append(one.tree())
            continue
        if id(one) in firsts:
            found.append(base)
        found.append(Class(one.name, (Name(base.name),), one.body[1:], one.doc))
    return found


def _made_by(one: Written) -> tuple[Statement, ...]:
    """Its constructor, whether the layer may be left out or not."""
    made = one.body[0]
    assert isinstance(made, Function)
    names = tuple(Parameter(p.name, p.annotation) for p in made.parameters)
    return (replace(made, parameters=names),)


def base_of(group: list[Written], groups: int) -> Class:
    """The class that makes what these hold; of several, each is called after its first."""
    lenient = [one for one in group if any(p.default for p in one.constructor.parameters)]
    made = (lenient or group)[0].body[0]
    name = "Projections" if groups == 1 else f"{group[0].name}Projections"
    return Class(name, (MODULE,), (made,), TITLE)
