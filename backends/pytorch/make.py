"""One row per op that holds weights: the line of `__init__` that makes it."""

from __future__ import annotations

from collections.abc import Callable

from ...compiler.graph import Op
from .function import Function
from .text import config_text, literal


def make_linear(f: Function, op: Op) -> list[str]:
    weight = op.weights[0]
    if weight.tied:
        name = f"{op.name}_bias" if op.name else "bias"
        size = config_text(op.weights[-1].shape[0])
        return [f"self.{name} = nn.Parameter(torch.zeros({size}))"] if len(op.weights) > 1 else []
    sizes = [config_text(op.attrs["in_features"]), config_text(op.attrs["out_dim"].size)]
    bias = "" if op.attrs["bias"] else ", bias=False"
    return [f"self.{op.name} = nn.Linear({', '.join(sizes)}{bias})"]


def make_embedding(f: Function, op: Op) -> list[str]:
    if op.weights[0].tied:
        return []
    rows, width = (config_text(size) for size in op.weights[0].shape)
    return [f"self.{op.name} = nn.Embedding({rows}, {width})"]


def make_norm(f: Function, op: Op) -> list[str]:
    layer = op.kind == "layer_norm"
    width, eps = config_text(op.attrs["dim"].size), config_text(op.attrs["eps"])
    heads, offset = op.attrs["per_head"], op.attrs["weight_offset"]
    bias = op.attrs["bias"]
    if heads is not None and offset:
        name = f.helper("functions", f"OffsetPerHead{'LayerNorm' if layer else 'RMSNorm'}")
        tail = f", bias={bias}" if layer else ""
        size = config_text(heads.size)
        made = f"{name}({size}, {width}, {eps}, {literal(float(offset))}{tail})"
    elif heads is not None:
        name = ("BiasedPerHead" if bias else "PerHead") + ("LayerNorm" if layer else "RMSNorm")
        made = f"{f.helper('functions', name)}({config_text(heads.size)}, {width}, {eps})"
    elif offset and op.attrs["affine"]:
        name = f.helper("functions", "OffsetLayerNorm" if layer else "OffsetRMSNorm")
        tail = f", bias={bias}" if layer else ""
        made = f"{name}({width}, {eps}, {literal(float(offset))}{tail})"
    else:
        tail = "" if op.attrs["affine"] else ", elementwise_affine=False"
        if layer and op.attrs["affine"] and not bias:
            tail = ", bias=False"
        made = f"nn.{'LayerNorm' if layer else 'RMSNorm'}({width}, {eps}{tail})"
    return [f"self.{op.name} = {made}"]


def make_dropout(f: Function, op: Op) -> list[str]:
    return [f"self.{op.name} = nn.Dropout({config_text(op.attrs['rate'])})"]


def make_vector(f: Function, op: Op) -> list[str]:
    width = config_text(op.weights[0].shape[0])
    value = op.weights[0].initial.value
    return [f"self.{op.name} = nn.Parameter(torch.full(({width},), {literal(value)}))"]


MAKERS: dict[str, Callable[[Function, Op], list[str]]] = {
    "linear": make_linear,
    "embedding": make_embedding,
    "relative_bias": make_embedding,
    "layer_norm": make_norm,
    "rms_norm": make_norm,
    "dropout": make_dropout,
    "learned_scale": make_vector,
    "add_bias": make_vector,
}
