"""The branches of a block, whether or not they are written as `sublayers`."""

from typing import Any

from ...spec.attention import Fastformer, LinearAttention, Pairwise
from ...spec.feed_forward import Glu, Mlp, Moe
from ...spec.model import Block
from ...spec.part import Nothing

ORDINARY = ("attention", "cross_attention", "feed_forward")


def own(block: Block, part: Any, option: str) -> Any:
    """An option of an entry of `sublayers`; where it is unset, that of the block."""
    found = getattr(part, option, None)
    return getattr(block, option) if found is None else found


def branches(block: Block) -> dict[str, Any]:
    """The branches in order, by the prefix of their weights; sublayers of one kind are numbered."""
    if not block.sublayers:
        parts = {key: getattr(block, key) for key in ORDINARY}
        return {key: part for key, part in parts.items() if not isinstance(part, Nothing)}
    kinds = [kind_of(part) for part in block.sublayers]
    found: dict[str, Any] = {}
    for kind, part in zip(kinds, block.sublayers, strict=True):
        met = sum(key.rstrip("0123456789") == kind for key in found)
        found[kind if kinds.count(kind) == 1 else f"{kind}{met + 1}"] = part
    return found


def kind_of(part: Any) -> str:
    """The key of its kind in a block, or its type."""
    if isinstance(part, (Mlp, Glu, Moe)):
        return "feed_forward"
    if isinstance(part, Pairwise | LinearAttention | Fastformer):
        return "attention" if getattr(part, "memory", None) is None else "cross_attention"
    return str(part.type)
