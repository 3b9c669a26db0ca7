"""Classes and functions of the runtime that files copy, and what each of them needs."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from functools import cache
from importlib import resources

from .code.nodes import Copied, Statement
from .code.read import read_definitions
from .code.scope import Names, notes_of

FILES = (
    "inputs",
    "linear",
    "recurrence",
    "joined",
    "positions",
    "pairs",
    "norms",
    "functions",
    "differences",
    "tiles",
    "flex",
    "ranges",
    "experts",
    "sampling",
    "loading",
)
"""Runtime files, in the order of their parts in an emitted file."""


ADDED: dict[str, str] = {}
"""Files of plug-ins: name -> source."""


def add_file(name: str, text: str) -> None:
    """Add functions of a plug-in, which files can copy."""
    ADDED[name] = text
    for remembered in (source, places, helper, trees):
        remembered.cache_clear()


@cache
def source(file: str) -> str:
    """The source of a runtime file, or of the functions of a plug-in."""
    if file in ADDED:
        return ADDED[file]
    return resources.files(f"{__package__}.runtime").joinpath(f"{file}.py").read_text("utf-8")


@cache
def places() -> dict[str, tuple[str, int, int]]:
    """The file, first and last line of each class and function of the runtime, in reading order."""
    found = {}
    for file in (*FILES, *ADDED):
        for node in ast.parse(source(file)).body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
                found[node.name] = file, first, node.end_lineno or first
    return found


@cache
def helper(name: str) -> Copied:
    """A class or function of the runtime, as its text, with what it reads.

    Raises UnboundNameError where it reads one of its own names before it is set.
    """
    file, first, last = places()[name]
    text = "\n".join(source(file).splitlines()[first - 1 : last])
    made = read_definitions(text)[name]
    read = Names([made])
    needs = frozenset(read.outer - {name})
    return Copied(name, text, needs, frozenset(read.fields), tuple(notes_of([made])))


def collect(names: Iterable[str]) -> list[Copied]:
    """The helpers with these names and all that they need; other names are ignored."""
    wanted: set[str] = set()
    queue = list(names)
    while queue:
        name = queue.pop()
        if name in places() and name not in wanted:
            wanted.add(name)
            queue += helper(name).needs
    return [helper(name) for name in places() if name in wanted]


@cache
def trees(file: str) -> dict[str, Statement]:
    """The trees of the top-level classes and functions of a runtime file, by name."""
    return read_definitions(source(file))
