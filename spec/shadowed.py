"""Values of outer levels that reach no layer, because every inner level says something else.

`merge` records what replaces what. A value is shadowed when no layer has it, and what replaced it
differs. Not reported are values of a file that this one extends, and those of a file that `--set`
changes: both are there to be changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .errors import Mark, shown
from .merge import Reading, leaves
from .model import BLOCK_KEYS, ONLY_MODEL
from .source import Node
from .surface import INWARD

Names = tuple[str, ...]
BRANCHES = frozenset(("attention", "cross_attention", "feed_forward"))


def report_shadowed(
    tree: Node, surface: Mapping[str, Node], resolved: Mapping[str, Node], reading: Reading
) -> None:
    """Add a problem for each value of a document that reaches no layer.

    tree: the document
    surface: its stacks with their outer levels merged
    resolved: the keys of the model, with its stacks and heads
    """
    live = set(_live(surface, resolved))
    own = {"--set" if reading.changed else tree.mark.file}
    alone = _stand_alone(tree)
    for path, node in leaves(tree):
        if id(node.mark) in live or _is_elsewhere(node.mark, own):
            continue
        replaced = reading.replaced.get(id(node.mark), [])
        name = _name(path)
        text = f"`{name}: {shown(node.value).strip('`')}` has no effect"
        others = [other for other in replaced if _is_other(node, other)]
        if any(_is_list_of_parts(other) for other in others) and BRANCHES.intersection(path):
            text += ": `sublayers` replace it; remove it"
        elif others and "overrides" in path:
            text += ": a later override replaces it; remove it"
        elif any(isinstance(other.value, dict) for other in others):
            text += ": an inner level replaces it by another type; remove it"
        elif others:
            text += f": all inner levels set their own `{name}`; remove it"
        elif alone and path[0] in INWARD - ONLY_MODEL and not replaced:
            text += ": every stack takes this from the file that it extends; write it in the stack"
        else:
            continue
        if not path[-1].isdigit() or path[-1] == "0":
            reading.problem(node.mark, text, path)
    _report_unnamed(own, reading)
    for mark, node in reading.covered.items():
        if mark not in reading.named and not _is_elsewhere(node.at, own):
            text = "this override has no effect: later ones replace it; remove it"
            reading.problem(node, text)


def _live(surface: Mapping[str, Node], resolved: Mapping[str, Node]) -> Iterator[int]:
    """The identity of the place of each value that a layer, an input, a norm or a head has."""
    for name, stack in resolved["stacks"].items():
        idle = _idle_blocks(stack, surface[name])
        for path, node in leaves(stack):
            if path[0] != "order" and (path[0] != "blocks" or path[1] not in idle):
                yield id(node.mark)
        for path, node in leaves(surface[name]):
            if path[0] not in BLOCK_KEYS and path[0] not in ("blocks", "overrides"):
                yield id(node.mark)
    for key, part in resolved.items():
        if key != "stacks":
            yield from (id(node.mark) for _, node in leaves(part))


def _idle_blocks(stack: Node, surface: Node) -> set[str]:
    """The blocks of a stack that no layer is, although there are layers enough for them."""
    used = {node.value for node in stack.value["order"].value}
    layers = surface.get("layers")
    if not used or layers is None or layers.mark.why == "--set":
        return set()
    rule = stack.value["order"].rule
    cut = rule.pattern[len(stack.value["order"].value) :] if rule else ()
    return {name for name in stack.value["blocks"].value if name not in {*used, *cut}}


def _is_elsewhere(mark: Mark, own: set[str]) -> bool:
    """Whether a value is written in an extended file; values of `--set` are not."""
    return mark.why not in ("", "--set") or (mark.why == "" and mark.file not in own)


def _is_other(node: Node, other: Node) -> bool:
    """Whether the value that replaces this one is another one, in the same document."""
    if other.mark.why == "--set" and node.mark.why != "--set":
        return False
    return bool(other.plain() != node.plain())


def _is_list_of_parts(node: Node) -> bool:
    value = node.value
    return isinstance(value, list) and any(isinstance(one.value, dict) for one in value)


def _stand_alone(tree: Node) -> bool:
    """Whether the document has stacks and all of them extend another file."""
    stacks = tree.get("stacks")
    named = [node for _, node in stacks.items()] if stacks else []
    named += [node for key in ("encoder", "decoder") if (node := tree.get(key)) is not None]
    return bool(named) and all(node.get("extends") is not None for node in named)


def _report_unnamed(own: set[str], reading: Reading) -> None:
    """Add a problem for each block that neither the pattern nor an override of a stack names."""
    for mark, (name, node, by, in_pattern) in reading.unnamed.items():
        if mark in reading.named or _is_elsewhere(node.at, own) or by.mark.why == "--set":
            continue
        if by.mark.file != node.at.file and node.at.why != "--set":
            continue
        reading.problem(
            node,
            f"block `{name}` has no effect: overrides replace it in all of its layers; remove it"
            if in_pattern
            else f"block `{name}` has no effect: neither `pattern` nor `overrides` names it; name "
            "it there, or remove it",
        )


def _name(path: Names) -> str:
    return next((name for name in reversed(path) if name != "type" and not name.isdigit()), "")
