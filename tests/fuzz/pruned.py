"""Remove options without effect from a random document, since the compiler refuses them."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelwright.compiler.lower import lower_spec
from modelwright.spec import ModelSpec, SpecErrors, load, loads
from modelwright.spec.errors import Mark
from modelwright.spec.source import Node, parse

if TYPE_CHECKING:
    from .specs import Document

IDLE = "has no effect"
ROUNDS = 12


def read_document(document: Document) -> ModelSpec:
    """The spec of a document and of the files that it extends. Raises SpecErrors."""
    if not document.files:
        return loads(document.text)
    with tempfile.TemporaryDirectory() as folder:
        for name, data in document.files.items():
            text = document.with_data(data).text
            Path(folder, name).write_text(text, encoding="utf-8")
        path = Path(folder, "main.yaml")
        path.write_text(document.text, encoding="utf-8")
        return load(path)


def pruned(document: Document) -> Document:
    """The document without what lowering refuses as having no effect."""
    document = copy.deepcopy(document)
    for _ in range(ROUNDS):
        try:
            lower_spec(read_document(document))
        except SpecErrors as error:
            idle = [problem.mark for problem in error.problems if IDLE in problem.message]
            if not [mark for mark in idle if remove(document, mark)]:
                return document
        except Exception:  # what is examined says so
            return document
        else:
            return document
    return document


def remove(document: Document, mark: Mark) -> bool:
    """Delete the value at a mark, in the file that it stands in."""
    name = Path(mark.file).name
    data = document.files.get(name, document.data)
    text = document.with_data(data).text
    tree = parse(text, name, [])
    if tree is None:
        return False
    path = next((p for p, node in nodes(tree) if is_at(node, mark)), None)
    if not path:
        return False
    if path[-1] == "type" or isinstance(path[-1], int):
        path = path[:-1] if path[-1] == "type" else path
    holder: Any = data
    for step in path[:-1]:
        holder = holder[step if isinstance(holder, list) else key_of(holder, step)]
    if isinstance(holder, list):
        del holder[int(path[-1])]
    else:
        del holder[key_of(holder, path[-1])]
    return True


def key_of(holder: dict[Any, Any], text: str | int) -> Any:
    """The key of a mapping that is written like this: a layer's number is no text."""
    return next(key for key in holder if str(key) == str(text))


def is_at(node: Node, mark: Mark) -> bool:
    """Is this the place of a value, or of the key of a mapping?"""
    places = [node.mark, node.at] if isinstance(node.value, dict) else [node.mark]
    return (mark.line, mark.column) in [(place.line, place.column) for place in places]


def nodes(node: Node, path: tuple[str | int, ...] = ()) -> Iterator[tuple[Any, Node]]:
    """Every value with its path, the innermost first."""
    if isinstance(node.value, dict):
        for key, inner in node.items():
            yield from nodes(inner, (*path, key))
    elif isinstance(node.value, list):
        for index, inner in enumerate(node.value):
            yield from nodes(inner, (*path, index))
    yield path, node
