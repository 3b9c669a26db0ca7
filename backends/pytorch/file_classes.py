"""Choose the classes of a file: equal scopes share one; sort them in reading order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ...compiler.graph import ModuleGraph, Scope
from .arguments import sizes_between, take_arguments
from .class_names import name_classes
from .classes import Contents, Written, with_optional, write_class
from .code.nodes import Expr, Parameter
from .code.walk import change
from .memories import join_memories
from .options import BuildOptions
from .plan import FilePlan

ByParameters = dict[tuple[Parameter, ...], list[Written]]  # of `forward`


def plan_file(graph: ModuleGraph, options: BuildOptions) -> tuple[FilePlan, list[Written]]:
    """Choose the way to pass `is_causal` and inputs of layers that needs the fewest classes."""
    plan = FilePlan(graph, options)
    layers = [scope.path for scope in graph.scopes.values() if scope.role == "layers"]
    causal = (False, True) if one_causal_mask(graph) and may_merge(graph) else (False,)
    bundling = (False, True) if any(map(plan.may_bundle, layers)) else (False,)
    ways: list[tuple[FilePlan, list[Written]]] = []
    fewest, fewest_modules = fewest_classes(plan), len(plan.graph.scopes) + 1
    for given in causal:
        way = plan.written_as(causal_given=given)
        levels = levels_of(way)
        blocks = [any(scope.role == "block" for scope in level) for level in levels]
        first = (*blocks, True).index(True)
        modules = write_levels(way, levels[:first], [])
        if len(modules) >= fewest_modules:
            continue  # then blocks are not fewer either
        fewest_modules = len(modules)
        # Bundling concerns blocks and what contains them, so modules are written once.
        for bundled in bundling:
            one = way.written_as(bundling=bundled)
            classes = in_reading_order(one, write_levels(one, levels[first:], modules))
            if len(classes) <= fewest and not bundled:
                return one, classes
            ways.append((one, classes))
    return min(ways, key=lambda way: (len(way[1]), way[0].bundling))


def fewest_classes(plan: FilePlan) -> int:
    """A number of classes that no way to write a file goes below.

    Classes are never merged if they differ in their nouns or in the names of the modules in them,
    but for attention to a memory.
    """
    scopes = [
        scope for level in levels_of(plan) for scope in level if not plan.reads_memory(scope.path)
    ]
    children = {s.path: tuple(c.name for c in plan.index.children[s.path]) for s in scopes}
    return len({("" if s.role == "block" else s.noun, children[s.path]) for s in scopes})


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


def write_levels(plan: FilePlan, levels: list[list[Scope]], below: list[Written]) -> list[Written]:
    """The distinct classes of these levels, after those of the levels below."""
    found = [*below]
    for level in levels:
        classes = share(plan, [write_class(plan, scope) for scope in level])
        classes = join_memories(plan, classes)
        take_arguments(plan, classes)
        join_kinds(classes)
        found += name_classes(plan, classes, found)
    return found


def levels_of(plan: FilePlan) -> list[list[Scope]]:
    """The scopes that become classes, by nesting height."""
    scopes = {
        scope.path: scope
        for scope in plan.graph.scopes.values()
        if scope.role == "stack" or (scope.role in ("module", "block") and plan.ops(scope.path))
    }
    levels: dict[int, list[Scope]] = {}
    for path, level in heights(plan, scopes).items():
        levels.setdefault(level, []).append(scopes[path])
    return [levels[level] for level in sorted(levels)]


def heights(plan: FilePlan, scopes: dict[str, Scope]) -> dict[str, int]:
    """Nesting height of each scope; only classes of equal height can be merged."""
    within: dict[str, list[str]] = {path: [] for path in scopes}
    for path in scopes:
        around = plan.graph.scopes[path].parent
        while around is not None and around not in scopes:
            around = plan.graph.scopes[around].parent
        if around is not None:
            within[around].append(path)
    alike: dict[str, list[str]] = {}
    for path, scope in scopes.items():
        key = "." if scope.role == "block" else scope.noun
        alike.setdefault(key, []).append(path)
    level = [paths for paths in alike.values() if len(paths) > 1 and not _nested(paths)]
    found = dict.fromkeys(scopes, 0)
    for _ in scopes:
        before = dict(found)
        for path in reversed(scopes):
            for inner in within[path]:
                found[path] = max(found[path], found[inner] + 1)
        for paths in level:
            found.update(dict.fromkeys(paths, max([found[path] for path in paths])))
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
    """Sort classes: each after those that it uses, otherwise in the order of use.

    A class of blocks follows the modules of all blocks of the first stack that uses it.
    """
    by_name = {one.name: one for one in classes}
    found: dict[str, Written] = {}
    blocks = [scope for scope in plan.graph.scopes.values() if scope.role == "block"]
    last: dict[str, Scope] = {}  # of each class, in the first stack
    for block in blocks:
        before = last.setdefault(plan.class_names.get(block.path, ""), block)
        if before.parent == block.parent:
            last[plan.class_names.get(block.path, "")] = block

    for scope in inner_first(plan, plan.graph.scopes[""]):
        name = plan.class_names.get(scope.path)
        if name in by_name and (scope.role != "block" or last[name].path == scope.path):
            found.setdefault(name, by_name[name])
    return list(found.values())


def inner_first(plan: FilePlan, scope: Scope) -> Iterator[Scope]:
    """A scope and those in it, each after those that it contains."""
    for child in plan.index.children[scope.path]:
        yield from inner_first(plan, child)
    yield scope


def join_kinds(classes: list[Written]) -> None:
    """Give kinds of layers that differ only in their inputs one noun, and so one class."""
    stacks: dict[str, list[Written]] = {}
    for one in classes:
        if one.scope.role == "block":
            stacks.setdefault(one.scope.parent or "", []).append(one)
    for blocks in stacks.values():
        different: dict[Contents, list[Written]] = {}
        for block in blocks:
            alike = different.setdefault(block.contents, [])
            alike.append(block)
            block.noun = alike[0].noun
        several = [group for group in different.values() if len(group) > 1]
        if len(several) == 1:
            for block in several[0]:
                block.noun = "Block"


def share(plan: FilePlan, classes: list[Written]) -> list[Written]:
    """Let modules with fewer inputs use the class of those with more, if nothing else differs.

    The parameters `mask`, `is_causal` and `cache` of such a class are optional.
    """
    modules = [c for c in classes if c.scope.role != "stack"]
    alike: dict[tuple[str, ...], ByParameters] = {}
    for one in modules:
        named = alike.setdefault(_names(plan, one), {})
        named.setdefault(one.forward.parameters, []).append(one)
    twins: dict[int, Written] = {}  # id of a class -> the class that replaces it
    for one in sorted(modules, key=lambda c: not _keeps(plan, c.scope)):
        named = alike[_names(plan, one)]
        if id(one) not in twins and sum(map(len, named.values())) > 1:
            twins = {**_lenient(plan, one, named), **twins}
    return [twins.get(id(c), c) for c in classes]


def _lenient(plan: FilePlan, one: Written, alike: ByParameters) -> dict[int, Written]:
    """The class that replaces this one and others, by id; empty if there is none.

    alike: this class and those whose modules have the same names
    """
    path, found = one.scope.path, []
    for unmasked in (False, True):
        if not (plan.own_mask(path) if unmasked else _keeps(plan, one.scope)):
            continue
        plain = plan.as_plain(unmasked)
        parameters = plain.parameters(plain.given(path))
        fitting = [c for c in alike.get(parameters, []) if c is not one]
        if not fitting:
            continue
        without = write_class(plain, one.scope)
        fit = [(without, c, sizes_between(plan, without, c)) for c in fitting]
        fit = [twin for twin in fit if twin[2] is not None]
        if fit:
            (plan.lenient_masks if unmasked else plan.lenient).add(path)
        found += fit
    if not found:
        return {}
    if path in plan.lenient_masks and _keeps(plan, one.scope):
        plan.lenient.add(path)  # parameters after an optional one are optional
    lenient = with_optional(plan, one)
    lenient.replaced = [(without, c) for without, c, sizes in found if not sizes]
    twins = {id(c): _resized(lenient, without, c, sizes or {}) for without, c, sizes in found}
    return {id(one): lenient, **twins}


def _resized(
    lenient: Written, without: Written, other: Written, sizes: dict[Expr, Expr]
) -> Written:
    """The shared class, with the sizes of another module."""
    if not sizes:
        return replace(lenient, scope=other.scope)
    made = change(lenient.constructor, sizes)
    written = replace(without, body=change(without.body, sizes))
    body, pairs = (made, *lenient.body[1:]), [(written, other)]
    return replace(lenient, scope=other.scope, constructor=made, body=body, replaced=pairs)


def _names(plan: FilePlan, one: Written) -> tuple[str, ...]:
    """The noun of a class and the names of the modules in it, which equal classes have alike."""
    return one.noun, *(child.name for child in plan.index.children[one.scope.path])


def _keeps(plan: FilePlan, scope: Scope) -> bool:
    """Whether it has a cache or an argument `is_causal`."""
    if plan.layer_by_call(scope.path):
        return False
    return plan.uses_cache(scope.path) or plan.takes_is_causal(scope.path)
