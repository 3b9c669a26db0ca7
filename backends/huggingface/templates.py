"""The source of runtime classes with names filled in, and their imports."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import resources

from ..pytorch.code.read import read_block
from ..pytorch.code.show import show

WIDTH = 100
Rows = Mapping[str, Sequence[Mapping[str, str]]]
"""Placeholder of a template -> replacements, one dict for each resulting line."""


@cache
def source(file: str) -> str:
    """The source of a runtime file."""
    return resources.files(f"{__package__}.runtime").joinpath(f"{file}.py").read_text("utf-8")


def class_text(file: str, name: str, *, without: Iterable[str] = ()) -> str:
    """The source of a class of a runtime file, without some of its methods."""
    lines = source(file).splitlines()
    for node in ast.parse(source(file)).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            dropped: set[int] = set()
            for item in node.body:
                if isinstance(item, ast.FunctionDef) and item.name in without:
                    begin = min([item.lineno, *(d.lineno for d in item.decorator_list)])
                    dropped |= {*range(begin - 1, (item.end_lineno or 0) + 1)}
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            numbers = range(first - 1, node.end_lineno or 0)
            return "\n".join(lines[n] for n in numbers if n not in dropped).rstrip()
    raise KeyError(f"{file}.{name}")


def filled(text: str, rows: Rows, names: Mapping[str, str]) -> str:
    """Repeat each line that contains a placeholder of `rows` for each of its rows, then rename.

    A line with several placeholders belongs to the first.
    """
    found: list[str] = []
    for line in text.splitlines():
        words = set(re.findall(r"\w+", line))
        key = next((key for key in rows if key in words), None)
        repeated = [line] if key is None else [renamed(line, row) for row in rows[key]]
        found += [part for one in repeated for part in _fitting(renamed(one, names))]
    return "\n".join(found)


def renamed(text: str, names: Mapping[str, str]) -> str:
    """Replace whole words of the text."""
    return re.sub(r"\w+", lambda match: names.get(match[0], match[0]), text)


def used_twice(function: ast.FunctionDef) -> set[str]:
    r"""Arguments that have the name of another argument or of a variable of the function.

    >>> function = ast.parse("def f(x, y, z, x):\n    y = z").body[0]
    >>> sorted(used_twice(function))
    ['x', 'y']
    """
    names = [one.arg for one in ast.walk(function.args) if isinstance(one, ast.arg)]
    stored = {
        node.id
        for node in ast.walk(function)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    return {name for name in names if names.count(name) > 1 or name in stored}


def _fitting(line: str) -> list[str]:
    """Break a line that has become too long, as a formatter would."""
    if len(line) <= WIDTH or '"""' in line:
        return [line]
    depth, text = (len(line) - len(line.lstrip())) // 4, line.strip()
    if manager := re.fullmatch(r"(.+) as (\w+),", text):  # read as an assignment of this width
        value, name = manager.groups()
        (statement,) = read_block(f"{name}__ = {value}")
        first, *rest = (printed.text for printed in show(statement, depth))
        *lines, last = first.replace(f"{name}__ = ", "", 1), *rest
        return [*lines, f"{last} as {name},"]
    header = text.endswith(":")
    (statement,) = read_block(f"{text} pass" if header else text)
    lines = [printed.text for printed in show(statement, depth)]
    return lines[:-1] if header else lines


def imports(
    files: Iterable[str], text: str, names: Mapping[str, str], modules: Mapping[str, str]
) -> str:
    """The imports of these runtime files that the text needs, sorted as by a formatter.

    Names are renamed as in the text. `modules` maps the runtime's own modules to their names in the
    export; those that are missing are part of the text.
    """
    words = set(re.findall(r"\w+", text))
    found: dict[str, set[str]] = {}
    whole: set[str] = set()
    for file in files:
        for node in ast.parse(source(file)).body:
            if isinstance(node, ast.Import):
                whole |= {alias.name for alias in node.names if alias.name in words}
            if isinstance(node, ast.ImportFrom):
                module = node.module or ""
                if node.level and module not in modules:
                    continue
                title = f".{modules[module]}" if node.level else module
                imported = (_imported(alias, names) for alias in node.names)
                needed = {n for n in imported if n.split()[-1] in words or module == "__future__"}
                found.setdefault(title, set()).update(needed)
    blocks: dict[int, list[str]] = {}
    for module in sorted(whole):
        blocks.setdefault(_group(module), []).append(f"import {module}")
    for module in sorted(found):
        if wanted := sorted(found[module], key=_import_order):
            line = f"from {module} import {', '.join(wanted)}"
            blocks.setdefault(_group(module), []).extend(_broken_import(line))
    return "\n\n".join("\n".join(blocks[group]) for group in sorted(blocks))


def _imported(alias: ast.alias, names: Mapping[str, str]) -> str:
    """An imported name, with its alias unless it was renamed."""
    own = renamed(alias.name, names)
    return own if alias.asname is None or alias.asname in names else f"{own} as {alias.asname}"


def _import_order(name: str) -> tuple[int, str]:
    """Sort key: constants, classes, functions."""
    return (0 if name.isupper() and len(name) > 1 else 1 if name[0].isupper() else 2), name


def _group(module: str) -> int:
    if module.startswith("."):
        return 3
    top = module.split(".")[0]
    return 0 if top == "__future__" else 1 if top in sys.stdlib_module_names else 2


def _broken_import(line: str) -> list[str]:
    if len(line) <= WIDTH:
        return [line]
    head, _, names = line.partition(" import ")
    return [f"{head} import (", *(f"    {name}," for name in names.split(", ")), ")"]
