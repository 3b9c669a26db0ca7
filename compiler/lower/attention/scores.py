"""Masks, biases and scale, shared by all attention variants with scores.

Sinks: OpenAI 2025, arXiv:2508.10925, after Xiao et al. 2023, arXiv:2309.17453. A sink of 0:
Miller 2023, "Attention Is Off By One". Talking heads: Shazeer et al. 2020, arXiv:2003.02436.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ....spec.model import Block
from ....spec.positions import (
    Alibi,
    Disentangled,
    RelativeBias,
    RelativeTable,
    Shaw,
    TransformerXl,
)
from ...axes import Dim
from ...formula import Atom
from ...sizes import Field, InverseRoot, Size
from ..builder import Builder
from ..masks import lower_mask, lower_memory_mask
from ..positions import lower_score_bias
from ..reads import consume
from ..relative import (
    Contents,
    lower_disentangled,
    lower_relative_keys,
    lower_relative_values,
    lower_transformer_xl,
)
from ..scale import lower_scale
from ..state import Memory, StackState
from .biases import lower_biases

FULL = Atom("full")
SCORES = ("additive", "distance")
"""Scores other than dot products (additive: Bahdanau et al. 2014, arXiv:1409.0473; distance:
Nadaraya
1964, Watson 1964)."""

Compared = tuple[str, str]
Project = Callable[[str, str, bool], str]


@dataclass(frozen=True, eq=False)
class AttentionInputs:
    """The mask, bias, sinks and options of the attend op.

    joining: mask, bias, sinks, score vector, matrices that mix the heads, vectors that are added to
        values and their places; "" if absent
    by_layer: whether scores are divided by the layer's number
    """

    joining: tuple[str, ...]
    options: dict[str, Any]
    by_layer: bool

    def attend(self, b: Builder, query: str, key: str, value: str, out: str = "y") -> str:
        """The attention output, (B, H, T, E)."""
        if self.by_layer:
            query = b.op("by_layer", query, out="q")
        return b.op("attend", query, key, value, *self.joining, out=out, **self.options)


def attention_inputs(
    b: Builder,
    state: StackState,
    block: Block,
    part: Any,
    compared: Compared,
    memory: Memory | None,
    *,
    kv_heads: Dim,
    softcap: Field | None = None,
    sinks: bool | str = False,
    score: str = "dot",
    talking_heads: str = "none",
    project: Project | None = None,
    scaled_for: Dim | None = None,
    value: str = "",
) -> tuple[str, AttentionInputs]:
    """The scaled query, and the mask, bias and options of the attend op.

    memory: source of keys and values in cross-attention, without positions and with a padding mask
    sinks: whether each head has a learned sink; `zero`: a sink with the score 0
    talking_heads: what is mixed across heads: `none`, `scores`, `weights` or `both`
    project: projection function of `Contents`, for positions whose scores depend on content
    value: the values, for positions that add to them
    scaled_for: width whose root the default scale divides by; None: that of the queries
    """
    query = compared[0]
    *_, heads, _, head = b.shape(query)
    scale = "none" if score == "additive" and part.scale is None else part.scale
    if memory is not None:
        mask, bias = lower_memory_mask(b, memory), ""
    else:
        with b.beside("mask"):
            mask = lower_mask(b, state, block.mask, heads)
        query, bias = _bias(b, state, block, scale, compared, scaled_for or head, project)
        for other in lower_biases(b, state, part, heads):
            bias = b.op("add", bias, other, out="bias") if bias else other
    options: dict[str, Any] = {
        "scale": _scale(
            b, scale, scaled_for or head, head, () if memory is not None else block.positions
        ),
        "softcap": softcap,
        "dropout": weights_rate(b, part, state.branch),
        "formula": b.graph.op(b.graph.producers[mask]).attrs["formula"] if mask else FULL,
        "heads": heads,
        "kv_heads": kv_heads,
    }
    if score in SCORES:
        options["score"] = score
    if memory is None and part.kernel != "auto":
        options["asked"] = part.kernel
    if bias and mask:
        bias, mask = b.op("masked_bias", bias, mask, out="bias"), ""
    sink = ""
    if sinks == "zero":
        sink = b.op("zero_sinks", query, heads=heads)
    elif sinks:
        sink = b.op("sinks", name="sinks", heads=heads)
    vector = ""
    if score == "additive":
        vector = b.op("score_vector", name="score", heads=heads, width=head)
    mixing = [
        b.op("head_matrix", name=f"mix_{what}", heads=heads)
        if talking_heads in (what, "both")
        else ""
        for what in ("scores", "weights")
    ]
    placed = (
        ("", "")
        if memory is not None or not value
        else lower_relative_values(b, state, block, value)
    )
    joining = (mask, bias, sink, vector, *mixing, *placed)
    return b.rename(query, "q"), AttentionInputs(joining, options, part.scale == "by_layer")


def _scale(
    b: Builder, scale: float | str | None, scaled_for: Dim, head: Dim, positions: tuple[Any, ...]
) -> Field | float | None:
    """The scale of the scores; None is that of queries of this width, 1/sqrt(head)."""
    found = lower_scale(b, scale, scaled_for, positions)
    if found is None and scaled_for is not head:
        return InverseRoot.of(1, Size.of(scaled_for.size or 0))
    return found


def _bias(
    b: Builder,
    state: StackState,
    block: Block,
    given_scale: float | str | None,
    compared: Compared,
    scaled_for: Dim,
    project: Project | None,
) -> tuple[str, str]:
    """The query, and the position bias of the scores: (H, T, S), (B, H, T, S), or ""."""
    query, key = compared
    *_, heads, _, _ = b.shape(query)
    width = Size.of(scaled_for.size or 0)
    total = ""
    scale = lower_scale(b, given_scale, scaled_for, block.positions)
    scale = InverseRoot.of(1, width) if scale is None else scale
    for index, position in enumerate(block.positions):
        with b.beside("positions", index), b.within(position.type):
            if isinstance(position, (Alibi, RelativeBias, RelativeTable)):
                bias = lower_score_bias(b, state, block, position, heads, scale)
            elif isinstance(position, Disentangled):
                assert project is not None, "refused by the laws"
                contents = Contents(query, key, heads, scale, project)
                bias = lower_disentangled(b, state, block, position, contents)
            elif isinstance(position, Shaw):
                assert project is not None, "refused by the laws"
                contents = Contents(query, key, heads, scale, project)
                bias = lower_relative_keys(b, state, position, contents)
            elif isinstance(position, TransformerXl):
                assert project is not None, "refused by the laws"
                consume(position)
                contents = Contents(query, key, heads, scale, project)
                query, bias = lower_transformer_xl(b, state, block, contents)
            else:
                continue
        total = b.op("add", total, bias, out="bias") if total else bias
    return query, total


def lower_output(b: Builder, state: StackState, y: str, *, bias: bool) -> str:
    """The output projection of an attention, (B, T, D)."""
    return b.op(
        "linear",
        y,
        name="output",
        in_features=b.width(y).size,
        out_dim=state.width,
        bias=bias,
        residual=True,
    )


def weights_rate(b: Builder, part: Any, name: str) -> Field | None:
    """Dropout rate on the attention weights, which may differ from that of the branch."""
    with b.within(name):
        return b.field("dropout", part.dropout) if part.dropout else None
