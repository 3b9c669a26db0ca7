"""Laws of references between stacks: known names, no cycles, no name clashes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..condition import Pooled
from ..embedding import StackInput, Tokens
from ..errors import choices
from ..model import Block, ModelSpec, Stack
from ..names import CODE_NAMES, MODULE_NAMES, camel_case, hides_function, results_of
from .findings import Finding, Path, members, parts


@dataclass(frozen=True)
class Reference:
    """`reader` uses the output of `source`; `path` is where it is written."""

    reader: str
    source: str
    path: Path
    what: str


def references(spec: ModelSpec) -> Iterator[Reference]:
    """All references between stacks, except ties, which share weights only."""
    for name, stack in parts(spec.stacks, Stack):
        here: Path = ("stacks", name)
        for i, source in enumerate(members(stack.input)):
            if isinstance(source, StackInput):
                yield Reference(name, source.stack, (*here, "input", i, "stack"), INPUT)
        for i, embed in enumerate(members(getattr(stack.condition, "embed", ()))):
            if isinstance(embed, Pooled):
                place = (*here, "condition", "embed", i, "stack")
                yield Reference(name, embed.stack, place, CONDITION)
        for kind, block in parts(stack.blocks, Block):
            for path, reader in _readers(block):
                memory = getattr(reader, "memory", None) or getattr(reader, "stack", None)
                if isinstance(memory, str):
                    last = "memory" if hasattr(reader, "memory") else "stack"
                    place = (*here, "blocks", kind, *path, last)
                    what = WORDS.get(str(path[0]), "this part")
                    yield Reference(name, memory, place, what)


INPUT, CONDITION = "this input", "this condition"
WORDS = {"cross_attention": "cross-attention", "condition": CONDITION}


def _readers(block: Block) -> Iterator[tuple[Path, Any]]:
    yield ("cross_attention",), block.cross_attention
    for i, sublayer in enumerate(members(block.sublayers)):
        yield ("sublayers", i), sublayer
        yield ("sublayers", i, "attention"), getattr(sublayer, "attention", None)
        yield ("sublayers", i, "initial"), getattr(sublayer, "initial", None)
    for i, embed in enumerate(members(getattr(block.condition, "embed", ()))):
        yield ("condition", "embed", i), embed


def stacks_are_known(spec: ModelSpec) -> Iterator[Finding]:
    names = list(spec.stacks)
    for reference in references(spec):
        if reference.source not in names:
            yield Finding(
                reference.path,
                f"{reference.what} reads the unknown stack `{reference.source}`; "
                f"{choices(reference.source, names)}",
            )


def inputs_are_read_once(spec: ModelSpec) -> Iterator[Finding]:
    """A stack that is an input of another is not read by it in a second way."""
    found = [*references(spec)]
    for reference in found:
        if reference.what != INPUT:
            continue
        others = [
            other
            for other in found
            if (other.reader, other.source) == (reference.reader, reference.source)
            and other.path != reference.path
        ]
        read = next((other for other in others if other.what != INPUT), None)
        if read is not None:
            also = "pools" if read.what == CONDITION else "attends to"
            yield Finding(
                reference.path,
                f"the vectors of `{reference.source}` cannot be an input of this stack, which also "
                f"{also} them; keep one of the two",
            )
        elif any(other.path < reference.path for other in others):
            yield Finding(
                reference.path, f"`{reference.source}` is already an input of this stack; keep one"
            )


def no_circles(spec: ModelSpec) -> Iterator[Finding]:
    reads: dict[str, list[Reference]] = {}
    for reference in references(spec):
        reads.setdefault(reference.reader, []).append(reference)
    reported: set[frozenset[str]] = set()
    for start in reads:
        for way in _ways_back(start, reads):
            stacks = frozenset(r.reader for r in way)
            if stacks not in reported:
                reported.add(stacks)
                circle = " -> ".join([way[0].reader, *(r.source for r in way)])
                yield Finding(way[0].path, f"circular dependency between stacks: {circle}")


def _ways_back(start: str, reads: dict[str, list[Reference]]) -> Iterator[tuple[Reference, ...]]:
    """A cycle through a stack, if there is one."""
    ways: list[tuple[Reference, ...]] = [(reference,) for reference in reads[start]]
    seen: set[str] = set()
    while ways:
        way = ways.pop()
        last = way[-1].source
        if last == start:
            yield way
            return
        if last not in seen:
            seen.add(last)
            ways += [(*way, reference) for reference in reads.get(last, ())]


def ties(spec: ModelSpec) -> dict[str, tuple[str, Path]]:
    """Stacks that use the embedding of another: which one, and its path."""
    return {
        name: (source.tied, ("stacks", name, "input", i, "tied"))
        for name, stack in parts(spec.stacks, Stack)
        for i, source in enumerate(members(stack.input))
        if isinstance(source, Tokens) and source.tied != "none"
    }


def ties_end(spec: ModelSpec) -> Iterator[Finding]:
    """A chain of ties must end at a stack with its own embedding."""
    tied = ties(spec)
    for name, (source, path) in tied.items():
        chain = [name]
        while source in tied and source not in chain:
            chain.append(source)
            source = tied[source][0]
        if source == name and len(chain) > 1 and name == min(chain):
            yield Finding(path, f"circular `tied` inputs: {' -> '.join([*chain, name])}")


FAMILY_CLASSES = frozenset(["Encoder", "Decoder"])


def names_are_free(spec: ModelSpec) -> Iterator[Finding]:
    classes: dict[str, str] = {}
    taken = dict.fromkeys(MODULE_NAMES, "models have an attribute of that name")
    for source, _ in ties(spec).values():
        taken[f"{source}_token_embedding"] = "this is the name of an embedding that stacks share"
    results = results_of(spec.stacks)
    taken |= {name: f"the output of `{results[name]}` is called so" for name in results}
    taken |= dict.fromkeys(
        filter(hides_function, spec.stacks), "models call a function of that name"
    )
    for name in spec.stacks:
        class_name = camel_case(name)
        if name in taken:
            yield Finding(("stacks", name), f"a stack cannot be named `{name}`: {taken[name]}")
        elif class_name in CODE_NAMES - FAMILY_CLASSES:
            yield Finding(
                ("stacks", name),
                f"a stack cannot be named `{name}`: its class {class_name} would hide another "
                "class",
            )
        other = classes.setdefault(class_name, name)
        if other != name:
            yield Finding(
                ("stacks", name),
                f"stacks `{other}` and `{name}` would both have the class name {class_name}",
            )
    taken |= dict.fromkeys(spec.stacks, "a stack has that name")
    for name in spec.heads:
        if name in taken:
            yield Finding(("heads", name), f"a head cannot be named `{name}`: {taken[name]}")


LAWS = (stacks_are_known, inputs_are_read_once, no_circles, ties_end, names_are_free)
