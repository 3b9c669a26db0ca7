"""Feed-forward branches.

mlp  Vaswani et al. 2017, arXiv:1706.03762
glu  gated linear units: Dauphin et al. 2016, arXiv:1612.08083; Shazeer 2020, arXiv:2002.05202
"""

from __future__ import annotations

import re
from typing import Any

from ...spec.feed_forward import Glu, GluBranch, Mlp, MlpBranch
from ..axes import Dim
from ..sizes import Size
from .builder import Builder
from .norm import lower_norm
from .state import StackState


def size_of(b: Builder, key: str, value: int | str, width: Size) -> Size:
    """A size as written: a number, or a multiple of the width (`4 * d_model`, `8/3 * d_model`)."""
    if isinstance(value, int):
        return b.size(key, value)
    match = re.fullmatch(r"(\d+)(?:/(\d+))? \* d_model", value)
    assert match is not None, value
    product: Size = int(match[1]) * width
    return product // int(match[2]) if match[2] else product


def lower_activation(b: Builder, activation: Any, x: str) -> str:
    if activation.type == "identity":
        return x
    beta = b.field("beta", activation.beta) if activation.type == "swish" else None
    return b.op("activation", x, function=activation.type, beta=beta)


def lower_feed_forward(b: Builder, state: StackState, part: MlpBranch | GluBranch, x: str) -> str:
    """The branch's result, (B, T, D)."""
    width = b.width(x)
    assert width.size is not None
    hidden = Dim("F", size_of(b, "hidden", part.hidden, width.size))
    title = f"{_title(part)}."
    noun = "FeedForward"
    with b.module("feed_forward", noun=noun, title=title):
        if isinstance(part, Glu):
            h = _gated(b, part, x, width, hidden)
        else:
            h = b.op(
                "linear",
                x,
                name="up",
                in_features=width.size,
                out_dim=hidden,
                bias=part.bias,
            )
            h = lower_activation(b, part.activation, h)
        if part.inner_norm:
            h = lower_norm(b, part.norm, h, "inner_norm")
        if part.hidden_dropout:
            rate = b.field("hidden_dropout", part.hidden_dropout)
            h = b.op("dropout", h, name="hidden_dropout", rate=rate)
        return b.op(
            "linear",
            h,
            name="down",
            in_features=hidden.size,
            out_dim=width,
            bias=part.bias,
            residual=True,
        )


def _gated(b: Builder, part: Glu, x: str, width: Dim, hidden: Dim) -> str:
    shape: dict[str, Any] = {"in_features": width.size, "out_dim": hidden, "bias": part.bias}
    gate = b.op("linear", x, name="gate", **shape)
    up = b.op("linear", x, name="up", **shape)
    if part.clamp != "none":
        limit = b.field("clamp", float(part.clamp))
        gate = b.op("clamp", gate, low=None, high=limit)
        up = b.op("clamp", up, low=limit, high=limit)
    if part.linear_offset:
        up = b.op("shift", up, amount=part.linear_offset)
    return b.op("multiply", lower_activation(b, part.activation, gate), up)


GATED = {"silu": "SwiGLU", "gelu": "GEGLU", "gelu_tanh": "GEGLU", "relu": "ReGLU"}


def _title(part: Mlp | Glu) -> str:
    name = part.activation.type  # type: ignore[union-attr]
    if isinstance(part, Glu):
        return GATED.get(name, f"Gated linear unit with {name}")
    words = {"gelu_tanh": "GELU (tanh form)", "gelu": "GELU", "relu": "ReLU", "silu": "SiLU"}
    return f"Two linear layers with {words.get(name, name)} between them"
