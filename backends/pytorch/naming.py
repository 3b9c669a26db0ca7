"""Names of classes: one name where they are alike, told apart by stack or kind where not."""

from __future__ import annotations

from ...compiler.graph import Scope
from ...spec.names import camel_case
from .module import write_class
from .structure import ClassText, Structure


def classes(structure: Structure) -> list[ClassText]:
    """Every class below the model, those first that others use."""
    scopes = [
        scope
        for scope in structure.graph.scopes.values()
        if scope.role in ("module", "block", "stack") and structure.graph.subtree(scope.path)
    ]
    written: list[ClassText] = []
    for level in sorted({depth(scope) for scope in scopes}, reverse=True):
        texts = [write_class(structure, s) for s in scopes if depth(s) == level]
        for text in texts:
            structure.classes[text.scope.path] = text
        written += name_classes(structure, texts)
    return written


def name_classes(structure: Structure, texts: list[ClassText]) -> list[ClassText]:
    """Give classes of one noun names: one name where they are alike, told apart where not.

    Returns the classes to write, each once.
    """
    by_noun: dict[str, list[ClassText]] = {}
    for text in texts:
        by_noun.setdefault(text.noun, []).append(text)
    written: list[ClassText] = []
    for noun, group in by_noun.items():
        for prefix in PREFIXES:
            names: dict[str, str] = {}
            proposed = [prefix(structure, text.scope) + noun for text in group]
            taken = {other.name for other in structure.classes.values() if other.noun != noun}
            if not taken.intersection(proposed) and all(
                names.setdefault(n, t.key()) == t.key()
                for n, t in zip(proposed, group, strict=True)
            ):
                break
        else:
            raise AssertionError(f"two classes {noun} cannot be told apart")
        for name, text in zip(proposed, group, strict=True):
            text.name = name
            if name in names:
                del names[name]
                written.append(text)
    return written


def _nothing(structure: Structure, scope: Scope) -> str:
    return ""


def _stack_prefix(structure: Structure, scope: Scope) -> str:
    return camel_case(scope.stack)


def _kind_prefix(structure: Structure, scope: Scope) -> str:
    block = structure.graph.block_of(scope.path)
    return camel_case(block.name) if block is not None and block is not scope else ""


def _head_prefix(structure: Structure, scope: Scope) -> str:
    return camel_case(scope.name)


PREFIXES = (
    _nothing,
    _stack_prefix,
    _kind_prefix,
    lambda structure, scope: _stack_prefix(structure, scope) + _kind_prefix(structure, scope),
    _head_prefix,
)


def depth(scope: Scope) -> int:
    return scope.path.count(".") + bool(scope.path)
