"""Additive attention of Fastformer: Wu et al. 2021, arXiv:2108.09084."""

from __future__ import annotations

from ....spec.attention import Fastformer
from ....spec.model import Block
from ...axes import B, Dim, T
from ..builder import Builder
from ..positions import argument
from ..state import Memory, StackState
from .scores import lower_output, weights_rate

TITLE = """\
Additive attention (Fastformer, Wu et al. 2021, arXiv:2108.09084).

The keys are multiplied by one pooled query, then the values by one pooled key."""


def lower_fastformer(
    b: Builder, state: StackState, block: Block, part: Fastformer, x: str, memory: Memory | None
) -> str:
    """The output of the branch, (B, T, D)."""
    heads = Dim("H", b.size("heads", part.heads))
    assert state.width.size is not None
    assert heads.size is not None
    head = Dim("E", state.width.size // heads.size)
    with b.module(state.branch, noun="AdditiveAttention", title=TITLE):
        padding = argument(b, state, "attention_mask", (B, T))

        def project(name: str, out: str = "") -> str:
            return b.op(
                "linear",
                x,
                name=name,
                in_features=b.width(x).size,
                out_dim=heads * head,
                bias=bool(part.bias),
                out=out,
            )

        def split(y: str, out: str = "") -> str:
            return b.op("split_heads", y, heads=heads, width=head, out=out)  # (B, H, T, E)

        def pool(y: str, name: str, out: str) -> str:
            rate = weights_rate(b, part, state.branch)
            sizes = {"heads": heads, "kv_heads": heads, "width": head}
            return b.op("pool_heads", y, padding, name=name, out=out, dropout=rate, **sizes)

        query = project("query", "query")  # added to the output
        pooled_query = pool(split(query, "q"), "query_pool", "pooled_query")
        key = b.op("multiply", split(project("key")), pooled_query, out="k")
        pooled_key = pool(key, "key_pool", "pooled_key")
        value = b.op("multiply", split(project("value")), pooled_key, out="v")
        y = lower_output(b, state, b.op("merge_heads", value), bias=bool(part.bias))
        return b.op("add", y, query, out="y")
