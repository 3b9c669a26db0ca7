"""Rule 2 of the language: outer levels are defaults of inner ones.

Converts the tree of a document to the tree of a `ModelSpec`: families become stacks, outer levels
are merged into inner ones, defaults such as `activation` are passed to components, and patterns
become the order of layers. Each value keeps its location.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from .errors import SpecErrors
from .layers import OrderNode, layer_order
from .merge import Reading, expand, has_type, leaves, merge, only, type_of, without_removed
from .model import BLOCK_KEYS, ONLY_MODEL
from .part import BROKEN, COMPONENTS, NOTHING, Part
from .shadowed import report_shadowed
from .source import Node, from_data
from .surface import INWARD, MOST_STACKS, surface

DEFAULTS: dict[str, Any] = {
    "norm": "layernorm",
    "norm_placement": "pre",
    "activation": "gelu",
    "bias": True,
    "dropout": 0,
}
"""Keys that inner levels inherit, with their defaults."""
WORDS = (*DEFAULTS, "vocab_size", "mask", "positions")
Words = dict[str, Node]


def resolve(tree: Node, path: Path, reading: Reading) -> Node:
    """The tree of a document -> the tree of a ModelSpec."""
    tree = without_removed(tree, "model")
    model = {k: v for k, v in tree.items() if k in ONLY_MODEL or k not in INWARD}
    open_stacks = surface(tree, path, reading)
    if reading.incomplete:
        raise SpecErrors(reading.problems)
    stacks = {name: resolve_stack(stack, reading) for name, stack in open_stacks.items()}
    for key in ("stacks", "encoder", "decoder"):
        model.pop(key, None)
    place = tree.get("stacks") or tree.get("family") or tree
    model["stacks"] = Node(stacks, place.mark, place.key_mark)
    _resolve_heads(tree, model, stacks, reading)
    if "init" in model:
        model["init"] = expand("init", model["init"])
    if "tokens" in model and isinstance(model["tokens"].value, dict):
        model["tokens"] = without_removed(model["tokens"], "add")
    _settle_ties(stacks)
    if not reading.problems:
        report_shadowed(tree, open_stacks, model, reading)
    return Node(model, tree.mark, tree.key_mark)


def defaulted(value: object, place: Node) -> Node:
    """A default value, with the location where it would be written."""
    return from_data(value, replace(place.at, why="default"))


def resolve_stack(stack: Node, reading: Reading) -> Node:
    """Resolve a merged stack into its input, blocks and order of layers."""
    items: Words = {key: expand(key, node) for key, node in stack.items()}
    for key, value in DEFAULTS.items():
        items.setdefault(key, expand(key, defaulted(value, stack)))
    own = {
        k: v
        for k, v in items.items()
        if k not in BLOCK_KEYS and k not in ("pattern", "overrides", "blocks")
    }
    words = {w: items[w] for w in ("norm", "activation", "bias", "dropout")}
    own |= words
    reach = words | ({"vocab_size": items["vocab_size"]} if "vocab_size" in items else {})
    if "positions" in items:
        own["positions"] = _listed("positions", items["positions"], {})
    if "condition" in items:
        own["condition"] = push("condition", items["condition"], {})
    own["input"] = _listed("input", items.get("input") or defaulted({}, stack), reach)
    _settle_streams(own, items, reach, reading)
    base = only(Node(items, stack.mark, stack.key_mark), BLOCK_KEYS)
    order = layer_order(stack, base, reading)
    blocks: Words = {}
    for name, node in order.blocks.items():
        blocks[name] = resolve_block(node, reading)
        reading.count_values(blocks[name], stack)
    named = stack.get("blocks")
    own["blocks"] = Node(blocks, (named or stack).mark, (named or stack).key_mark)
    nodes = [Node(name, stack.mark) for name in blocks]  # shared by all layers of a block
    may_end = tuple(blocks)
    if "final_norm" not in own:
        ends = {name: _ends_normed(node, items["norm"]) for name, node in blocks.items()}
        ends[""] = _ends_normed(Node(items, stack.mark), items["norm"])
        normed = ends[order.names[-1] if order.layers else ""]
        own["final_norm"] = defaulted(normed, stack)
        may_end = tuple(name for name in may_end if ends[name] == normed)
    layers = [nodes[i] for i in order.layers]
    own["order"] = OrderNode(layers, stack.mark, stack.key_mark, order.recorder.rule(may_end))
    for key, node in own.items():
        if key not in ("blocks", "order"):
            reading.count_values(node, stack)
    return Node(own, stack.mark, stack.key_mark)


def _ends_normed(last: Node, norm: Node) -> bool:
    """Whether a stack with this last block and this norm has a final norm by default."""
    placement = last.get("norm_placement")
    if has_type("norm", norm, "none"):
        return False
    return placement is None or not placement.is_word("post")


def _settle_streams(own: Words, items: Words, reach: Words, reading: Reading) -> None:
    """With several streams, the inputs of the stack are theirs, and its width is that of the first
    one; there is no final norm.
    """
    streams = own.get("streams")
    if streams is None or not isinstance(streams.value, dict) or not streams.value:
        return
    found: Words = {}
    for name, node in streams.items():
        if isinstance(node.value, dict) and (source := node.get("input")) is not None:
            inner = {**node.value, "input": push("input", source, reach)}
            node = Node(inner, node.mark, node.key_mark)
        found[name] = node
    own["streams"] = Node(found, streams.mark, streams.key_mark)
    parts = [node for node in found.values() if isinstance(node.value, dict)]
    inputs = [source for node in parts if (source := node.get("input")) is not None]
    if "input" in items and own["input"].plain() != [node.plain() for node in inputs]:
        reading.problem(
            items["input"], "`input` is that of a stack without `streams`, which have their own"
        )
    if inputs:
        own["input"] = Node(inputs, streams.mark, streams.key_mark)
    width = parts[0].get("d_model") if parts else None
    if "d_model" not in items and width is not None:
        own["d_model"] = width
    own.setdefault("final_norm", defaulted(False, streams))


def _settle_ties(stacks: dict[str, Node]) -> None:
    """An input tied to another stack's table has the sizes of that table by default."""
    settled: set[str] = set()
    for name in stacks:
        _settle_tie(name, stacks, settled)


