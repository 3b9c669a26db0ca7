"""A block: branches around a residual stream, with norms at these places:

pre-norm    x + branch(norm(x))                     Xiong et al. 2020, arXiv:2002.04745
post-norm   norm(x + branch(x))                     Vaswani et al. 2017, arXiv:1706.03762
sandwich    x + norm(branch(norm(x)))               Ding et al. 2021, arXiv:2105.13290
output      x + norm(branch(x))                     OLMo Team 2025, arXiv:2501.00656
parallel    x + attention(norm(x)) + feed_forward(norm(x))   Wang, Komatsuzaki 2021 (GPT-J)
DeepNorm    norm(alpha * x + branch(x))             Wang et al. 2022, arXiv:2203.00555
layer scale x + vector * branch(norm(x))            Touvron et al. 2021, arXiv:2103.17239
ReZero      x + number * branch(x)                  Bachlechner et al. 2020, arXiv:2003.04887
gates       x + gate(x) * branch(x)                 Parisotto et al. 2019, arXiv:1910.06764
highway     gate(x) * x + (1 - gate(x)) * branch(x) Srivastava et al. 2015, arXiv:1505.00387
GRU         gru(x, branch(norm(x)))                 Parisotto et al. 2019, arXiv:1910.06764
adaLN-Zero  x + gate * branch(norm(x) * (1 + scale) + shift)
                                                    Peebles, Xie 2022, arXiv:2212.09748
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ...spec.branches import ORDINARY, OWN, own, sublayer_names
from ...spec.model import Block
from ...spec.part import Nothing
from ..axes import ONE
from .attention import lower_attention
from .builder import Builder
from .condition import Modulation, condition_title, lower_modulation
from .convolution import lower_conv
from .experts import lower_experts
from .feed_forward import lower_activation, lower_feed_forward
from .norm import has_norm, lower_norm
from .positions import lower_layer_positions
from .reads import peek, plain
from .recurrent import lower_recurrence
from .state import StackState
from .streams import Streams
from .triangles import lower_outer_product, lower_triangle

BY_TYPE: dict[str, Callable[[Builder, StackState, Any, str], str]] = {
    "mlp": lower_feed_forward,
    "glu": lower_feed_forward,
    "moe": lower_experts,
    "conv": lower_conv,
    "gru": lower_recurrence,
    "lstm": lower_recurrence,
    "outer_product_mean": lower_outer_product,
    "triangle_multiplication": lower_triangle,
}


class Surroundings:
    """The block of a sublayer, with the sublayer's own mask, positions and residual."""

    def __init__(self, block: Block, part: Any) -> None:
        self._block, self._part = block, part

    def __getattr__(self, name: str) -> Any:
        return own(self._block, self._part, name) if name in OWN else getattr(self._block, name)


@dataclass(frozen=True, eq=False)
class Branch:
    """A residual branch.

    name: prefix of its weights
    part: its part of the spec, at `path` in the block
    block: the block with the branch's own mask, positions and residual
    build: builds it
    """

    name: str
    path: tuple[str | int, ...]
    part: Any
    block: Any
    build: Callable[[str], str]


def branches(b: Builder, state: StackState, block: Block) -> list[Branch]:
    """The branches of a block in order."""
    if block.sublayers:
        names = sublayer_names(plain(part) for part in block.sublayers)
        return [
            _branch(b, state, Surroundings(block, part), name, ("sublayers", i), part)
            for i, (name, part) in enumerate(zip(names, block.sublayers, strict=True))
        ]
    parts = {name: getattr(block, name) for name in ORDINARY}
    return [
        _branch(b, state, block, name, (name,), part)
        for name, part in parts.items()
        if not isinstance(part, Nothing)
    ]


def _branch(
    b: Builder, state: StackState, block: Any, name: str, path: tuple[str | int, ...], part: Any
) -> Branch:
    """A branch, with the function that builds a part of its kind."""

    def build(x: str) -> str:
        state.branch = name
        if part.type in BY_TYPE:
            return BY_TYPE[part.type](b, state, part, x)
        stack = getattr(part, "memory", None)
        memory = None if stack is None else state.memories[stack]
        return lower_attention(b, state, block, part, x, memory)

    return Branch(name, path, part, block, build)


