"""Feed-forward branches.

mlp  Vaswani et al. 2017, arXiv:1706.03762
glu  gated linear units: Dauphin et al. 2016, arXiv:1612.08083; Shazeer 2020, arXiv:2002.05202
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ...spec.feed_forward import Glu, GluBranch, Mlp, MlpBranch
from ...spec.part import Nothing
from ..axes import Dim
from ..sizes import Size
from .builder import Builder
from .norm import lower_norm
from .state import StackState

Project = Callable[[str, str], str]
"""A function that applies the linear layer `gate`, `up` or `down` to a value."""
InnerNorm = Callable[[str], str]
"""A function that normalises the hidden units."""


def size_of(b: Builder, key: str, value: int | str, width: Size, at: tuple[str, ...] = ()) -> Size:
    """A size of the spec: a number or a multiple of d_model (`4 * d_model`, `8/3 * d_model`)."""
    if isinstance(value, int):
        return b.size(key, value, at=at)
    match = re.fullmatch(r"(\d+)(?:/(\d+))? \* d_model", value)
    assert match is not None, value
    product: Size = int(match[1]) * width
    return product // int(match[2]) if match[2] else product


def lower_activation(b: Builder, activation: Any, x: str) -> str:
    if activation.type == "identity":
        return x
    with b.at("activation"):
        beta = b.field("beta", activation.beta) if activation.type == "swish" else None
        name = "activation" if activation.type == "xielu" else ""  # it has weights
        return b.op("activation", x, name=name, function=activation.type, beta=beta)


def lower_feed_forward(b: Builder, state: StackState, part: MlpBranch | GluBranch, x: str) -> str:
    """The output of the branch, (B, T, D)."""

    def normed(h: str) -> str:
        return lower_norm(b, part.norm, h, "inner_norm")

    inner = None if isinstance(part.norm, Nothing) else normed
    with b.module(state.branch, noun="FeedForward", title=f"{title_of(part)}."):
        return lower_dense(b, part, x, inner, widen=state.float32)


def lower_dense(
    b: Builder,
    part: Mlp | Glu,
    x: str,
    normed: InnerNorm | None = None,
    *,
    widen: bool = False,
    out: Dim | None = None,
    key: str = "d_ff",
) -> str:
    """An mlp or glu in the current scope.

    With `widen`, the last one of a float16 model is computed in float32. `out` is the width of the
    result, if it is not that of `x`; `key` names the inner width in the Config.
    """
    width, inside = b.width(x), out is None
    out = out or width
    hidden = hidden_of(b, part, out, key)

    def project(name: str, y: str) -> str:
        down = name == "down"
        more: dict[str, Any] = {"widen": True} if widen and down else {}
        return b.op(
            "linear",
            y,
            name=name,
            in_features=(hidden if down else width).size,
            out_dim=out if down else hidden,
            bias=has_bias(part, name),
            residual=down and inside,
            **more,
        )

    return lower_hidden(b, part, x, project, normed)


def has_bias(part: Mlp | Glu, name: str) -> bool:
    """Whether a linear layer of a feed-forward has a bias."""
    return bool(part.bias) if isinstance(part.bias, bool) else name in (part.bias or ())


def hidden_of(b: Builder, part: Mlp | Glu, width: Dim, key: str = "d_ff") -> Dim:
    assert width.size is not None
    return Dim("F", size_of(b, key, part.d_ff, width.size, at=("d_ff",)))


def lower_hidden(
    b: Builder, part: Mlp | Glu, x: str, project: Project, normed: InnerNorm | None = None
) -> str:
    """The ops between the linear layers; `project` applies a linear layer.

    normed: the norm of `inner_norm`, if there is one
    """
    if isinstance(part, Glu):
        h = _gated(b, part, x, project)
    else:
        h = lower_activation(b, part.activation, project("up", x))
    if normed is not None and part.inner_norm:
        h = normed(h)
    if part.hidden_dropout:
        rate = b.field("hidden_dropout", part.hidden_dropout)
        h = b.op("dropout", h, name="hidden_dropout", rate=rate)
    return project("down", h)


def _gated(b: Builder, part: Glu, x: str, project: Project) -> str:
    gate, up = project("gate", x), project("up", x)
    if part.clamp != "none":
        limit = b.field("clamp", float(part.clamp))
        gate = b.op("clamp", gate, low=None, high=limit)
        up = b.op("clamp", up, low=limit, high=limit)
    if part.linear_offset:
        up = b.op("shift", up, amount=part.linear_offset)
    return b.op("multiply", lower_activation(b, part.activation, gate), up)


GATED = {"silu": "SwiGLU", "gelu": "GEGLU", "gelu_tanh": "GEGLU", "relu": "ReGLU"}
NAMES = {
    "gelu_tanh": "tanh GELU",
    "gelu": "GELU",
    "quick_gelu": "quick GELU",
    "relu": "ReLU",
    "relu2": "squared ReLU",
    "silu": "SiLU",
    "swish": "Swish",
    "xielu": "xIELU",
}
SOURCES = {
    "gelu": "Hendrycks, Gimpel 2016, arXiv:1606.08415",
    "gelu_tanh": "Hendrycks, Gimpel 2016, arXiv:1606.08415",
    "quick_gelu": "Hendrycks, Gimpel 2016, arXiv:1606.08415",
    "relu": "Vaswani et al. 2017, arXiv:1706.03762",
    "silu": "Elfwing et al. 2017, arXiv:1702.03118",
    "swish": "Ramachandran et al. 2017, arXiv:1710.05941",
    "xielu": "Huang, Schlag 2024, arXiv:2411.13010",
    "relu2": "So et al. 2021, arXiv:2109.08668",
}


def title_of(part: Mlp | Glu) -> str:
    """Docstring of a feed-forward, with its source."""
    name = part.activation.type  # type: ignore[union-attr]
    if isinstance(part, Glu):
        title = GATED.get(name, f"Gated linear unit with {NAMES.get(name, name)}")
        return f"{title} (Shazeer 2020, arXiv:2002.05202)"
    source = f" ({SOURCES[name]})" if name in SOURCES else ""
    return f"Two linear layers with {NAMES.get(name, name)} between them{source}"
