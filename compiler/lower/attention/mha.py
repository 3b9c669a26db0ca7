"""Multi-head scaled dot-product attention: self or cross, with grouped key/value heads.

Vaswani et al. 2017, arXiv:1706.03762; multi-query: Shazeer 2019, arXiv:1911.02150; grouped-query:
Ainslie et al. 2023, arXiv:2305.13245; query/key norm: Henry et al. 2020, arXiv:2010.04245; logit
softcap: Gemma Team 2024, arXiv:2408.00118.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from ....spec.attention.mha import HeadQkNorm, Mha, PerHeadQkNorm
from ....spec.model import Block
from ....spec.part import Nothing
from ....spec.positions import Rotary
from ...axes import ONE, Dim, M
from ..builder import Builder
from ..masks import lower_global_places, lower_global_rows
from ..norm import has_norm, lower_norm
from ..positions import lower_temperatures, memory_with_positions, with_positions
from ..rotary import lower_rotary
from ..state import Memory, StackState
from .scores import attention_inputs, lower_output
from .titles import titles

APART = "_global"
"""Suffix of the separate projections of global tokens (Beltagy et al. 2020, arXiv:2004.05150)."""

HEADS = (HeadQkNorm, PerHeadQkNorm)
"""Norms over each head."""


@dataclass(frozen=True, eq=False)
class Sizes:
    heads: Dim
    kv_heads: Dim
    head: Dim
    value: Dim


def lower_mha(
    b: Builder, state: StackState, block: Block, part: Mha, x: str, memory: Memory | None
) -> str:
    sizes = _sizes(b, part, state.width)
    cross = memory is not None
    noun = "CrossAttention" if cross else "Attention"
    across = state.streams is not None and getattr(part, "axis", None) == 0
    with b.module(state.branch, noun=noun, **titles(partial(_title, state, part), cross=cross)):
        if state.streams is not None:
            state.streams.read = x
        if across:
            x = b.op("swap_streams", x, out="x")
        placed = with_positions(b, state, x)
        query = local = _query(b, part, sizes, placed)
        if memory is not None:
            keys = b.module(
                "keys_and_values", role="method", title="Keys and values of the memory."
            )
            with keys, b.as_long_as(M):
                key, value = _keys(b, part, sizes, memory_with_positions(b, state, memory)), None
                value = _values(b, part, sizes, memory.value)
                key, value = b.rename(key, "k"), b.rename(value, "v")
        else:
            key, value = _keys(b, part, sizes, placed), _values(b, part, sizes, x)
            query, key = _rotated(b, state, block, part, sizes, query, key)
            if state.cached:
                b.rename(key, "k"), b.rename(value, "v")
                key, value = b.ops("cache", key, value, out=("k", "v"))
        b.rename(query, "q"), b.rename(key, "k"), b.rename(value, "v")
        query, inputs = attention_inputs(
            b,
            state,
            block,
            part,
            (query, key),
            memory,
            kv_heads=sizes.kv_heads,
            softcap=None if part.softcap == "none" else b.field("softcap", float(part.softcap)),
            sinks=part.sinks,
            score=part.score,
            talking_heads=part.talking_heads,
            project=_of_positions(b, part, sizes),
            value=value,
        )
        y = inputs.attend(b, query, key, value)
        if part.separate_global:
            with b.beside("mask"):
                rows = lower_global_rows(b, state, block.mask)
                places = lower_global_places(b, rows)
            own = _query(b, part, sizes, b.op("take_places", placed, places), APART)
            query = b.op("put_places", local, b.rename(own, "q_global"), places, out="q")
            key, value = _keys(b, part, sizes, placed, APART), _values(b, part, sizes, x, APART)
            query, key = _rotated(b, state, block, part, sizes, query, key, APART)
            apart = inputs.attend(b, query, key, value, out="y_global")
            y = b.op("select", rows, apart, y, out="y")
        y = _gated(b, part, sizes, x, y)
        if has_norm(part, "output_norm"):
            y = lower_norm(b, part.norm, y, "output_norm")
        if part.output == "none":
            return y
        y = lower_output(b, state, y, bias=_has_bias(part, "output"))
        return b.op("swap_streams", y) if across else y


def _sizes(b: Builder, part: Mha, width: Dim) -> Sizes:
    heads = Dim("H", b.size("heads", part.heads))
    kv_heads = heads
    if part.kv_heads is not None and part.kv_heads != part.heads:
        kv_heads = Dim("K", b.size("kv_heads", part.kv_heads))
    assert width.size is not None
    assert heads.size is not None
    own = part.head_dim
    head = Dim("E", width.size // heads.size if own is None else b.size("head_dim", own))
    value = head
    if part.value_dim is not None and part.value_dim != head.size:
        value = Dim("Ev", b.size("value_dim", part.value_dim))
    return Sizes(heads, kv_heads, head, value)


def _has_bias(part: Mha, projection: str) -> bool:
    bias, projection = part.bias, projection.removesuffix(APART)
    return bool(bias) if isinstance(bias, bool) else projection in (bias or ())


def _project(
    b: Builder, part: Mha, name: str, x: str, heads: Dim, head: Dim, norm: str = ""
) -> str:
    """One projection, split into heads, (B, H, T, E)."""
    y = b.op(
        "linear",
        x,
        name=name,
        in_features=b.width(x).size,
        out_dim=heads * head,
        bias=_has_bias(part, name),
    )
    norm = norm if has_norm(part.qk_norm, "type") else ""
    late = bool(norm) and getattr(part.qk_norm, "before_clip", False)
    if not late:
        y = _clipped(b, part, y, name)
    if norm and part.qk_norm.type == "projection":
        with b.at("qk_norm"):
            y = b.rename(lower_norm(b, part.qk_norm.norm, y, norm), name[0])
    y = b.op("split_heads", y, heads=heads, width=head)
    if norm and isinstance(part.qk_norm, HEADS) and not part.qk_norm.after_positions:
        b.rename(y, name[0])
        y = _head_norm(b, part, y, heads, norm)
    return _clipped(b, part, y, name) if late else y


def _clipped(b: Builder, part: Mha, y: str, name: str) -> str:
    if part.clip_qkv == "none":
        return y
    limit = b.field("clip_qkv", float(part.clip_qkv))
    return b.op("clamp", b.rename(y, name[0]), low=limit, high=limit, out=name[0])


def _head_norm(b: Builder, part: Mha, y: str, heads: Dim, name: str) -> str:
    assert not isinstance(part.qk_norm, Nothing)
    per_head = heads if part.qk_norm.type == "per_head" else None
    with b.within("qk_norm"), b.at("qk_norm"):
        return lower_norm(b, part.qk_norm.norm, y, name, per_head=per_head)


def _query(b: Builder, part: Mha, sizes: Sizes, x: str, of: str = "") -> str:
    name = f"query{of}"
    return _compared(
        b, part, _project(b, part, name, x, sizes.heads, sizes.head, f"{name}_norm"), "q"
    )


def _keys(b: Builder, part: Mha, sizes: Sizes, x: str, of: str = "") -> str:
    name = f"key{of}"
    return _compared(
        b, part, _project(b, part, name, x, sizes.kv_heads, sizes.head, f"{name}_norm"), "k"
    )


def _compared(b: Builder, part: Mha, y: str, name: str) -> str:
    """A query or key for the score; normalised for `cosine`."""
    return b.rename(b.op("l2_normalize", y) if part.score == "cosine" else y, name)


def _values(b: Builder, part: Mha, sizes: Sizes, x: str, of: str = "") -> str:
    if part.value == "none":
        return b.op("split_heads", x, heads=ONE, width=b.width(x), out="v")
    return b.rename(_project(b, part, f"value{of}", x, sizes.kv_heads, sizes.value), "v")


def _rotated(
    b: Builder,
    state: StackState,
    block: Block,
    part: Mha,
    sizes: Sizes,
    query: str,
    key: str,
    of: str = "",
) -> tuple[str, str]:
    for index, position in enumerate(block.positions):
        if isinstance(position, Rotary):
            with b.beside("positions", index):
                cos, sin, width = lower_rotary(b, state, position, sizes.head)
                turn: dict[str, Any] = {"layout": position.layout, "width": width}
                turn["partial"] = int(width) != int(sizes.head.size or 0)
                query, key = _unnamed_norm(b, query), _unnamed_norm(b, key)
                query = b.op("rotate", query, cos, sin, out="q", **turn)
                key = b.op("rotate", key, cos, sin, out="k", **turn)
    if _is_normed_after(part):
        query = b.rename(_head_norm(b, part, query, sizes.heads, f"query{of}_norm"), "q")
        key = b.rename(_head_norm(b, part, key, sizes.kv_heads, f"key{of}_norm"), "k")
    return lower_temperatures(b, state, block, query), key


def _is_normed_after(part: Mha) -> bool:
    """Whether queries and keys are normalised after rotation."""
    rule = part.qk_norm
    return isinstance(rule, HEADS) and bool(has_norm(rule, "type")) and rule.after_positions


def _unnamed_norm(b: Builder, value: str) -> str:
    """The value; without a name if a norm computes it, so that it is inlined in the rotation."""
    op = b.graph.producer(value)
    return b.rename(value, "") if op is not None and op.kind.endswith("_norm") else value


def _gated(b: Builder, part: Mha, sizes: Sizes, x: str, y: str) -> str:
    """The concatenated heads, (B, T, H*E), gated elementwise or per head by the layer's input.

    Qiu et al. 2025, arXiv:2505.06708.
    """
    if part.output_gate == "none":
        return b.op("merge_heads", y)
    each_head = part.output_gate == "headwise"
    gate = b.op(
        "linear",
        x,
        name="output_gate",
        in_features=b.width(x).size,
        out_dim=sizes.heads if each_head else sizes.heads * b.width(y),
        bias=_has_bias(part, "output_gate"),
    )
    gate = b.op("activation", gate, function=part.gate)
    if each_head:
        gate = b.op("split_heads", gate, heads=sizes.heads, width=ONE)  # (B, H, T, 1)
        return b.op("merge_heads", b.op("multiply", y, gate, out="y"))
    return b.op("multiply", b.op("merge_heads", y), gate, out="y")


def _of_positions(b: Builder, part: Mha, sizes: Sizes) -> Callable[[str, str, bool], str]:
    """The projection of relative positions: shared with queries and keys, or separate."""

    def project(name: str, rows: str, again: bool) -> str:
        linear: dict[str, Any] = {
            "in_features": b.width(rows).size,
            "out_dim": sizes.heads * sizes.head,
            "bias": name != "position" and _has_bias(part, name.removeprefix("position_")),
        }
        if again:
            module = f"{b.graph.scopes[b.scope].weights}.{name}"
            y = b.op("linear_again", rows, name=name, module=module, **linear)
        else:
            y = b.op("linear", rows, name=name, **linear)
        return b.op("split_heads", y, heads=sizes.heads, width=sizes.head)

    return project


def _title(state: StackState, part: Mha, over: str) -> str:
    if state.streams is not None:
        over = f" along the axis {state.streams.axis(getattr(part, 'axis', 0)).label}"
    kind = f"Multi-head attention{over} (Vaswani et al. 2017, arXiv:1706.03762)"
    if part.kv_heads == 1:
        kind = f"Multi-query attention{over}: one key/value head (Shazeer 2019, arXiv:1911.02150)"
    elif part.kv_heads is not None and part.kv_heads != part.heads:
        source = "Ainslie et al. 2023, arXiv:2305.13245"
        heads = "" if _extra(state, part) else ": K key/value heads"
        kind = f"Grouped-query attention{over}{heads} ({source})"
    if part.separate_global:
        kind = f"Multi-head attention{over} (Longformer, Beltagy et al. 2020, arXiv:2004.05150)"
        return f"{kind}.\n\nGlobal tokens have separate projections."
    extra = _extra(state, part)
    return f"{kind}.\n\n{extra}" if extra else f"{kind}."


def _extra(state: StackState, part: Mha) -> str:
    """The second paragraph of the title; "" if there is none."""
    if part.talking_heads != "none":
        return "The heads are mixed (talking heads, Shazeer et al. 2020, arXiv:2003.02436)."
    if state.places:
        return "Positions are added to queries and keys (DETR, Carion et al. 2020)."
    if part.sinks == "zero":
        return "The softmax has 1 added to its denominator (softmax1, Miller 2023)."
    return ""
