"""Rules for source maps, checked with the text of a file and its graph.

They parse the Python text and do not use the printer: a line that calls `self.attention(…)` must
be mapped to that module, a line that creates `FeedForward(…)` to the modules of this class, etc.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from modelwright.backends.diagram.options import DrawOptions
from modelwright.backends.diagram.parts import Parts
from modelwright.backends.pytorch import Emitted
from modelwright.backends.pytorch.helpers import places
from modelwright.compiler import ModuleGraph

DEPTHS = ("stack", "block", "module", "ops")
INNER = ("layers", "method")  # scopes that belong to the class around them
NO_MODULES = {"Config", "Cache", *places()}  # the other classes of a file
Entry = dict[str, Any]


class Mapped:
    """A file, its graph and its map."""

    def __init__(self, graph: ModuleGraph, emitted: Emitted) -> None:
        self.graph = graph
        self.text = emitted.text.splitlines()
        self.entries: dict[int, Entry] = {e["line"]: e for e in emitted.source_map["lines"]}
        body = ast.parse(emitted.text).body
        self.classes = {node.name: node for node in body if isinstance(node, ast.ClassDef)}
        self.functions = {node.name: node for node in body if isinstance(node, ast.FunctionDef)}
        imports = (ast.Import, ast.ImportFrom)
        self.first = max(node.lineno for node in body if isinstance(node, imports)) + 1

    def at(self, line: int) -> Entry:
        return self.entries.get(line, {"ops": [], "scopes": [], "spec": []})

    def said(self, line: int) -> str:
        return f"{line}: {self.text[line - 1].strip()} ← {self.at(line)}"

    def names(self, line: int) -> set[Any]:
        """The ops and the scopes of a line."""
        return {*self.at(line)["ops"], *self.at(line)["scopes"]}

    @property
    def kept(self) -> set[int]:
        """The ops that store something in a cache."""
        return {op.number for op in self.graph.keepers()}

    def scopes_of(self, name: str) -> list[str]:
        """The scopes that a class is for, as its header says."""
        found: list[str] = self.at(self.classes[name].lineno)["scopes"]
        return found

    def own(self, path: str) -> set[str]:
        """A scope and those in it that have no class of their own."""
        inner = [s.path for s in self.graph.children(path) if s.role in INNER]
        return {path}.union(*map(self.own, inner))

    def children(self, path: str) -> dict[str, str]:
        """The paths of the modules that a class of this scope holds, by the names they have."""
        parts = [s for own in self.own(path) for s in self.graph.children(own)]
        found = {s.name: s.path for s in parts if s.role in ("module", "stack") and self.filled(s)}
        return found | {s.name: s.path for s in parts if s.role == "layers"}

    def ops_in(self, path: str) -> list[Any]:
        return [op for op in self.graph.ops() if op.scope == path]

    def filled(self, scope: Any) -> bool:
        return bool(self.graph.subtree(scope.path))

    def modules(self) -> Iterator[tuple[str, ast.ClassDef, list[str]]]:
        """Each class of modules, and the scopes that it is for."""
        for name, node in self.classes.items():
            if name not in NO_MODULES and self.at(node.lineno)["scopes"]:
                yield name, node, self.scopes_of(name)


def faults(graph: ModuleGraph, emitted: Emitted) -> list[str]:
    """Everything that is wrong with a map, in words."""
    read = Mapped(graph, emitted)
    return [f"{rule.__name__}: {found}" for rule in RULES for found in rule(read)]


def every_line_has_an_op_or_a_module(read: Mapped) -> Iterator[str]:
    for number, line in enumerate(read.text[read.first - 1 :], read.first):
        entry = read.at(number)
        if line and line[:8] != "# sha256" and not entry["ops"] and not entry["scopes"]:
            yield read.said(number)


def every_op_has_a_line_that_computes_it(read: Mapped) -> Iterator[str]:
    functions = [
        function
        for node in read.classes.values()
        for function in node.body
        if isinstance(function, ast.FunctionDef) and function.name != "__init__"
    ]
    lines = {n for f in functions for n in range(f.lineno, (f.end_lineno or 0) + 1)}
    found = {number for n in lines for number in read.at(n)["ops"]}
    for op in read.graph.ops():
        if op.number not in found:
            yield f"{op.number} {op.kind} `{op.name}` of `{op.scope}`"


def lines_of_a_class_are_of_its_modules(read: Mapped) -> Iterator[str]:
    kept = read.kept
    for _, node, scopes in read.modules():
        caches = {n.lineno for n in ast.walk(node) if _makes_cache(n)}
        own = set().union(*map(read.own, scopes))
        for number in range(node.lineno, (node.end_lineno or 0) + 1):
            entry = read.at(number)
            if "" not in scopes and not all(_within(path, scopes) for path in entry["scopes"]):
                yield read.said(number)
            for op in map(read.graph.op, entry["ops"]):
                called = set(entry["scopes"]) - own
                at_hand = op.scope in own or _within(op.scope, called)
                at_hand = at_hand or (number in caches and op.number in kept)
                if not at_hand and op.kind not in ("argument", "layer_input"):
                    yield f"{op.number} {op.kind} of `{op.scope}` at {read.said(number)}"


def what_self_holds_is_named(read: Mapped) -> Iterator[str]:
    """`self.attention` is of that module, `self.query` of the op that holds it.

    `self.key` may stand on several lines of a method, for tokens and for a memory: each module has
    one of them.
    """
    for _, node, scopes in read.modules():
        for method in (part for part in node.body if isinstance(part, ast.FunctionDef)):
            outer = {id(n.value) for n in ast.walk(method) if isinstance(n, ast.Attribute)}
            lines: dict[tuple[str, bool], list[int]] = {}  # of an attribute, itself read or not
            for found in ast.walk(method):
                if isinstance(found, ast.Attribute) and ast.unparse(found.value) == "self":
                    whole = id(found) not in outer  # `self.embedding.weight` is another op's
                    lines.setdefault((found.attr, whole), []).append(found.end_lineno or 0)
            for path in scopes:
                for (name, whole), numbers in lines.items():
                    yield from _unnamed(read, path, name, numbers, whole=whole)


def _unnamed(
    read: Mapped, path: str, name: str, numbers: list[int], *, whole: bool
) -> Iterator[str]:
    entries = [read.at(number) for number in numbers]
    child = read.children(path).get(name)
    if child is not None and not any(child in entry["scopes"] for entry in entries):
        yield f"no `{child}` at {read.said(numbers[0])}"
    ops = [op for own in read.own(path) for op in read.ops_in(own) if op.name == name]
    held = {op.number for op in ops if op.weights}
    if whole and held and not any(held & set(entry["ops"]) for entry in entries):
        yield f"none of {sorted(held)} at {read.said(numbers[0])}"


def what_makes_a_module_is_of_it(read: Mapped) -> Iterator[str]:
    """`FeedForward(config)` is a line of the modules of that class, and of no other one."""
    for _, node, scopes in read.modules():
        for call in ast.walk(node):
            name = getattr(getattr(call, "func", None), "id", "")
            if name not in read.classes or name in NO_MODULES:
                continue
            entry, made = read.at(call.lineno), set(read.scopes_of(name))
            roles = {path: read.graph.scopes[path].role for path in entry["scopes"]}
            if not made & set(roles):
                yield f"nothing that {name} is for at {read.said(call.lineno)}"
            calls = [n for n in ast.walk(node) if isinstance(n, ast.Call)]
            here = [getattr(n.func, "id", "") for n in calls if n.lineno == call.lineno]
            others = {p for n in here if n in read.classes for p in _of(read, n)}
            wrong = [p for p, role in roles.items() if role == "module" and p not in others]
            if [p for p in wrong if p not in scopes]:
                yield f"{wrong} at {read.said(call.lineno)}"
            held = _held(node, call.lineno)
            for path in scopes:
                children = read.children(path)
                wanted = {children[held]} if held in children else set(children.values())
                for child in wanted & made - set(roles):
                    yield f"no `{child}` at {read.said(call.lineno)}"


def _held(node: ast.AST, line: int) -> str:
    """The name in `self` that the statement at this line assigns, or ""."""
    for one in ast.walk(node):
        if isinstance(one, ast.Assign) and one.lineno <= line <= (one.end_lineno or 0):
            return getattr(one.targets[0], "attr", "")
    return ""


def _of(read: Mapped, name: str) -> list[str]:
    return [] if name in NO_MODULES else read.scopes_of(name)


def what_calls_a_helper_has_an_op(read: Mapped) -> Iterator[str]:
    for _, node, _ in read.modules():
        for function in node.body:
            if getattr(function, "name", "__init__") in ("__init__", "generate", "init_weights"):
                continue
            for call in ast.walk(function):
                called = isinstance(call, ast.Call) and getattr(call.func, "id", "")
                if called in read.functions and not read.at(call.lineno)["ops"]:
                    yield read.said(call.lineno)


def calls_within_the_model_are_of_what_they_call(read: Mapped) -> Iterator[str]:
    """`self.logits(x)` has the ops of the head, `Cache(…)` those that keep something in it."""
    model = read.classes[read.graph.class_name]
    logits = [f for f in model.body if getattr(f, "name", "") == "logits"]
    heads = {n for f in logits for n in read.names(f.lineno)}
    for node in ast.walk(model):
        name = ast.unparse(node) if isinstance(node, (ast.Name, ast.Attribute)) else ""
        if name == "self.logits" and not heads <= read.names(node.end_lineno or 0):
            yield read.said(node.end_lineno or 0)
        if _makes_cache(node) and not read.kept <= read.names(node.lineno):
            yield read.said(node.lineno)


def _makes_cache(node: Any) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "Cache"


def every_part_of_a_figure_has_a_line(read: Mapped) -> Iterator[str]:
    ops = {number for entry in read.entries.values() for number in entry["ops"]}
    scopes = {path for entry in read.entries.values() for path in entry["scopes"]}
    for depth in DEPTHS:
        parts = Parts(read.graph, DrawOptions(depth=depth))
        for part in parts.by_key.values():
            own = {op.number for op in part.ops}
            if not (own & ops or (not own and part.path in scopes)):
                yield f"{part.key} of a figure by {depth}"
        for number in ops:
            if parts.shows(read.graph.op(number)) not in parts.by_key:
                yield f"op {number} is in no part of a figure by {depth}"


def _within(path: str, scopes: Any) -> bool:
    return any(path == scope or path.startswith(f"{scope}.") for scope in scopes if scope)


RULES = (
    every_line_has_an_op_or_a_module,
    every_op_has_a_line_that_computes_it,
    lines_of_a_class_are_of_its_modules,
    what_self_holds_is_named,
    what_makes_a_module_is_of_it,
    what_calls_a_helper_has_an_op,
    calls_within_the_model_are_of_what_they_call,
    every_part_of_a_figure_has_a_line,
)