def _placement(branch: Branch) -> str:
    """The norm placement of a branch; `none`, without reading it, if its norm is `none`."""
    if peek(branch.part, "norm_placement") == "none":
        return str(branch.part.norm_placement)
    return str(has_norm(branch.part, "norm_placement") or "none")


def lower_block(b: Builder, state: StackState, block: Block, x: str) -> str:
    """Lower one layer: hidden states (B, T, D) to hidden states (B, T, D)."""
    parts = branches(b, state, block)
    x = lower_layer_positions(b, state, block, x)
    state.float32 = not isinstance(block.residual, Nothing) and block.residual.float32
    parallel = len(parts) > 1 and block.residual.type == "parallel"
    places = [(branch.name, _placement(branch)) for branch in parts]
    shared = parallel and getattr(block.residual, "shared_norm", False)
    m = lower_modulation(b, state, block, places, joint=_joint(places, parallel, shared))
    if parallel:
        return _parallel(b, block, parts, x, m)
    start = x
    for branch in parts:
        with b.at(*branch.path), b.within(branch.name):
            x = _sequential(b, branch, x, start, m)
    return x


def lower_streams(b: Builder, state: StackState, block: Block, streams: Streams) -> None:
    """Lower one layer of a stack with streams; `streams` then has their values after it."""
    m = Modulation(b)
    values = streams.values
    starts, whole = dict(values), state.width
    streams.updates = {name: [] for name in values}
    for branch in branches(b, state, block):
        name = streams.current = branch.part.stream
        state.width = streams.known[name].width
        read = values[getattr(branch.part, "source", name)]
        with b.at(*branch.path), b.within(branch.name):
            values[name] = _sequential(b, branch, values[name], starts[name], m, read, name)
            streams.updates[name].append(values[name])
    streams.current, state.width = "", whole


def _joint(places: list[tuple[str, str]], parallel: bool, shared: bool) -> str:
    """Where parallel branches have one norm for all: `first`, `last` or nowhere."""
    if shared:
        return "first"
    return "last" if parallel and places[0][1] == "post" else ""


NORMED = {
    "pre": "with a norm before each branch (Xiong et al. 2020, arXiv:2002.04745)",
    "post": "with a norm after each sum (Vaswani et al. 2017, arXiv:1706.03762)",
    "sandwich": "with norms before and after each branch (Ding et al. 2021, arXiv:2105.13290)",
    "output": "with a norm after each branch (OLMo Team 2025, arXiv:2501.00656)",
    "none": "without norms",
}
SHORTLY = {
    "pre": "a norm before",
    "post": "a norm after the sum with",
    "sandwich": "norms before and after",
    "output": "a norm after",
    "none": "no norm at",
}


GATES = {
    "rezero": "\n\nA learned number multiplies each branch (ReZero, Bachlechner et al. 2020, "
    "arXiv:2003.04887).",
    "tanh": "\n\nTanh of a number multiplies each branch (Flamingo, Alayrac et al. 2022, "
    "arXiv:2204.14198).",
    "output": "\n\nEach branch has a gate (Parisotto et al. 2019, arXiv:1910.06764).",
    "highway": "\n\nA gate chooses between each branch and its input (Srivastava et al. 2015, "
    "arXiv:1505.00387).",
    "gru": "\n\nA gate joins each branch with its input (GTrXL, Parisotto et al. 2019, "
    "arXiv:1910.06764).",
}
"""The text about the gate of branches in the docstring of a layer."""


def block_title(b: Builder, state: StackState, block: Block) -> str:
    """Docstring of a layer: placement of norms, and what the condition does."""
    gate = getattr(peek(block, "residual"), "gate", "none")
    return _norms_title(b, state, block) + GATES.get(gate, "") + condition_title(block)


LONGEST = 90
"""Characters of a docstring on one line of 100 columns."""


def _norms_title(b: Builder, state: StackState, block: Block) -> str:
    parts = branches(b, state, block)
    placements = [_placement(branch) for branch in parts]
    residual = peek(block, "residual")
    if residual.type == "parallel" and len(parts) > 1:
        first = placements[0]
        if first == "post" or getattr(residual, "shared_norm", False):
            where = "after their sum" if first == "post" else "before all of them"
            return f"A layer of parallel branches, with one norm {where} (Wang, Komatsuzaki 2021)."
        return "A layer of parallel branches (Wang, Komatsuzaki 2021), " + _each(parts, placements)
    if len({*placements}) > 1:
        title = "A layer with " + _each(parts, placements)
        return title if len(title) <= LONGEST else "A layer whose branches have different norms."
    return f"A layer {NORMED[placements[0]]}." if parts else "A layer that returns its input."


