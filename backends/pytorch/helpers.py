"""Classes and functions of the runtime that files copy, and what each of them needs."""

from __future__ import annotations

import ast
import symtable
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import resources

from .code.nodes import Copied, Statement
from .code.read import comments, read_definitions

FILES = (
    "inputs",
    "linear",
    "joined",
    "positions",
    "norms",
    "functions",
    "experts",
    "sampling",
    "loading",
)
"""Runtime files, in the order of their parts in an emitted file."""


@cache
def source(file: str) -> str:
    """The source of a runtime file."""
    return resources.files(f"{__package__}.runtime").joinpath(f"{file}.py").read_text("utf-8")


@cache
def library() -> dict[str, Copied]:
    """All top-level classes and functions of the runtime, by name and in order."""
    return {part.name: part for file in FILES for part in _definitions(source(file))}


def _definitions(text: str) -> Iterator[Copied]:
    lines = text.splitlines()
    scopes = {table.get_name(): table for table in _tables(text)}
    for node in ast.parse(text).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            own = "\n".join(lines[first - 1 : node.end_lineno])
            needs = _globals(scopes[node.name]) | _at_definition(node)
            others = frozenset(needs - {node.name})
            yield Copied(node.name, own, others, _config_fields(node), _notes(own, node))


def _notes(text: str, node: ast.AST) -> tuple[str, ...]:
    """Comments and docstrings of a definition."""
    documented = (ast.ClassDef, ast.FunctionDef)
    found = [ast.get_docstring(n) or "" for n in ast.walk(node) if isinstance(n, documented)]
    return (*found, *(note for note, _ in comments(text).values()))


def _tables(text: str) -> list[symtable.SymbolTable]:
    return symtable.symtable(text, "runtime", "exec").get_children()


def _globals(table: symtable.SymbolTable) -> set[str]:
    """Global names that a class or function uses, including nested functions."""
    found = {s.get_name() for s in table.get_symbols() if s.is_global() and s.is_referenced()}
    return found.union(*[_globals(child) for child in table.get_children()])


def _at_definition(node: ast.AST) -> set[str]:
    """Names in annotations, bases, decorators and defaults."""
    found: set[ast.AST] = set()
    for part in ast.walk(node):
        if isinstance(part, ast.ClassDef):
            found.update([*part.bases, *part.decorator_list])
        elif isinstance(part, ast.FunctionDef):
            found.update([*part.decorator_list, *([part.returns] if part.returns else [])])
        elif isinstance(part, (ast.arg, ast.AnnAssign)) and part.annotation is not None:
            found.add(part.annotation)
    return {name.id for part in found for name in ast.walk(part) if isinstance(name, ast.Name)}


def _config_fields(node: ast.AST) -> frozenset[str]:
    return frozenset(
        part.attr
        for part in ast.walk(node)
        if isinstance(part, ast.Attribute) and _is_config(part.value)
    )


def _is_config(node: ast.AST) -> bool:
    if isinstance(node, ast.Name):
        return node.id == "config"
    return isinstance(node, ast.Attribute) and node.attr == "config"


def collect(names: Iterable[str]) -> list[Copied]:
    """The helpers with these names and all that they need; other names are ignored."""
    wanted: set[str] = set()
    queue = list(names)
    while queue:
        name = queue.pop()
        if name in library() and name not in wanted:
            wanted.add(name)
            queue += library()[name].needs
    return [part for name, part in library().items() if name in wanted]


@cache
def trees(file: str) -> dict[str, Statement]:
    """The trees of the top-level classes and functions of a runtime file, by name."""
    return read_definitions(source(file))
