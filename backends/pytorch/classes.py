"""Write scopes as classes: weights in `__init__`, ops in `forward`; equal classes are merged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from ...compiler.graph import ModuleGraph, Scope
from ...compiler.words import camel_case
from .arguments import take_arguments
from .body import enter, ids_of, write_items
from .code.layout import binding
from .code.nodes import (
    NOWHERE,
    Binary,
    Call,
    Class,
    Dot,
    Expr,
    Function,
    Name,
    Origins,
    Parameter,
    Set,
    Statement,
    also_from,
    exchanged,
    rebuilt,
    union,
    written_for,
)
from .code.read import call, constant, dotted, statements
from .items import Do, Keep, Repeat
from .layer_list import construct, layer_list
from .make import make
from .options import BuildOptions
from .plan import FilePlan
from .stacks import stack_forward
from .writer import SELF, Needs, Writer

MODULE = dotted("nn.Module")
NONE = constant(None)
INT = Name("int")


@dataclass(eq=False)
class Written:
    """A class of the file. Its name is chosen when all classes of its level are written."""

    scope: Scope
    constructor: Function
    body: tuple[Statement, ...]  # constructor and forward
    doc: str = ""
    needs: Needs = field(default_factory=Needs)
    origins: Origins = NOWHERE  # the scopes that it represents
    alike: list[Written] = field(default_factory=list)  # equal classes
    replaced: list[tuple[Written, Written]] = field(default_factory=list)  # see `whole`
    name: str = ""
    bases: tuple[Expr, ...] = (MODULE,)

    noun: str = ""  # the name before equal names are distinguished

    def __post_init__(self) -> None:
        self.noun = self.noun or self.scope.noun

    def same_as(self, other: Written) -> bool:
        """Whether both classes are equal except for their names."""
        return (self.doc, self.body) == (other.doc, other.body)

    def whole(self) -> Written:
        """The same class with the origins of all equal classes, for source maps.

        Modules without a cache may share this class. For each, `replaced` has a pair: this
        class written without a cache, and that module's equal class, to translate origins.
        """
        body, origins = self.body, self.origins
        for without, other in self.replaced:
            body = also_from(body, exchanged(without.body, other.body))
            origins |= other.origins
        for one in self.alike:
            body, origins = union(body, one.whole().body), origins | one.whole().origins
        return replace(self, body=body, origins=origins, alike=[], replaced=[])

    def tree(self) -> Class:
        return Class(self.name, self.bases, self.body, self.doc, origins=self.origins)


def write_class(plan: FilePlan, scope: Scope) -> Written:
    """Write the class of a module, block or stack, after those of its children."""
    needs = Needs()
    runs = (stack_forward if scope.role == "stack" else forward)(plan, scope, needs)
    made = constructor(plan, scope, needs)
    return Written(scope, made, (made, runs), scope.title, needs, frozenset({scope.path}))


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
        if isinstance(value, Binary):  # compute derived sizes once
            made = _computed_once(made, value, own)
    found = Function("__init__", tuple(parameters), NONE, (*body, *made))
    of_scope: Function = written_for(found, scope.path)
    return of_scope


def _computed_once(made: list[Statement], size: Expr, own: Expr) -> list[Statement]:
    """Assign parenthesised size expressions to attributes."""

    def exchange(node: Any) -> Any:
        if isinstance(node, Call) and len(node.arguments) == 1 and node.arguments[0].value == size:
            return written_for(call(node.of, own), *node.origins)
        if isinstance(node, Binary):
            left = own if node.left == size and binding(size) < binding(node) else node.left
            right = own if node.right == size and binding(size) <= binding(node) else node.right
            if left is not node.left or right is not node.right:
                return Binary(left, node.sign, right, origins=node.origins)
        return None

    return [rebuilt(statement, exchange) for statement in made]


def members(plan: FilePlan, scope: Scope, needs: Needs) -> list[Statement]:
    """The statements that create a scope's weights and modules, in order of use."""
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
            blocks = [block.path for block in plan.index.children[item.scope.path]]
            made_so = layer_list(plan, item.scope)
            found += [written_for(statement, item.scope.path, *blocks) for statement in made_so]
        elif isinstance(item, Keep):
            found += members(plan, item.scope, needs)
        else:
            made_of = Set(Dot(SELF, item.scope.name), construct(plan, item.scope))
            found.append(written_for(made_of, item.scope.path))
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
    entries = [op.number for op in plan.index.ops[scope.path] if op.kind == "layer_input"]
    found = Function("forward", parameters, Name("Tensor"), tuple(f.body))
    of_scope: Function = written_for(found, scope.path, *entries)
    return of_scope


# -- the classes of a file


