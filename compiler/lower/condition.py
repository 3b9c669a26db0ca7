"""Conditions: a vector that shifts and scales norms, and gates branches.

adaLN and adaLN-Zero: Peebles, Xie 2022, arXiv:2212.09748 (DiT). Embedding of a time: Ho et al.
2020, arXiv:2006.11239. A class that is left out at random: Ho, Salimans 2022, arXiv:2207.12598.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...spec.branches import ORDINARY, sublayer_names
from ...spec.condition import AdaLnZero, Adaptive, Label, Pooled, Timestep, Vector
from ...spec.model import Block
from ...spec.part import Nothing
from ..axes import B, Dim
from ..sizes import Size
from .builder import Builder
from .feed_forward import lower_activation
from .head import lower_pool
from .norm import has_norm
from .reads import consume_whole, peek
from .state import StackState

SHORT = {"attention": "", "cross_attention": "cross_", "feed_forward": "ff_"}
"""Branch -> prefix of its shift, scale and gate; other branches have their name."""

TITLES = {
    "adaln": " The condition shifts and scales its norms (adaLN; Peebles, Xie 2022, "
    "arXiv:2212.09748).",
    "adaln_zero": " The condition shifts and scales its norms and gates its branches (adaLN-Zero; "
    "Peebles, Xie 2022, arXiv:2212.09748).",
}


def condition_title(block: Block) -> str:
    """A sentence for the docstring of a layer; empty without a condition."""
    return TITLES.get(peek(block, "condition").type, "")


# -- the vector


def lower_condition(b: Builder, state: StackState, states: Mapping[str, StackState]) -> None:
    """Compute the vector of a stack, (B, D), if a layer or the final norm reads it."""
    parts = dict(_readers(state))
    if not parts:
        return
    (path, part), *others = parts.items()
    for _, other in others:  # they have the same vector, by a law
        consume_whole(other.embed)
        consume_whole(other.activation)
    with b.in_scope(state.scope), b.at(*path):
        with b.module("condition", noun="Condition", title=_title(part.embed)):
            names = _names(part.embed)
            vectors = []
            for index, (name, embed) in enumerate(zip(names, part.embed, strict=True)):
                with b.at("embed", index), b.within(name):
                    vectors.append(EMBEDS[embed.type](b, state, name, embed, states))
            total = vectors[0]
            for vector in vectors[1:]:
                total = b.op("add", total, vector)
            total = lower_activation(b, part.activation, total)
        state.condition = b.rename(total, "condition")


def _readers(state: StackState) -> Iterable[tuple[tuple[str, ...], Any]]:
    """The conditions that a norm or a branch of the stack reads, by path in the stack."""
    stack = state.stack
    if isinstance(stack.condition, Adaptive) and has_norm(stack, "final_norm"):
        yield ("condition",), stack.condition
    for kind in dict.fromkeys(stack.order):
        block = stack.blocks[kind]
        if isinstance(block.condition, Adaptive) and _slots(block, _places(block)):
            yield ("blocks", kind, "condition"), block.condition


def _places(block: Block) -> list[tuple[str, str]]:
    """The branches of a block and the placement of their norms, without reading them."""
    sublayers = peek(block, "sublayers")
    parts = dict(zip(sublayer_names(sublayers), sublayers, strict=True))
    if not parts:
        ordinary = {name: peek(block, name) for name in ORDINARY}
        parts = {name: part for name, part in ordinary.items() if not isinstance(part, Nothing)}
    return [
        (name, "none" if isinstance(part.norm, Nothing) else part.norm_placement)
        for name, part in parts.items()
    ]


WORDS = {
    "timestep": "a time",
    "label": "a label",
    "vector": "a vector",
    "pooled": "a pooled sequence",
}


def _title(embeds: tuple[Any, ...]) -> str:
    """The docstring of the module."""
    first, *others = (WORDS[embed.type] for embed in embeds)
    text = f"The vector that modulates all layers, from {first}"
    text += f"{', '.join(['', *others[:-1]])} and {others[-1]}" if others else ""
    guided = any(isinstance(embed, Label) and peek(embed, "dropout") for embed in embeds)
    return f"{text}. The label `classes` means no class." if guided else f"{text}."


def _names(embeds: tuple[Any, ...]) -> list[str]:
    """The module of each vector: its type, with its argument if there are several."""
    types = [embed.type for embed in embeds]
    return [
        embed.type if types.count(embed.type) == 1 else f"{embed.type}_{_source(embed)}"
        for embed in embeds
    ]


def _source(embed: Any) -> str:
    return str(embed.stack if isinstance(embed, Pooled) else embed.argument)


def _argument(b: Builder, name: str, *shape: Dim, dtype: str) -> str:
    """An argument of the model; stacks with the same one read the same tensor."""
    for op in b.graph.ops(""):
        if op.kind == "argument" and op.name == name:
            return op.outputs[0]
    with b.in_scope(""):
        return b.op("argument", name=name, out=name, shape=(B, *shape), dtype=dtype)


def _linear(b: Builder, x: str, name: str, width: Dim, *, bias: bool, **more: Any) -> str:
    features = b.width(x).size
    return b.op("linear", x, name=name, in_features=features, out_dim=width, bias=bias, **more)


def _timestep(
    b: Builder, state: StackState, name: str, part: Timestep, states: Mapping[str, StackState]
) -> str:
    """Cosines and sines of a time, then linear, activation, linear."""
    time = _argument(b, part.argument, dtype="float")
    width = Dim("Wt", b.size("timestep_width", part.width, at=("width",)))
    hidden = state.width
    if part.hidden not in (None, state.width.size):
        hidden = Dim("Ft", b.size("timestep_hidden", part.hidden, at=("hidden",)))
    with b.module(name, noun="Timestep", title="Embedding of a timestep."):
        x = b.op(
            "sinusoid",
            time,
            shape=(B, width),
            width=width,
            layout=TABLES[part.layout],
            denominator=part.denominator,
            typed="up",
            out="x",
        )
        x = _linear(b, x, "up", hidden, bias=True)
        x = lower_activation(b, part.activation, x)
        return _linear(b, x, "down", state.width, bias=True)


TABLES = {"sin_cos": "concat", "cos_sin": "cosines_first"}


def _label(
    b: Builder, state: StackState, name: str, part: Label, states: Mapping[str, StackState]
) -> str:
    ids = _argument(b, part.argument, dtype="int")
    rows: Size = b.size("classes", part.classes)
    if part.dropout:
        rate = b.field("label_dropout", part.dropout, at=("dropout",))
        ids = b.op("drop_labels", ids, rate=rate, label=rows, out="labels")
        rows = rows + 1
    return b.op("embedding", ids, name=f"{name}_embedding", rows=rows, out_dim=state.width)


def _vector(
    b: Builder, state: StackState, name: str, part: Vector, states: Mapping[str, StackState]
) -> str:
    size = Dim("Nv", b.size("vector_size", part.size, at=("size",)))
    x = _argument(b, part.argument, size, dtype="float")
    return _linear(b, x, f"{name}_projection", state.width, bias=part.bias)


def _pooled(
    b: Builder, state: StackState, name: str, part: Pooled, states: Mapping[str, StackState]
) -> str:
    with b.at("pool"):
        hidden = b.graph.hidden[part.stack]
        x = lower_pool(b, states[part.stack], part.pool, hidden, f"{name}_score")
    return _linear(b, x, f"{name}_projection", state.width, bias=part.bias)


EMBEDS: dict[str, Callable[..., str]] = {
    "timestep": _timestep,
    "label": _label,
    "vector": _vector,
    "pooled": _pooled,
}


# -- what it does to a layer


@dataclass(eq=False)
class Modulation:
    """The vectors (B, D) that a layer computes from the condition; none without one.

    values: `attention_norm.shift`, `attention_norm.scale`, `attention.gate` … -> value id
    """

    b: Builder
    values: dict[str, str] = field(default_factory=dict)

    def modulated(self, x: str, norm: str, out: str = "h") -> str:
        """x (B, T, D) after this norm, scaled and shifted."""
        if f"{norm}.shift" not in self.values:
            return x
        shift, scale = (self.values[f"{norm}.{key}"] for key in ("shift", "scale"))
        name = self.b.graph.values[x].name
        return self.b.op("modulate", x, shift, scale, out=name or out)

    def gated(self, y: str, branch: str) -> str:
        """The output of this branch, multiplied by its gate."""
        if f"{branch}.gate" not in self.values:
            return y
        gate = self.b.op("add_axis", self.values[f"{branch}.gate"])
        return self.b.op("multiply", gate, y)


def _slots(block: Block, places: list[tuple[str, str]], joint: str = "") -> dict[str, str]:
    """The vectors of a layer in order, and their names in the emitted file."""
    norm = {"norm.shift": "shift", "norm.scale": "scale"}
    gates = isinstance(block.condition, AdaLnZero)
    found = dict(norm) if joint == "first" else {}
    for branch, place in places:
        prefix = SHORT.get(branch, f"{branch}_")
        norms: dict[str, tuple[str, ...]] = {
            "pre": ("norm",),
            "post": ("norm",),
            "output": ("output_norm",),
        }
        norms["sandwich"] = ("norm", "output_norm")
        for name in () if joint else norms.get(place, ()):
            own = f"{prefix}{name.removesuffix('norm')}"
            found |= {f"{branch}_{name}.{key}": f"{own}{key}" for key in ("shift", "scale")}
        if gates:
            found[f"{branch}.gate"] = f"{prefix}gate"
    return found | (norm if joint == "last" else {})


def lower_modulation(
    b: Builder, state: StackState, block: Block, places: list[tuple[str, str]], *, joint: str
) -> Modulation:
    """The shifts, scales and gates of a layer, all from one linear layer."""
    slots = _slots(block, places, joint) if isinstance(block.condition, Adaptive) else {}
    if not slots:
        return Modulation(b)
    with b.at("condition"):
        return Modulation(b, _vectors(b, state, "modulation", slots, zero=_is_zero(block)))


def _is_zero(part: Any) -> bool:
    return isinstance(part.condition, AdaLnZero)


def _vectors(
    b: Builder, state: StackState, name: str, slots: dict[str, str], *, zero: bool
) -> dict[str, str]:
    zeros = {"zero": True} if zero else {}
    if len(slots) == 1:
        ((slot, title),) = slots.items()
        made = _linear(b, state.condition, name, state.width, bias=True, out=title, **zeros)
        return {slot: made}
    width = state.width.times(len(slots))
    long = {"out": "modulation"} if len(slots) > 2 else {}
    made = _linear(b, state.condition, name, width, bias=True, **long, **zeros)
    pieces = b.ops("chunk", made, out=tuple(slots.values()), count=len(slots), dim=state.width)
    return dict(zip(slots, pieces, strict=True))


def modulated_end(b: Builder, state: StackState, x: str) -> str:
    """x after the final norm, scaled and shifted."""
    if not isinstance(state.stack.condition, Adaptive):
        return x
    slots = {"norm.shift": "shift", "norm.scale": "scale"}
    with b.at("condition"):
        zero = _is_zero(state.stack)
        found = _vectors(b, state, "norm_modulation", slots, zero=zero)
    return Modulation(b, found).modulated(x, "norm")
