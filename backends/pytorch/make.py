"""One row per op that holds weights: the line of `__init__` that makes it."""

from __future__ import annotations

from collections.abc import Callable

from ...compiler.graph import Op
from .function import Function
from .text import config_text, literal


def joined_name(op: Op) -> str:
    """The attribute that holds the weights of a linear layer together with those beside it."""
    return "_".join(op.attrs["joined"])


def make_linear(f: Function, op: Op) -> list[str]:
    weight = op.weights[0]
    if weight.tied:
        name = f"{op.name}_bias" if op.name else "bias"
        size = config_text(op.weights[-1].shape[0])
        return [f"self.{name} = nn.Parameter(torch.zeros({size}))"] if len(op.weights) > 1 else []
    sizes = [config_text(op.attrs["in_features"]), config_text(op.attrs["out_dim"].size)]
    bias = "" if op.attrs["bias"] else ", bias=False"
    if joined := f.joined(op):
        f.helper("joined", "JoinedLinear")
        parts = [f'"{part.name}": {config_text(part.attrs["out_dim"].size)}' for part in joined]
        sizes[1] = f"{{{', '.join(parts)}}}"
        return [f"self.{joined_name(op)} = JoinedLinear({', '.join(sizes)}{bias})"]
    kind = "nn.Linear"
    if op.attrs.get("wide"):
        kind = f.helper("experts", "BiasedRouter" if op.attrs["bias"] else "Router")
    return [f"self.{op.name} = {kind}({', '.join(sizes)}{bias})"]


def make_embedding(f: Function, op: Op) -> list[str]:
    if op.weights[0].tied:
        return []
    rows, width = (config_text(size) for size in op.weights[0].shape)
    return [f"self.{op.name} = nn.Embedding({rows}, {width})"]


def norm_class(op: Op) -> str:
    """The class of a norm: torch's, or the one of `runtime/norms.py` that its name describes."""
    if op.kind == "group_norm":
        return "nn.GroupNorm"
    layer = op.kind == "layer_norm"
    offset = "Offset" if op.attrs["weight_offset"] and op.attrs["affine"] else ""
    heads = "" if op.attrs["per_head"] is None else "PerHead"
    kind = "LayerNorm" if layer else "RMSNorm"
    if not offset and not heads:
        return f"nn.{kind}"
    return f"{'Biased' if layer and op.attrs['bias'] else ''}{offset}{heads}{kind}"


def make_norm(f: Function, op: Op) -> list[str]:
    layer = op.kind == "layer_norm"
    width, eps = config_text(op.attrs["dim"].size), config_text(op.attrs["eps"])
    name, heads, offset = norm_class(op), op.attrs["per_head"], op.attrs["weight_offset"]
    if name.startswith("nn."):
        tail = "" if op.attrs["affine"] else ", elementwise_affine=False"
        if layer and op.attrs["affine"] and not op.attrs["bias"]:
            tail = ", bias=False"
        return [f"self.{op.name} = {name}({width}, {eps}{tail})"]
    sizes = [width] if heads is None else [config_text(heads.size), width]
    more = [literal(float(offset))] if "Offset" in name else []
    made = f"{f.helper('norms', name)}({', '.join([*sizes, eps, *more])})"
    return [f"self.{op.name} = {made}"]


def make_channel_norm(f: Function, op: Op) -> list[str]:
    channels, eps = config_text(op.attrs["dim"].size), config_text(op.attrs["eps"])
    return [f"self.{op.name} = nn.GroupNorm({channels}, {channels}, {eps})"]


def make_dropout(f: Function, op: Op) -> list[str]:
    return [f"self.{op.name} = nn.Dropout({config_text(op.attrs['rate'])})"]


def make_vector(f: Function, op: Op) -> list[str]:
    width = config_text(op.weights[0].shape[0])
    value = op.weights[0].initial.value
    fixed = "" if op.weights[0].trained else ", requires_grad=False"
    return [f"self.{op.name} = nn.Parameter(torch.full(({width},), {literal(value)}){fixed})"]


def make_tensor(f: Function, op: Op) -> list[str]:
    sizes = ", ".join(config_text(size) for size in op.weights[0].shape)
    return [f"self.{op.name} = nn.Parameter(torch.empty({sizes}))"]


def make_numbers(f: Function, op: Op) -> list[str]:
    sizes = ", ".join(config_text(size) for size in op.weights[0].shape)
    return [f"self.{op.name} = nn.Parameter(torch.zeros({sizes}))"]


def make_score_vector(f: Function, op: Op) -> list[str]:
    sizes = ", ".join(config_text(size) for size in op.weights[0].shape)
    return [f"self.{op.name} = nn.Parameter(torch.ones({sizes}))"]


def make_patches(f: Function, op: Op) -> list[str]:
    channels, width = config_text(op.attrs["channels"]), config_text(op.attrs["out_dim"].size)
    patch = config_text(op.attrs["patch"])
    bias = "" if op.attrs["bias"] else ", bias=False"
    down, across = (config_text(step) for step in op.attrs["steps"])
    step = down if down == across else f"({down}, {across})"
    sizes = f"{channels}, {width}, {patch}, stride={step}{bias}"
    return [f"self.{op.name} = nn.Conv2d({sizes})"]


def make_convolution(f: Function, op: Op) -> list[str]:
    channels, width = config_text(op.attrs["channels"]), config_text(op.attrs["out_dim"].size)
    kernel, dilation = op.attrs["kernel"], op.attrs["dilation"]
    sizes = [channels, width, config_text(kernel)]
    sizes += [f"{key}={config_text(op.attrs[key])}" for key in ("stride",) if op.attrs[key] != 1]
    if kernel != 1 and op.attrs["padded"]:
        around = kernel // 2 if dilation == 1 else dilation * (kernel // 2)
        sizes.append(f"padding={config_text(around)}")
    sizes += [f"dilation={config_text(dilation)}"] if dilation != 1 else []
    sizes += [f"groups={config_text(op.attrs['groups'])}"] if op.attrs["groups"] != 1 else []
    sizes += [] if op.attrs["bias"] else ["bias=False"]
    return [f"self.{op.name} = nn.Conv1d({', '.join(sizes)})"]


MAKERS: dict[str, Callable[[Function, Op], list[str]]] = {
    "linear": make_linear,
    "embedding": make_embedding,
    "relative_bias": make_embedding,
    "table": make_embedding,
    "patchify": make_patches,
    "convolve": make_convolution,
    "insert_tokens": make_numbers,
    "group_norm": make_channel_norm,
    "layer_norm": make_norm,
    "rms_norm": make_norm,
    "dropout": make_dropout,
    "learned_scale": make_vector,
    "exp_scale": make_vector,
    "add_bias": make_vector,
    "head_bias": make_numbers,
    "sinks": make_vector,
    "score_vector": make_score_vector,
    "pool_heads": make_tensor,
    "expert_linear": make_tensor,
    "expert_bias": make_tensor,
}