def _settle_tie(name: str, stacks: dict[str, Node], settled: set[str]) -> None:
    """The ties of one stack, after those of the stack at the end of a chain of ties."""
    if name in settled:
        return
    settled.add(name)
    for node in stacks[name].value["input"].value:
        tied = node.get("tied")
        if tied is None or not isinstance(tied.value, str) or tied.value not in stacks:
            continue
        _settle_tie(tied.value, stacks, settled)
        for source in stacks[tied.value].value["input"].value:
            for key in ("vocab_size", "width"):
                value = source.get(key)
                if value is not None and has_type("input", source, "tokens"):
                    node.value.setdefault(key, value)


def _listed(key: str, node: Node, words: Words) -> Node:
    """A component or a list of components, as a list."""
    nodes = node.value if isinstance(node.value, list) else [node]
    return Node([push(key, n, words) for n in nodes], node.mark, node.key_mark)


def push(key: str, node: Node, outer: Words) -> Node:
    """Rule 2 for components: options without a default are inherited from the outer level."""
    node = expand(key, node)
    if isinstance(node.value, list):
        return Node([push(key, n, outer) for n in node.value], node.mark, node.key_mark)
    cls = COMPONENTS[key].pick({"type": type_of(key, node)}) if key in COMPONENTS else None
    if cls is None or not isinstance(node.value, dict):
        return node
    items = {k: expand(k, v) for k, v in node.items()}
    for key in _parts_of(cls):
        items.setdefault(key, expand(key, defaulted({}, node)))
    for word, wide in outer.items():
        field = cls.model_fields.get(word)
        if field is None or field.default is not None or field.is_required():
            continue
        items[word] = merge(word, wide, items[word], Reading()) if word in items else wide
    inner = {**outer, **{w: items[w] for w in outer if w in items}}
    return Node(
        {
            k: push(k, v, inner) if k in COMPONENTS and k in cls.model_fields else v
            for k, v in items.items()
        },
        node.mark,
        node.key_mark,
    )


def _parts_of(cls: type[Part]) -> list[str]:
    """Components that exist even if they are not written, such as the expert of a mixture.

    Excluded are those with a default of another type, such as the activation of a projection head.
    """
    return [
        key
        for key, field in cls.model_fields.items()
        if key in COMPONENTS
        and isinstance(field.default, Part)
        and field.default != NOTHING
        and getattr(field.default, "type", "") == COMPONENTS[key].default
    ]


