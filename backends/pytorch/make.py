"""One row per op with weights: the value of its attribute in `__init__`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ...compiler.graph import Op, Weight
from .code.measure import LONG
from .code.measure import width as printed_width
from .code.nodes import Call, Dictionary, Dot, Name, Pair, Set, Statement
from .code.read import call, constant, expression
from .code.walk import written_for
from .sizes import config_expression as sized
from .writer import SELF, Writer


def joined_name(op: Op) -> str:
    """Attribute of a joined linear layer."""
    return "_".join(op.attrs["joined"])


def make(f: Writer, op: Op) -> list[Statement]:
    """The statements of `__init__` for an op."""
    row = MAKERS.get(op.kind)
    made = row(f, op) if row is not None else []
    return [written_for(statement, op.number) for statement in made]


def attribute(name: str, value: Any) -> list[Statement]:
    """`self.name = value`."""
    return [Set(Dot(SELF, name), value)]


def _called(name: str, *arguments: Any, **options: Any) -> Call:
    """A call with the options that are not None as keyword arguments."""
    return call(name, *arguments, **{key: v for key, v in options.items() if v is not None})


def _no_bias(op: Op) -> Any:
    return None if op.attrs["bias"] else constant(False)


def make_linear(f: Writer, op: Op) -> list[Statement]:
    weight = op.weights[0]
    if weight.tied:
        if len(op.weights) == 1:
            return []
        size = sized(op.weights[-1].shape[0])
        zeros = expression("nn.Parameter(torch.zeros(size))", size=size)
        return attribute(f"{op.name}_bias" if op.name else "bias", zeros)
    width, out = sized(op.attrs["in_features"]), sized(op.attrs["out_dim"].size)
    if joined := f.joined(op):
        parts = [Pair(constant(p.name), sized(p.attrs["out_dim"].size)) for p in joined]
        made = _called("JoinedLinear", width, Dictionary(tuple(parts)), bias=_no_bias(op))
        return attribute(joined_name(op), made)
    kind = "nn.Linear"
    if op.attrs.get("wide"):
        kind = "BiasedRouter" if op.attrs["bias"] else "Router"
    if op.attrs.get("widen"):
        kind = "WideningLinear"
    return attribute(op.name, _called(kind, width, out, bias=_no_bias(op)))


def make_embedding(f: Writer, op: Op) -> list[Statement]:
    if op.weights[0].tied:
        return []
    rows, columns = map(sized, op.weights[0].shape)
    made = attribute(op.name, call("nn.Embedding", rows, columns))
    if printed_width(made[0], depth=2) <= LONG:
        return made
    return [
        Set(Name("rows"), rows),
        *attribute(op.name, call("nn.Embedding", Name("rows"), columns)),
    ]


def norm_class(op: Op) -> str:
    """The class of a norm: torch's, or the one of `runtime/norms.py` that its name describes."""
    if op.kind == "group_norm":
        return "nn.GroupNorm"
    layer = op.kind == "layer_norm"
    offset = "Offset" if op.attrs["weight_offset"] and op.attrs["affine"] else ""
    heads = "" if op.attrs["per_head"] is None else "PerHead"
    kind = "LayerNorm" if layer else "RMSNorm"
    if op.attrs.get("narrow"):
        return f"Narrowing{kind}"
    if not offset and not heads:
        return f"nn.{kind}"
    if offset and not layer and not heads and op.attrs["weight_offset"] != 1:
        return "AnyOffsetRMSNorm"
    return f"{'Biased' if layer and op.attrs['bias'] else ''}{offset}{heads}{kind}"


def make_norm(f: Writer, op: Op) -> list[Statement]:
    layer, affine = op.kind == "layer_norm", op.attrs["affine"]
    width, eps = sized(op.attrs["dim"].size), sized(op.attrs["eps"])
    name, heads, offset = norm_class(op), op.attrs["per_head"], op.attrs["weight_offset"]
    if heads is None and not (offset and affine):
        unweighted = None if affine else constant(False)
        unbiased = constant(False) if layer and affine and not op.attrs["bias"] else None
        options = {"elementwise_affine": unweighted, "bias": unbiased}
        return attribute(op.name, _called(name, width, eps, **options))
    sizes = [width] if heads is None else [sized(heads.size), width]
    named = name == "OffsetRMSNorm"  # it adds 1
    more = [constant(float(offset))] if offset and affine and not named else []
    return attribute(op.name, call(name, *sizes, eps, *more))


def make_channel_norm(f: Writer, op: Op) -> list[Statement]:
    channels, eps = sized(op.attrs["dim"].size), sized(op.attrs["eps"])
    return attribute(op.name, call("nn.GroupNorm", channels, channels, eps))


def make_dropout(f: Writer, op: Op) -> list[Statement]:
    return attribute(op.name, call("nn.Dropout", sized(op.attrs["rate"])))


FILLED = {0.0: "torch.zeros(width)", 1.0: "torch.ones(width)"}


def initial_note(op: Op, weight: Weight) -> str:
    """Explains an initial value that is a logarithm."""
    value = weight.initial.value
    if weight.name in ("alpha_p", "alpha_n"):
        return f"log(exp({math.log1p(math.exp(value)):.6g}) - 1)"
    return (
        f"log(1 / {math.exp(-value):.6g})" if op.kind == "exp_scale" and value not in FILLED else ""
    )


