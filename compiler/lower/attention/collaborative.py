"""Collaborative attention: Cordonnier, Loukas, Jaggi 2020, arXiv:2006.16362."""

from __future__ import annotations

from dataclasses import dataclass

from ....spec.attention import Collaborative
from ....spec.model import Block
from ...axes import ONE, Dim, M
from ..builder import Builder
from ..positions import lower_temperatures
from ..state import Memory, StackState
from .scores import attention_inputs, lower_output
from .titles import titles

TITLE = """\
Collaborative attention{} (Cordonnier et al. 2020, arXiv:2006.16362).

All heads share queries and keys; each has a mixing vector."""


@dataclass(frozen=True, eq=False)
class Sizes:
    heads: Dim
    shared: Dim
    share: Dim  # the part of the shared width that one head would have
    value: Dim


def lower_collaborative(
    b: Builder, state: StackState, block: Block, part: Collaborative, x: str, memory: Memory | None
) -> str:
    """The output of the branch, (B, T, D)."""
    sizes = _sizes(b, part, state.width)
    cross = memory is not None
    noun = "CollaborativeCrossAttention" if cross else "CollaborativeAttention"
    with b.module(state.branch, noun=noun, **titles(TITLE.format, cross=cross)):
        query = _linear(b, part, "query", x, sizes.shared)
        query = b.op(
            "mix_vectors", query, name="mixing", heads=sizes.heads, width=sizes.shared, out="q"
        )
        if memory is not None:
            keys = b.module(
                "keys_and_values", role="method", title="Keys and values of the memory."
            )
            with keys, b.as_long_as(M):
                key, value = _keys_and_values(b, part, sizes, memory.value)
        else:
            key, value = _keys_and_values(b, part, sizes, x)
            query = lower_temperatures(b, state, block, query)
            if state.cached:
                key, value = b.ops("cache", key, value, out=("k", "v"))
        key = b.op("expand_heads", key, heads=sizes.heads, out="k")
        query, inputs = attention_inputs(
            b,
            state,
            block,
            part,
            (query, key),
            memory,
            kv_heads=sizes.heads,
            scaled_for=sizes.share,
        )
        y = inputs.attend(b, query, key, value)
        return lower_output(b, state, b.op("merge_heads", y), bias=bool(part.bias))


def _sizes(b: Builder, part: Collaborative, width: Dim) -> Sizes:
    heads = b.size("heads", part.heads)
    assert width.size is not None
    shared = width.size if part.key_dim is None else b.size("key_dim", part.key_dim)
    value = width.size // heads if part.value_dim is None else b.size("value_dim", part.value_dim)
    return Sizes(Dim("H", heads), Dim("E", shared), Dim("E", shared // heads), Dim("Ev", value))


def _linear(b: Builder, part: Collaborative, name: str, x: str, out: Dim) -> str:
    return b.op(
        "linear", x, name=name, in_features=b.width(x).size, out_dim=out, bias=bool(part.bias)
    )


def _keys_and_values(b: Builder, part: Collaborative, sizes: Sizes, x: str) -> tuple[str, str]:
    """Shared keys (B, 1, S, E) and values (B, H, S, Ev)."""
    key = _linear(b, part, "key", x, sizes.shared)
    key = b.op("split_heads", key, heads=ONE, width=sizes.shared, out="k")
    value = _linear(b, part, "value", x, sizes.heads * sizes.value)
    return key, b.op("split_heads", value, heads=sizes.heads, width=sizes.value, out="v")