def resolve_block(block: Node, reading: Reading) -> Node:
    """Fill in every branch of a merged block. Branches that `sublayers` replace are recorded."""
    if not isinstance(block.value, dict):
        return block
    items = {key: expand(key, node) for key, node in block.items()}
    words = {w: items[w] for w in DEFAULTS}
    sublayers = items["sublayers"].value if "sublayers" in items else []
    if sublayers is BROKEN or sublayers != []:
        for key in ("attention", "cross_attention", "feed_forward"):
            written = leaves(items[key]) if key in items else ()
            for leaf in [leaf for _, leaf in written if leaf.value != "none"]:
                reading.replaced.setdefault(id(leaf.mark), []).append(items["sublayers"])
            items[key] = expand(key, defaulted("none", block))
        items["sublayers"] = _sublayers(items, block, words)
    else:
        _complete_branches(items, block)
        for key in ("attention", "cross_attention", "feed_forward"):
            items[key] = push(key, items[key], words)
    if "positions" in items:
        items["positions"] = _listed("positions", items["positions"], {})
    for key in ("condition", "residual"):
        if key in items:
            items[key] = push(key, items[key], {})
    return Node(items, block.mark, block.key_mark)


def _sublayers(items: Words, block: Node, words: Words) -> Node:
    """The list of `sublayers`, each with types expanded, mask and positions."""
    node = items["sublayers"]
    if not isinstance(node.value, list):
        return node
    places = {
        "mask": items.get("mask") or defaulted("full", block),
        "positions": _listed("positions", items.get("positions") or defaulted([], block), {}),
    }
    residual = items.get("residual") or defaulted("sequential", block)
    places["residual"] = push("residual", residual, {})
    entries = [push("sublayers", entry, words | places) for entry in node.value]
    for entry in entries:
        if own := entry.get("positions"):
            entry.value["positions"] = _listed("positions", own, {})
    return Node(entries, node.mark, node.key_mark)


def _complete_branches(items: Words, block: Node) -> None:
    """The three branches of a block; cross-attention inherits options of attention."""
    written = items.get("attention")
    attention = items.setdefault("attention", defaulted({}, block))
    items.setdefault("feed_forward", defaulted({}, block))
    cross = items.setdefault("cross_attention", expand("cross_attention", defaulted("none", block)))
    if has_type("cross_attention", cross, "none") or not isinstance(cross.value, dict):
        return
    if written is None and "heads" not in cross.value:  # report a missing `heads` once
        items["cross_attention"] = expand("cross_attention", defaulted("none", block))
    elif isinstance(attention.value, dict) and not has_type("attention", attention, "none"):
        items["cross_attention"] = merge("attention", attention, cross, Reading())


def _resolve_heads(tree: Node, model: Words, stacks: dict[str, Node], reading: Reading) -> None:
    """Merge `head` and `heads`; fill in stacks, types and vocabularies."""
    head, heads = model.pop("head", None), model.pop("heads", None)
    if heads is not None and isinstance(heads.value, int):
        reading.wrong(
            heads,
            "`heads` must be a mapping from names to heads; for the number of attention heads, "
            f"write `attention: {{heads: {heads.value}}}`",
        )
        return
    if head is not None and heads is not None:
        reading.problem(
            head,
            f"`head` and `heads` ({heads.at.seen_from(head.at)}) are mutually exclusive; keep one",
        )
    if heads is None and head is not None:
        heads = Node({"head": head}, head.mark, head.key_mark)
    if heads is None:
        return
    if not isinstance(heads.value, dict):
        reading.wrong(heads, "`heads` must be a mapping from names to heads")
        return
    if len(heads.value) > MOST_STACKS:
        reading.problem(heads, f"a model has at most {MOST_STACKS} heads, not {len(heads.value):,}")
        return
    words = {
        w: expand(w, tree.value.get(w) or defaulted(DEFAULTS[w], tree))
        for w in ("norm", "activation", "dropout")
    }
    resolved: Words = {}
    for name, node in heads.items():
        node = expand("head", node)
        if not isinstance(node.value, dict):
            resolved[name] = node
            continue
        if has_type("head", node, "none") and set(node.value) <= {"type"}:
            continue
        cls = COMPONENTS["head"].pick({"type": type_of("head", node)})
        reads = cls is not None and "stack" in cls.model_fields
        if (
            reads
            and "stack" not in node.value
            and stacks
            and min(len(stacks), len(heads.value)) == 1
        ):
            last = defaulted(list(stacks)[-1], node)
            node = Node({**node.value, "stack": last}, node.mark, node.key_mark)
        resolved[name] = push("head", node, words | _vocabulary(node, stacks, tree))
    model["heads"] = Node(resolved, heads.mark, heads.key_mark)


def _vocabulary(head: Node, stacks: dict[str, Node], tree: Node) -> Words:
    """The vocab_size of the head's stack, or of the model."""
    name = head.get("stack")
    stack = stacks.get(name.value) if name and isinstance(name.value, str) else None
    found = (stack.get("vocab_size") if stack else None) or tree.get("vocab_size")
    return {} if found is None else {"vocab_size": found}
