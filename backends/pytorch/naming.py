"""Names of classes: one name where they are alike, told apart by stack or kind where not."""

from __future__ import annotations

from dataclasses import replace

from ...compiler.graph import ModuleGraph, Scope
from ...spec.names import camel_case
from .module import write_class
from .options import BuildOptions
from .structure import ClassText, Structure


def structure_of(graph: ModuleGraph, *, options: BuildOptions) -> Structure:
    """How the classes of a file fit together: the way in which the fewest say it all."""

    def attempt(*, causal_given: bool) -> Structure:
        return Structure(graph, options=options, causal_given=causal_given)

    if one_causal_mask(graph):
        counts = [len(classes(attempt(causal_given=given))) for given in (False, True)]
        return attempt(causal_given=counts[1] < counts[0])
    return attempt(causal_given=False)


def one_causal_mask(graph: ModuleGraph) -> bool:
    """Have all layers of a stack that is causal the same mask, so that one word is true of all?"""
    masks: dict[str, set[str]] = {}
    for op in graph.ops():
        if op.kind == "attend" and op.attrs["causal"]:
            masks.setdefault(graph.scopes[op.scope].stack, set()).add(op.inputs[3])
    return bool(masks) and all(len(found) == 1 for found in masks.values())


def classes(structure: Structure) -> list[ClassText]:
    """Every class below the model, those first that others use."""
    scopes = [
        scope
        for scope in structure.graph.scopes.values()
        if scope.role in ("module", "block", "stack") and structure.graph.subtree(scope.path)
    ]
    written: list[ClassText] = []
    for level in sorted({depth(scope) for scope in scopes}, reverse=True):
        texts = share(structure, [write_class(structure, s) for s in scopes if depth(s) == level])
        for text in texts:
            structure.classes[text.scope.path] = text
        written += name_classes(structure, texts)
    return written


def share(structure: Structure, texts: list[ClassText]) -> list[ClassText]:
    """Modules that keep no cache take the class of those that do, where nothing else differs.

    Such a class may be called without a cache, and without a word on who makes the causal mask.
    """
    plain = structure.as_plain()
    fuller = {
        text.scope.path: write_class(plain, text.scope).key()
        for text in texts
        if text.scope.role != "stack"
        and (structure.uses_cache(text.scope.path) or structure.told_causal(text.scope.path))
        and not structure.layer_by_call(text.scope.path)
    }
    taken = {
        text.scope.path: text.key()
        for text in texts
        if text.scope.role != "stack" and text.scope.path not in fuller
    }
    wanted = {(t.noun, taken[t.scope.path]) for t in texts if t.scope.path in taken}
    twins: dict[tuple[str, str], ClassText] = {}
    found = []
    for text in texts:
        pair = text.noun, fuller.get(text.scope.path, "")
        if pair in wanted:
            structure.lenient.add(text.scope.path)
            text = twins[pair] = write_class(structure, text.scope)
        found.append(text)
    return [
        replace(twin, scope=text.scope)
        if (twin := twins.get((text.noun, taken.get(text.scope.path, "-")))) is not None
        else text
        for text in found
    ]


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