def plan_file(graph: ModuleGraph, options: BuildOptions) -> tuple[FilePlan, list[Written]]:
    """Choose the way to pass `is_causal` that needs fewer classes."""
    plan = FilePlan(graph, options)
    classes = write_classes(plan)
    if not one_causal_mask(graph) or not may_merge(graph):
        return plan, classes
    told = plan.telling_causal(told=True)
    fewer = write_classes(told)
    return (told, fewer) if len(fewer) < len(classes) else (plan, classes)


def one_causal_mask(graph: ModuleGraph) -> bool:
    """Whether all layers of a causal stack have the same mask, so that one boolean suffices."""
    masks: dict[str, set[str]] = {}
    for op in graph.ops():
        if op.kind == "attend" and op.attrs["causal"]:
            masks.setdefault(graph.scopes[op.scope].stack, set()).add(op.arg("mask"))
    return bool(masks) and all(len(found) == 1 for found in masks.values())


def may_merge(graph: ModuleGraph) -> bool:
    """Whether attentions differ in causality, so that an argument could merge their classes."""
    ways = {
        (graph.scopes[op.scope].stack, op.attrs["causal"])
        for op in graph.ops()
        if op.kind == "attend"
    }
    return len(ways) > 1


def write_classes(plan: FilePlan) -> list[Written]:
    """All classes below the model; each after those that it uses."""
    scopes = {
        scope.path: scope
        for scope in plan.graph.scopes.values()
        if scope.role == "stack" or (scope.role in ("module", "block") and plan.ops(scope.path))
    }
    levels: dict[int, list[Scope]] = {}
    for path, level in heights(plan, scopes).items():
        levels.setdefault(level, []).append(scopes[path])
    found: list[Written] = []
    for level in sorted(levels):
        classes = share(plan, [write_class(plan, scope) for scope in levels[level]])
        take_arguments(plan, classes)
        join_kinds(classes)
        found += name_classes(plan, classes, found)
    return in_reading_order(plan, found)


def heights(plan: FilePlan, scopes: dict[str, Scope]) -> dict[str, int]:
    """Nesting height of each scope; only classes of equal height can be merged."""
    within: dict[str, list[str]] = {path: [] for path in scopes}
    for path in scopes:
        around = plan.graph.scopes[path].parent
        while around is not None and around not in scopes:
            around = plan.graph.scopes[around].parent
        if around is not None:
            within[around].append(path)
    found = dict.fromkeys(scopes, 0)
    for _ in scopes:
        before = dict(found)
        for path in reversed(scopes):
            found[path] = max([found[path], *(found[inner] + 1 for inner in within[path])])
        alike: dict[str, list[str]] = {}
        for path, scope in scopes.items():
            key = f"{scope.parent}." if scope.role == "block" else scope.noun
            alike.setdefault(key, []).append(path)
        for paths in alike.values():
            if not _nested(paths):
                found.update(dict.fromkeys(paths, max(found[path] for path in paths)))
        if found == before:
            break
    return found


def _nested(paths: list[str]) -> bool:
    """Whether one of these scopes contains another."""
    inner = {path.rpartition(".")[0] for path in paths}
    for path in [*inner]:
        while path := path.rpartition(".")[0]:
            inner.add(path)
    return not inner.isdisjoint(paths)


def in_reading_order(plan: FilePlan, classes: list[Written]) -> list[Written]:
    """Sort classes: each after those that it uses, otherwise in the order of use."""
    by_name = {one.name: one for one in classes}
    found: dict[str, Written] = {}

    def visit(path: str) -> None:
        for child in plan.index.children[path]:
            visit(child.path)
        name = plan.class_names.get(path)
        if name in by_name and (path in last or plan.graph.scopes[path].role != "block"):
            found.setdefault(name, by_name[name])

    last = {name: path for path, name in plan.class_names.items()}.values()
    visit("")
    return list(found.values())


def join_kinds(classes: list[Written]) -> None:
    """Give kinds of layers that differ only in their inputs one noun, and so one class."""
    stacks: dict[str, list[Written]] = {}
    for one in classes:
        if one.scope.role == "block":
            stacks.setdefault(one.scope.parent or "", []).append(one)
    for blocks in stacks.values():
        different: list[list[Written]] = []
        for block in blocks:
            alike = next((group for group in different if group[0].same_as(block)), None)
            if alike is None:
                different.append([block])
                continue
            alike.append(block)
            block.noun = alike[0].noun
        several = [group for group in different if len(group) > 1]
        if len(several) == 1:
            for block in several[0]:
                block.noun = "Block"


