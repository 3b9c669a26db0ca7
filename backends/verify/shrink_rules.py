"""Numbers of a small spec that depend on each other: heads, experts, patches, token ids.

The rule of a part returns new values of its fields. It is given what the part has already become.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ...spec.attention import Mha, Pairwise
from ...spec.branches import own
from ...spec.embedding import ConvStem, Features, Patches, StackInput
from ...spec.feed_forward import Glu, Moe, Router
from ...spec.head import ProjectionHead
from ...spec.model import Block, SpecialTokens, Stack
from ...spec.order import LayerOrder
from ...spec.part import Part
from ...spec.pool import TokenPool
from ...spec.positions import Alibi, Convolution, Rotary, Temperature
from .shrink_layers import few_layers, first_layers, short_rule
from .shrink_sizes import ranked, special_ids


@dataclass(frozen=True)
class Kept:
    """What is the same in the whole spec.

    ids: token id -> id inside the small vocabulary
    whole_order: whether each stack keeps its first layers, until each kind has occurred
    """

    ids: dict[int, int]
    whole_order: bool


def _tokens(kept: Kept, part: Part, update: dict[str, Any]) -> dict[str, Any]:
    return {name: kept.ids[value] for name, value in special_ids(part) if isinstance(value, int)}


def _stack(kept: Kept, stack: Stack, update: dict[str, Any]) -> dict[str, Any]:
    order = first_layers(stack.order) if kept.whole_order else few_layers(stack.order)
    rule = stack.order.rule
    if rule is not None and not kept.whole_order:
        rule = short_rule(rule)
    return {"layers": len(order), "order": LayerOrder.of(order, rule)}


def _block(kept: Kept, block: Block, update: dict[str, Any]) -> dict[str, Any]:
    """Few heads: as many as masks and ALiBi slopes need."""
    changed: dict[str, Any] = {}
    for name in ("attention", "cross_attention"):
        part = update.get(name, getattr(block, name))
        changed[name] = _few_heads_of(block, part)
    sublayers = update.get("sublayers", block.sublayers)
    changed["sublayers"] = tuple(_few_heads_of(block, part) for part in sublayers)
    return changed


def _few_heads_of(block: Block, part: Any) -> Any:
    """An attention with few heads; other parts as they are."""
    if not isinstance(part, Pairwise):
        return part
    mask, positions = own(block, part, "mask"), own(block, part, "positions")
    runs = len(mask) if isinstance(mask, tuple) else 1
    sloped = any(isinstance(position, Alibi) for position in positions)
    kv_heads = getattr(part, "kv_heads", None)
    return part.model_copy(update=few_heads(part.heads, kv_heads, runs=runs, sloped=sloped))


def few_heads(heads: int, kv_heads: int | None, *, runs: int, sloped: bool) -> dict[str, int]:
    """Numbers of heads and key-value heads; grouped if they were.

    >>> few_heads(32, 8, runs=1, sloped=False)
    {'heads': 4, 'kv_heads': 2}
    >>> few_heads(12, None, runs=1, sloped=True)
    {'heads': 6}
    """
    odd = sloped and heads & (heads - 1) != 0
    if heads <= (6 if odd else 4):
        return {"heads": heads}
    if kv_heads is None or kv_heads == heads:
        few = 6 if odd else 4
        few = few if few % runs == 0 else 2 * runs
        return {"heads": few} if kv_heads is None else {"heads": few, "kv_heads": few}
    keys = min(kv_heads, 2)
    keys = keys if keys % runs == 0 else runs
    group = min(heads // kv_heads, 3 if odd else 2)
    if keys * group < 4 and heads // kv_heads >= 4:
        group = 6 if odd else 4
    return {"heads": keys * group, "kv_heads": keys}


def _moe(kept: Kept, part: Moe, update: dict[str, Any]) -> dict[str, Any]:
    """Few experts: at least two per group, some chosen and some not."""
    groups = part.router.groups
    experts = min(part.experts, 8)
    top_k = part.top_k if experts == part.experts else min(part.top_k, 2)
    if groups is None:
        return {"experts": experts, "top_k": top_k}
    count = min(groups.count, 4)
    chosen = count if groups.top_k == groups.count else min(groups.top_k, max(1, count // 2))
    members = min(part.experts // groups.count, 3 if count < 4 else 2)
    top_k = min(part.top_k, max(1, chosen * members - 1), 3)
    fewer = groups.model_copy(update={"count": count, "top_k": chosen})
    router = part.router.model_copy(update={"groups": fewer})
    return {"experts": count * members, "top_k": top_k, "router": router}


def _patches(kept: Kept, part: Patches, update: dict[str, Any]) -> dict[str, Any]:
    """Three by three or three by four patches; unused pixels at the edge and overlaps are kept.

    A video has two patches of up to two frames, and an unused frame if it had some.
    """
    if max(part.sides) <= 32 and max(part.grid) <= 8:
        return {}
    patch, old = min(part.patch_size, 6), part.steps[-2:]
    steps = [patch if step == part.patch_size else max(1, patch // 2) for step in old]
    down, across = steps if isinstance(part.stride, tuple) else [steps[0]] * 2
    uneven = any(
        (side - part.patch_size) % step for side, step in zip(part.sides, old, strict=True)
    )
    rest = 2 if uneven and min(steps) > 2 else 0
    more = 2 if part.grid[-2] == part.grid[-1] else 3
    few = min(part.tubelet_size, 2)
    left = few > 1 and part.frames is not None and part.frames % part.tubelet_size > 0
    sides = patch + 2 * down + rest, patch + more * across + rest
    square = isinstance(part.image_size, int) and isinstance(part.stride, (int, type(None)))
    return {
        "patch_size": patch,
        "image_size": sides[0] if square else sides,
        "tubelet_size": few,
        "frames": None if part.frames is None else min(part.frames, 2 * few + left),
        "stride": None if part.stride is None else down if square else (down, across),
    }


def _stem(kept: Kept, part: ConvStem, update: dict[str, Any]) -> dict[str, Any]:
    """Images of three by three or three by four tokens, with pixels that no kernel reads."""
    if part.axes == 1 or (max(part.sides) <= 32 and max(part.grid) <= 8):
        return {}
    rest = 1 if max(layer.stride for layer in part.layers) > 1 and not part.padded else 0
    more = 3 if part.grid[0] == part.grid[1] else 4
    sides = part.frames(3) + rest, part.frames(more) + rest
    return {"image_size": sides[0] if isinstance(part.image_size, int) else sides}


def _added(kept: Kept, part: Features, update: dict[str, Any]) -> dict[str, Any]:
    """Smaller tables of added ids, different ones for different numbers of entries."""
    smaller = ranked(set(part.add.values()), 9, 4)
    return {"add": {name: smaller[count] for name, count in part.add.items()}} if part.add else {}


def _hidden_layers(kept: Kept, part: ProjectionHead, update: dict[str, Any]) -> dict[str, Any]:
    """The widths of the hidden layers of a head."""
    smaller = ranked(set(part.hidden), 24, 8)
    return {"hidden": tuple(smaller[width] for width in part.hidden)} if part.hidden else {}


def _convolution(kept: Kept, part: Convolution, update: dict[str, Any]) -> dict[str, Any]:
    """A kernel shorter than the sequences, even if it was even, with groups if it had some."""
    least = 4 + part.kernel % 2
    return {"kernel": min(part.kernel, least), "groups": min(part.groups, 2)}


def _rotary(kept: Kept, part: Rotary, update: dict[str, Any]) -> dict[str, Any]:
    """Wavelengths reduced like the sequences, so that angles still differ."""
    return {"theta": round(part.theta**0.45, 2)} if part.theta >= 1000 else {}


def _temperature(kept: Kept, part: Temperature, update: dict[str, Any]) -> dict[str, Any]:
    """Step lengths reduced like the sequences."""
    return {"length": min(part.length, 3)}


def _clipped(kept: Kept, part: Mha, update: dict[str, Any]) -> dict[str, Any]:
    """A limit that small values reach."""
    return {} if isinstance(part.clip_qkv, str) else {"clip_qkv": min(part.clip_qkv, 0.8)}


def _clamped(kept: Kept, part: Glu, update: dict[str, Any]) -> dict[str, Any]:
    return {} if isinstance(part.clamp, str) else {"clamp": min(part.clamp, 0.5)}


def _router(kept: Kept, part: Router, update: dict[str, Any]) -> dict[str, Any]:
    """A jitter that includes more than one expert."""
    return {"jitter": max(part.jitter, 0.3)} if part.score == "sparsemixer" else {}


RULES: dict[type[Part], Callable[[Kept, Any, dict[str, Any]], dict[str, Any]]] = {
    SpecialTokens: _tokens,
    TokenPool: _tokens,
    StackInput: _tokens,
    Stack: _stack,
    Block: _block,
    Moe: _moe,
    Patches: _patches,
    ConvStem: _stem,
    Features: _added,
    ProjectionHead: _hidden_layers,
    Rotary: _rotary,
    Temperature: _temperature,
    Convolution: _convolution,
    Mha: _clipped,
    Glu: _clamped,
    Router: _router,
}
