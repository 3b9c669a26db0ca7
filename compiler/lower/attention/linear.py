"""Linear attention: Katharopoulos et al. 2020, arXiv:2006.16236.

A feature map replaces the softmax, so that keys and values can be summed independently of queries.
With decay it is Lightning attention (Qin et al. 2024, arXiv:2401.04658; MiniMax 2025,
arXiv:2501.08313).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from ....spec.attention import LinearAttention
from ....spec.canonical_masks import canonical
from ....spec.model import Block
from ....spec.part import Nothing
from ...axes import ONE, B, Dim, M, S, T
from ...formula import Atom
from ..builder import Builder
from ..norm import lower_norm
from ..positions import argument
from ..state import Memory, StackState
from .scores import lower_output
from .titles import titles


@dataclass(frozen=True, eq=False)
class Sizes:
    heads: Dim
    head: Dim


def lower_linear(
    b: Builder,
    state: StackState,
    block: Block,
    part: LinearAttention,
    x: str,
    memory: Memory | None,
) -> str:
    """The output of the branch, (B, T, D)."""
    heads = Dim("H", b.size("heads", part.heads))
    assert state.width.size is not None
    assert heads.size is not None
    own = part.head_dim
    head = Dim("E", state.width.size // heads.size if own is None else b.size("head_dim", own))
    sizes = Sizes(heads, head)
    noun = "LinearAttention" if memory is None else "LinearCrossAttention"
    words = titles(partial(_title, part), cross=memory is not None)
    with b.module(state.branch, noun=noun, **words):
        q = b.rename(_mapped(b, part, _project(b, part, sizes, "query", x)), "q")
        if memory is None:
            k, v = _keys_and_values(b, part, sizes, x)
            keys = S if state.cached else T
            padding = argument(b, state, "attention_mask", (B, keys))
        else:
            read = b.module(
                "keys_and_values", role="method", title="Keys and values of the memory."
            )
            with read, b.as_long_as(M):
                k, v = _keys_and_values(b, part, sizes, memory.value)
            padding = memory.attention_mask
        if padding:
            k = b.op("without_padding", k, padding, out="k")
        causal = memory is None and str(canonical(block.mask)) == "causal"
        y = _attend(b, state, part, sizes, (q, k, v), causal=causal)
        y = _gated(b, part, sizes, x, y)
        return lower_output(b, state, y, bias=bool(part.bias))


def _project(b: Builder, part: LinearAttention, sizes: Sizes, name: str, x: str) -> str:
    y = b.op(
        "linear",
        x,
        name=name,
        in_features=b.width(x).size,
        out_dim=sizes.heads * sizes.head,
        bias=bool(part.bias),
    )
    return b.op("split_heads", y, heads=sizes.heads, width=sizes.head)


FUNCTIONS = {"elu": "elu_features", "relu": "relu", "silu": "silu"}


def _mapped(b: Builder, part: LinearAttention, y: str) -> str:
    """Features of queries or keys, (B, H, T, E)."""
    if part.feature_map == "softmax":
        return b.op("softmax", y)
    if part.feature_map == "identity":
        return y
    return b.op("activation", y, function=FUNCTIONS[part.feature_map], beta=None)


def _maps_values(part: LinearAttention) -> bool:
    return part.feature_map != "identity" and part.map_values


def _keys_and_values(b: Builder, part: LinearAttention, sizes: Sizes, x: str) -> tuple[str, str]:
    k = _mapped(b, part, _project(b, part, sizes, "key", x))
    v = _project(b, part, sizes, "value", x)
    return b.rename(k, "k"), b.rename(_mapped(b, part, v) if _maps_values(part) else v, "v")


def _attend(
    b: Builder,
    state: StackState,
    part: LinearAttention,
    sizes: Sizes,
    given: tuple[str, str, str],
    *,
    causal: bool,
) -> str:
    """The attention output, (B, H, T, E)."""
    q, k, v = given
    rates = ""
    if part.decay == "lightning":
        rates = b.op(
            "decay_rates",
            shape=(sizes.heads,),
            heads=sizes.heads,
            layers=b.size("layers", state.stack.layers),
            out="rates",
        )
    if part.normalize:
        v = b.op("append_ones", v, out="v")
    y = b.op(
        "attend_linearly",
        q,
        k,
        v,
        rates,
        out="y",
        causal=causal,
        formula=Atom("causal" if causal else "full"),
        cached=state.cached and causal,
        heads=sizes.heads,
        kv_heads=sizes.heads,
    )
    return b.op("by_last", y, width=sizes.head, out="y") if part.normalize else y


def _gated(b: Builder, part: LinearAttention, sizes: Sizes, x: str, y: str) -> str:
    """The concatenated heads, normalised and gated, (B, T, H*E)."""
    each_head = part.output_gate == "headwise"
    normed = not isinstance(part.output_norm, Nothing)
    if normed or not each_head:
        y = b.op("merge_heads", y)
    if normed:
        y = lower_norm(b, part.output_norm, y, "output_norm", out="y", key="output_norm")
    if part.output_gate == "none":
        return y
    gate = b.op(
        "linear",
        x,
        name="output_gate",
        in_features=b.width(x).size,
        out_dim=sizes.heads if each_head else sizes.heads * sizes.head,
        bias=bool(part.bias),
    )
    gate = b.op("activation", gate, function="sigmoid", beta=None)
    if not each_head:
        return b.op("multiply", y, gate, out="y")
    gate = b.op("split_heads", gate, heads=sizes.heads, width=ONE)  # (B, H, T, 1)
    if normed:
        y = b.op("split_heads", y, heads=sizes.heads, width=sizes.head, out="y")
    return b.op("merge_heads", b.op("multiply", y, gate, out="y"))


def _title(part: LinearAttention, over: str) -> str:
    if part.decay == "lightning":
        source = "Qin et al. 2024, arXiv:2401.04658"
        return f"Lightning attention{over}: older tokens count less ({source})."
    return f"Linear attention{over} (Katharopoulos et al. 2020, arXiv:2006.16236)."
