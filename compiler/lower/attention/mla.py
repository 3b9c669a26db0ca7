"""Multi-head latent attention: DeepSeek-AI 2024, arXiv:2405.04434.

Keys and values are projected from a small latent vector per token. Keys also have a rotated part
that all heads share. A cache stores only these two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ....spec.attention import Mla
from ....spec.model import Block
from ....spec.positions import Rotary
from ...axes import ONE, Dim, M
from ..builder import Builder
from ..positions import lower_temperatures
from ..rotary import lower_rotary
from ..state import Memory, StackState
from .scores import attention_inputs, lower_output
from .titles import titles

TITLE = "Multi-head latent attention{}: k, v from one vector (DeepSeek-AI 2024, arXiv:2405.04434)."


@dataclass(frozen=True, eq=False)
class Sizes:
    heads: Dim
    still: Dim  # the part of a head that is not rotated
    turned: Dim
    head: Dim
    value: Dim
    latent: Dim


def lower_mla(
    b: Builder, state: StackState, block: Block, part: Mla, x: str, memory: Memory | None
) -> str:
    """The output of the branch, (B, T, D)."""
    sizes = _sizes(b, part)
    cross = memory is not None
    noun = "LatentCrossAttention" if cross else "LatentAttention"
    with b.module(state.branch, noun=noun, **titles(TITLE.format, cross=cross)):
        query = _query(b, part, sizes, x)
        if memory is not None:
            keys = b.module(
                "keys_and_values", role="method", title="Keys and values of the memory."
            )
            with keys, b.as_long_as(M):
                latent, shared = _latent(b, part, sizes, memory.value)
                key, value = _expanded(b, sizes, latent, shared)
        else:
            latent, shared = _latent(b, part, sizes, x)
            query, shared = _rotated(b, state, block, sizes, query, shared)
            if state.cached:
                latent, shared = b.ops("cache", latent, shared, out=("kv", "k_rope"))
            key, value = _expanded(b, sizes, latent, shared)
        query, inputs = attention_inputs(
            b, state, block, part, (query, key), memory, kv_heads=sizes.heads
        )
        y = inputs.attend(b, query, key, value)
        return lower_output(b, state, b.op("merge_heads", y), bias=bool(part.bias))


def _sizes(b: Builder, part: Mla) -> Sizes:
    still, turned = b.size("nope_dim", part.nope_dim), b.size("rope_dim", part.rope_dim)
    return Sizes(
        heads=Dim("H", b.size("heads", part.heads)),
        still=Dim("En", still),
        turned=Dim("Er", turned),
        head=Dim("E", still + turned),
        value=Dim("Ev", b.size("value_dim", part.value_dim)),
        latent=Dim("L", b.size("kv_rank", part.kv_rank)),
    )


def _linear(b: Builder, name: str, x: str, out: Dim, *, bias: bool | None = False) -> str:
    return b.op("linear", x, name=name, in_features=b.width(x).size, out_dim=out, bias=bool(bias))


def _norm(b: Builder, part: Mla, x: str, name: str, out: str = "") -> str:
    with b.at("latent_eps"):
        return b.op(
            "rms_norm",
            x,
            name=name,
            out=out,
            dim=b.width(x),
            eps=b.field("latent_eps", part.latent_eps),
            affine=True,
            bias=False,
            weight_offset=0,
            per_head=None,
        )


def _query(b: Builder, part: Mla, sizes: Sizes, x: str) -> str:
    """Queries, (B, H, T, E), from the input or from a latent vector."""
    out = sizes.heads * sizes.head
    if part.query_rank is None:
        y = _linear(b, "query", x, out)
    else:
        rank = Dim("Lq", b.size("query_rank", part.query_rank))
        down = _linear(b, "query_down", x, rank, bias=part.bias)
        y = b.rename(_linear(b, "query_up", _norm(b, part, down, "query_norm"), out), "q")
    return b.op("split_heads", y, heads=sizes.heads, width=sizes.head, out="q")


def _latent(b: Builder, part: Mla, sizes: Sizes, x: str) -> tuple[str, str]:
    """The latent vector of keys and values (B, T, L), and the rotated part of keys, (B, 1, T,
    Er).
    """
    latent = _linear(b, "kv_down", x, sizes.latent, bias=part.bias)
    latent = b.rename(_norm(b, part, latent, "kv_norm"), "kv")
    shared = _linear(b, "key_rope", x, sizes.turned, bias=part.bias)
    return latent, b.op("split_heads", shared, heads=ONE, width=sizes.turned, out="k_rope")


def _rotated(
    b: Builder, state: StackState, block: Block, sizes: Sizes, query: str, shared: str
) -> tuple[str, str]:
    """Apply the rotation to the last part of each query and the shared part of the keys."""
    for index, position in enumerate(block.positions):
        if isinstance(position, Rotary):
            with b.beside("positions", index):
                cos, sin, width = lower_rotary(b, state, position, sizes.turned)
                turn: dict[str, Any] = {"layout": position.layout, "width": width, "partial": False}
                assert sizes.head.size is not None
                whole = width is sizes.turned.size
                before = sizes.still.size if whole else sizes.head.size - width
                query = b.op("rotate", query, cos, sin, out="q", end=before, **turn)
                shared = b.op("rotate", b.rename(shared, ""), cos, sin, out="k_rope", **turn)
    return lower_temperatures(b, state, block, query), shared


def _expanded(b: Builder, sizes: Sizes, latent: str, shared: str) -> tuple[str, str]:
    """Keys (B, H, S, E) and values (B, H, S, Ev) from latent vectors and shared parts."""
    still = _linear(b, "key_up", latent, sizes.heads * sizes.still)
    still = b.op("split_heads", still, heads=sizes.heads, width=sizes.still, out="k_nope")
    value = _linear(b, "value_up", latent, sizes.heads * sizes.value)
    value = b.op("split_heads", value, heads=sizes.heads, width=sizes.value, out="v")
    spread = b.op("expand_heads", shared, heads=sizes.heads)
    return b.op("concat", still, spread, out="k", dim=sizes.head), value