def _each(parts: list[Branch], placements: list[str]) -> str:
    """`a norm before attention and no norm at feed-forward.`"""
    if len({*placements}) == 1 and len(parts) > 1:
        return f"with {SHORTLY[placements[0]]} each."
    clauses = [
        f"{SHORTLY[place]} {branch.name.replace('_', '-')}"
        for place, branch in zip(placements, parts, strict=True)
    ]
    return f"{', '.join(clauses[:-1])} and {clauses[-1]}."


def _sequential(
    b: Builder,
    branch: Branch,
    x: str,
    start: str,
    m: Modulation,
    read: str = "",
    out: str = "x",
) -> str:
    """The hidden states after a branch, with the name `out`; `start` is the input of the block.

    read: what the branch reads, if that is another stream
    """
    block, placement, norm = branch.block, _placement(branch), branch.part.norm
    h = read or x
    if placement in ("pre", "sandwich"):
        narrow = not isinstance(block.residual, Nothing) and block.residual.float32
        h = lower_norm(b, norm, h, f"{branch.name}_norm", narrow=narrow)
        h = m.modulated(h, f"{branch.name}_norm")
    y = branch.build(h)
    if placement in ("sandwich", "output"):
        y = lower_norm(b, norm, y, f"{branch.name}_output_norm")
        y = m.modulated(y, f"{branch.name}_output_norm", "y")
    y = m.gated(_dropped(b, block, y), branch.name)
    if isinstance(block.residual, Nothing):
        x = y
    else:
        stream = h if h != x and block.residual.from_ == "normed" else x
        if block.residual.from_ == "block":
            stream = start
        if stream == h and h != x:
            b.rename(h, "h")
        summed = "" if placement == "post" else out
        x = _joined(b, block, stream, _scaled(b, block, y, branch.name), branch.name, summed)
    if placement == "post":
        x = lower_norm(b, norm, x, f"{branch.name}_norm", out=out)
        x = m.modulated(x, f"{branch.name}_norm")
    return b.rename(x, out)


def _parallel(b: Builder, block: Block, parts: list[Branch], x: str, m: Modulation) -> str:
    shared = getattr(block.residual, "shared_norm", False)
    read = x
    if shared:
        read = b.rename(m.modulated(_joint_norm(b, block, parts, x), "norm"), "h")
    first = ""  # the normalised input; laws ensure that there is only one
    is_normed = shared or any(_placement(one) in ("pre", "sandwich") for one in parts)
    if is_normed and getattr(block.residual, "from_", "") == "normed":
        with b.at(*parts[0].path), b.within(parts[0].name):
            first = _own_input(b, parts[0], read, m, shared=shared)
        if first != x:
            b.rename(first, "h")
    total = _stream(b, block, first or x)
    for branch in parts:
        placement, norm = _placement(branch), branch.part.norm
        with b.at(*branch.path), b.within(branch.name):
            y = branch.build(first or _own_input(b, branch, read, m, shared=shared))
            if placement in ("sandwich", "output"):
                y = lower_norm(b, norm, y, f"{branch.name}_output_norm")
                y = m.modulated(y, f"{branch.name}_output_norm", "y")
            y = m.gated(_dropped(b, block, y), branch.name)
            y = _gated(b, block, first or x, _scaled(b, block, y, branch.name), branch.name)
            last = branch is parts[-1]
            total = b.op("add", total, y, out="x" if last else "y")
    if _placement(parts[0]) == "post":
        total = b.rename(m.modulated(_joint_norm(b, block, parts, total), "norm"), "x")
    return total


def _own_input(b: Builder, branch: Branch, x: str, m: Modulation, *, shared: bool) -> str:
    """The input of a parallel branch: `x`, after its own norm if it has one."""
    if shared or _placement(branch) not in ("pre", "sandwich"):
        return x
    h = lower_norm(b, branch.part.norm, x, f"{branch.name}_norm")
    return m.modulated(h, f"{branch.name}_norm")