def make_vector(f: Writer, op: Op) -> list[Statement]:
    weight = op.weights[0]
    value, width = weight.initial.value, sized(weight.shape[0])
    if value in FILLED:
        filled = expression(FILLED[value], width=width)
    else:
        filled = expression("torch.full((width,), value)", width=width, value=constant(value))
    fixed = None if weight.trained else constant(False)
    made = _called("nn.Parameter", filled, requires_grad=fixed)
    return [Set(Dot(SELF, op.name), made, initial_note(op, weight))]


def _parameter(function: str) -> Callable[[Writer, Op], list[Statement]]:
    """A parameter of the module itself, created by this function of its sizes."""

    def row(f: Writer, op: Op) -> list[Statement]:
        made = call(f"torch.{function}", *map(sized, op.weights[0].shape))
        return attribute(op.name, call("nn.Parameter", made))

    return row


def make_patches(f: Writer, op: Op) -> list[Statement]:
    channels, out = sized(op.attrs["channels"]), sized(op.attrs["out_dim"].size)
    patch = sized(op.attrs["patch"])
    if op.attrs["tubelet"]:
        sizes = expression("(deep, size, size)", deep=sized(op.attrs["tubelet"]), size=patch)
        tubelet = Name("tubelet")
        made = _called("nn.Conv3d", channels, out, tubelet, stride=tubelet, bias=_no_bias(op))
        return [Set(tubelet, sizes), *attribute(op.name, made)]
    down, across = map(sized, op.attrs["steps"])
    step = down if down == across else expression("(down, across)", down=down, across=across)
    bias, size = _no_bias(op), Name("patch")
    found = attribute(op.name, _called("nn.Conv2d", channels, out, patch, stride=step, bias=bias))
    if step != patch or printed_width(found[0], depth=2) <= LONG:
        return found
    short = _called("nn.Conv2d", channels, out, size, stride=size, bias=bias)
    return [Set(size, patch), *attribute(op.name, short)]


def make_convolution(f: Writer, op: Op) -> list[Statement]:
    channels, width = sized(op.attrs["channels"]), sized(op.attrs["out_dim"].size)
    kernel, dilation = op.attrs["kernel"], op.attrs["dilation"]
    options: dict[str, Any] = {}
    if op.attrs["stride"] != 1:
        options["stride"] = sized(op.attrs["stride"])
    if op.attrs["padded"] and (kernel != 1 or kernel.fields()):
        around = kernel.floor(2) if dilation == 1 else dilation * kernel.floor(2)
        options["padding"] = sized(around)
    options |= {key: sized(op.attrs[key]) for key in ("dilation", "groups") if op.attrs[key] != 1}
    module = "nn.Conv2d" if op.kind == "convolve_image" else "nn.Conv1d"
    made = _called(module, channels, width, sized(kernel), **options, bias=_no_bias(op))
    return attribute(op.name, made)


def make_parameters(f: Writer, op: Op) -> list[Statement]:
    """The parameter of an op of a plug-in, if it has one."""
    if not op.weights:
        return []
    made = _called("torch.empty", *map(sized, op.weights[0].shape))
    fixed = None if op.weights[0].trained else constant(False)
    return attribute(op.name, _called("nn.Parameter", made, requires_grad=fixed))


def make_activation(f: Writer, op: Op) -> list[Statement]:
    """The module of an activation with learned numbers."""
    return attribute(op.name, call("XIELU")) if op.weights else []


def make_attend(f: Writer, op: Op) -> list[Statement]:
    """The module that attention weights pass through, if they are kept."""
    kept = op.attrs.get("kept") or op.attrs.get("hooked")
    return [Set(Dot(SELF, kept), call("nn.Identity"), "for forward hooks")] if kept else []


def make_recurrence(f: Writer, op: Op) -> list[Statement]:
    """Linear layers of the state, of the query and of the context."""
    found = make_attend(f, op)
    biased = {weight.name for weight in op.weights}
    for weight in op.weights:
        name, _, kind = weight.name.rpartition(".")
        if kind == "weight":
            out, width = map(sized, weight.shape)
            bias = None if f"{name}.bias" in biased else constant(False)
            found += attribute(name, _called("nn.Linear", width, out, bias=bias))
    return found


MAKERS: dict[str, Callable[[Writer, Op], list[Statement]]] = {
    "linear": make_linear,
    "embedding": make_embedding,
    "relative_bias": make_embedding,
    "pair_bias": make_embedding,
    "path_bias": _parameter("empty"),
    "table": make_embedding,
    "patchify": make_patches,
    "convolve": make_convolution,
    "convolve_image": make_convolution,
    "recur": make_recurrence,
    "insert_tokens": _parameter("zeros"),
    "learned_tokens": _parameter("zeros"),
    "group_norm": make_channel_norm,
    "layer_norm": make_norm,
    "rms_norm": make_norm,
    "dropout": make_dropout,
    "activation": make_activation,
    "learned_scale": make_vector,
    "exp_scale": make_vector,
    "tanh_scale": make_vector,
    "add_bias": make_vector,
    "head_bias": _parameter("zeros"),
    "sinks": make_vector,
    "attend": make_attend,
    "score_vector": _parameter("ones"),
    "head_matrix": _parameter("empty"),
    "mix_vectors": _parameter("empty"),
    "pool_heads": _parameter("empty"),
    "learned_vector": _parameter("empty"),
    "expert_linear": _parameter("empty"),
    "expert_bias": _parameter("empty"),
    "expert_scale": _parameter("empty"),
}
