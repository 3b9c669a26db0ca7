"""The runtime's functions as text: found by name, with what they call, in reading order."""

from __future__ import annotations

import ast
import re
from functools import cache
from importlib import resources

FILES = (
    "linear",
    "joined",
    "positions",
    "norms",
    "functions",
    "experts",
    "sampling",
    "generate",
)


@cache
def definitions(file: str) -> dict[str, str]:
    """Every top-level class and function of a runtime file, as it stands there."""
    text = resources.files(f"{__package__}.runtime").joinpath(f"{file}.py").read_text()
    found, lines = {}, text.splitlines()
    for node in ast.parse(text).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            found[node.name] = "\n".join(lines[first - 1 : node.end_lineno])
    return found


def method(file: str, owner: str, name: str) -> str:
    """The text of one method of a runtime class, indented as it stands."""
    text = resources.files(f"{__package__}.runtime").joinpath(f"{file}.py").read_text()
    for node in ast.parse(text).body:
        if isinstance(node, ast.ClassDef) and node.name == owner:
            for item in node.body:
                if isinstance(item, ast.FunctionDef) and item.name == name:
                    first = min([item.lineno, *(d.lineno for d in item.decorator_list)])
                    lines = text.splitlines()[first - 1 : item.end_lineno]
                    return "\n".join(lines)
    raise KeyError(f"{file}.{owner}.{name}")


def collect(names: set[tuple[str, str]]) -> list[str]:
    """The texts of these (file, name) helpers and of the helpers that they call."""
    wanted = set(names)
    queue = list(names)
    while queue:
        file, name = queue.pop()
        text = definitions(file)[name]
        for other in definitions(file):
            calls = re.search(rf"\b{other}(\.apply)?\(", text)
            if calls and other != name and (file, other) not in wanted:
                wanted.add((file, other))
                queue.append((file, other))
    return [
        text for file in FILES for name, text in definitions(file).items() if (file, name) in wanted
    ]