def _joint_norm(b: Builder, block: Block, parts: list[Branch], x: str) -> str:
    """The norm after parallel branches; laws ensure that all branches have the same."""
    norm = parts[0].part.norm
    if norm == block.norm:
        return lower_norm(b, norm, x, "norm")
    with b.at(*parts[0].path):
        return lower_norm(b, norm, x, "norm")


def _dropped(b: Builder, block: Block, y: str) -> str:
    if block.dropout:
        y = b.op("dropout", y, name="dropout", rate=b.field("dropout", block.dropout))
    return y


def _stream(b: Builder, block: Block, x: str) -> str:
    residual = block.residual
    if isinstance(residual, Nothing) or residual.stream_scale == 1:
        return x
    return b.op("scale", x, factor=b.field("stream_scale", float(residual.stream_scale)))


def _has_gate(block: Block, kind: str) -> bool:
    return not isinstance(block.residual, Nothing) and block.residual.gate == kind


def _joined(b: Builder, block: Block, stream: str, y: str, name: str, out: str) -> str:
    """The residual stream with a branch's output, which may have a gate."""
    if _has_gate(block, "highway"):
        return b.op("lerp", y, stream, _gate(b, block, stream, name), out=out)
    if _has_gate(block, "gru"):
        return b.rename(_gru_gate(b, block, stream, y, f"{name}_gate"), out)
    y = _gated(b, block, stream, y, name)
    return b.op("add", _stream(b, block, stream), y, out=out)


def _gated(b: Builder, block: Block, stream: str, y: str, name: str) -> str:
    """A branch's output, multiplied by its gate if it has one of its own."""
    if not _has_gate(block, "output"):
        return y
    return b.op("multiply", y, _gate(b, block, stream, name), out="y")


def _gate(b: Builder, block: Block, stream: str, name: str) -> str:
    """The sigmoid of a linear layer of the stream, (B, T, D)."""
    gate = _square(b, stream, f"{name}_gate", bias=_gate_bias(block))
    return b.op("activation", gate, function="sigmoid", out="gate")


def _gate_bias(block: Block) -> float:
    """The initial bias of a gate; positive ones keep the stream."""
    residual: Any = block.residual
    start = float(residual.gate_bias)
    return start if residual.gate == "highway" else -start


def _square(b: Builder, x: str, name: str, bias: float | None = None) -> str:
    """A linear layer from the width of x to the same width. bias: its initial value."""
    width = b.width(x)
    more: dict[str, Any] = {"bias_initial": bias} if bias else {}
    return b.op(
        "linear",
        x,
        name=name,
        in_features=width.size,
        out_dim=width,
        bias=bias is not None,
        **more,
    )


def _gru_gate(b: Builder, block: Block, x: str, y: str, name: str) -> str:
    """The stream x after a branch with the output y: one step of a GRU with x as its state."""
    title = "A GRU cell as residual connection (Parisotto et al. 2019, arXiv:1910.06764)."
    y = b.rename(y, "y")
    with b.module(name, noun="GruGate", title=title):

        def summed(key: str, state: str, function: str, bias: float | None = None) -> str:
            old = _square(b, state, f"stream_{key}", bias)
            both = b.op("add", old, _square(b, y, f"branch_{key}"))
            return b.op("activation", both, function=function, out=key)

        reset = summed("reset", x, "sigmoid")
        update = summed("update", x, "sigmoid", _gate_bias(block))
        new = summed("new", b.op("multiply", reset, x), "tanh")
        return b.op("lerp", x, new, update)


def _scaled(b: Builder, block: Block, y: str, name: str) -> str:
    residual = block.residual
    if isinstance(residual, Nothing):
        return y
    with b.beside("residual"):
        y = lower_activation(b, residual.activation, y)
    if residual.layer_scale != "none":
        y = b.op(
            "learned_scale",
            y,
            name=f"{name}_scale",
            dim=b.width(y),
            initial=float(residual.layer_scale),
        )
    if residual.gate in ("rezero", "tanh"):
        kind = "learned_scale" if residual.gate == "rezero" else "tanh_scale"
        y = b.op(kind, y, name=f"{name}_scale", dim=ONE, initial=0.0)
    if residual.scale != 1:
        y = b.op("scale", y, factor=b.field("residual_scale", float(residual.scale)))
    if residual.drop_path:
        y = b.op("drop_path", y, rate=b.field("drop_path", residual.drop_path))
    return y