def share(plan: FilePlan, classes: list[Written]) -> list[Written]:
    """Let modules without a cache use the class of those with one, if nothing else differs.

    The parameters `cache` and `is_causal` of such a class are optional.
    """
    modules = [c for c in classes if c.scope.role != "stack"]
    full = [c for c in modules if _keeps(plan, c.scope)]
    bare = [c for c in modules if not _keeps(plan, c.scope)]
    nouns = {c.noun for c in bare}
    plain = plan.as_plain()
    twins: dict[int, Written] = {}  # id of a class -> the class that replaces it
    for one in full:
        if one.noun not in nouns or not any(_holds_alike(plan, one, c) for c in bare):
            continue
        without = write_class(plain, one.scope)
        alike = [c for c in bare if c.noun == one.noun and c.same_as(without)]
        if alike:
            plan.lenient.add(one.scope.path)
            lenient = write_class(plan, one.scope)
            lenient.replaced = [(without, other) for other in alike]
            twins |= {id(c): replace(lenient, scope=c.scope) for c in alike}
            twins[id(one)] = lenient
    return [twins.get(id(c), c) for c in classes]


def _holds_alike(plan: FilePlan, one: Written, other: Written) -> bool:
    """Whether two classes contain modules with the same names."""
    first, second = (plan.graph.children(each.scope.path) for each in (one, other))
    return one.noun == other.noun and [c.name for c in first] == [c.name for c in second]


def _keeps(plan: FilePlan, scope: Scope) -> bool:
    """Whether it has a cache or an argument `is_causal`."""
    if plan.layer_by_call(scope.path):
        return False
    return plan.uses_cache(scope.path) or plan.takes_is_causal(scope.path)


def name_classes(plan: FilePlan, classes: list[Written], others: list[Written]) -> list[Written]:
    """Name the classes of one noun: equal classes get one name, others are distinguished.

    Returns the distinct classes.
    """
    by_noun: dict[str, list[Written]] = {}
    for one in classes:
        by_noun.setdefault(one.noun, []).append(one)
    written: list[Written] = []
    for noun, group in by_noun.items():
        taken = {other.name for other in others}
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
    """The name of each class of a group, and the class of each name."""
    firsts: list[Written] = []  # distinct classes
    place: list[int] = []
    for one in group:
        found = next((i for i, first in enumerate(firsts) if first.same_as(one)), len(firsts))
        if found == len(firsts):
            one.alike = []
            firsts.append(one)
        elif firsts[found] is not one:
            firsts[found].alike.append(one)
        place.append(found)
    for prefix in PREFIXES:
        names = [prefix(plan.graph, first.scope) + noun for first in firsts]
        if len(set(names)) == len(names) and not taken.intersection(names):
            return [names[i] for i in place], dict(zip(names, firsts, strict=True))
    raise AssertionError(f"two classes {noun} cannot be distinguished")


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
    lambda graph, scope: _stack_prefix(graph, scope) + camel_case(scope.name),
)


# -- bases


TITLE = "Projections of `Attention` and of `CrossAttention`, each with weights of its own."


def with_bases(classes: list[Written], *, whole: bool = False) -> list[Class]:
    """The classes to write. Attentions with equal constructors get a common base class.

    They have the same weights and differ in `forward`. `whole` of the base class has the origins of
    all of them.
    """
    alike: dict[Function, list[Written]] = {}
    for one in classes:
        if one.noun.endswith("Attention") and one.scope.role == "module":
            alike.setdefault(_made_by(one), []).append(one)
    groups = [group for group in alike.values() if len(group) > 1]
    bases = {id(one): base_of(group, len(groups), whole=whole) for group in groups for one in group}
    firsts = {id(group[0]) for group in groups}
    found: list[Class] = []
    for one in classes:
        base = bases.get(id(one))
        if base is None:
            found.append(one.tree())
            continue
        if id(one) in firsts:
            found.append(base)
        rest = Class(one.name, (Name(base.name),), one.body[1:], one.doc, origins=one.origins)
        found.append(rest)
    return found


def _made_by(one: Written) -> Function:
    """The constructor, with or without the layer argument."""
    made = one.body[0]
    assert isinstance(made, Function)
    names = tuple(Parameter(p.name, p.annotation) for p in made.parameters)
    return replace(made, parameters=names)


def base_of(group: list[Written], groups: int, *, whole: bool) -> Class:
    """The base class of a group: `Projections`, with a prefix if there are several."""
    lenient = [one for one in group if any(p.default for p in one.constructor.parameters)]
    made = (lenient or group)[0].body[0]
    name = "Projections" if groups == 1 else f"{group[0].name}Projections"
    for one in group if whole else ():
        made = union(made, one.body[0])
    origins = NOWHERE.union(*[one.origins for one in group])
    return Class(name, (MODULE,), (made,), TITLE, origins=origins)
