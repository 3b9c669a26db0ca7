"""Elementwise ops: activations, sums, products, clamps."""

from __future__ import annotations

from typing import Any

from ....compiler.graph import Op
from ..code.measure import LONG, width
from ..code.nodes import Set
from ..code.read import call, constant, expression, names
from ..writer import Writer
from .row import Row, module_call

ACTIVATIONS = {
    "gelu": "F.gelu(x)",
    "gelu_tanh": 'F.gelu(x, approximate="tanh")',
    "relu": "F.relu(x)",
    "relu2": "F.relu(x).square()",
    "silu": "F.silu(x)",
    "tanh": "torch.tanh(x)",
    "sigmoid": "torch.sigmoid(x)",
    "softplus": "F.softplus(x, threshold=40)",
}


def activation(f: Writer, op: Op) -> Any:
    function = op.attrs["function"]
    if op.weights:
        return module_call(f, op)
    x = f.arg(op, "x")
    if function in ACTIVATIONS:
        return expression(ACTIVATIONS[function], x=x)
    if function == "swish":
        return call(function, x, f.number(op.attrs["beta"]))
    return call(function, x)


def add(f: Writer, op: Op) -> Any:
    left, right = f.given(op, "a", "b")
    return expression("left + right", left=left, right=right)


def multiply(f: Writer, op: Op) -> Any:
    left, right = f.given(op, "a", "b")
    return expression("left * right", left=left, right=right)


def lerp(f: Writer, op: Op) -> Any:
    a, b, weight = f.given(op, "a", "b", "weight")
    return expression("torch.lerp(a, b, weight)", a=a, b=b, weight=weight)


def scale(f: Writer, op: Op) -> Any:
    x, factor = f.arg(op, "x"), op.attrs["factor"]
    if factor == "sqrt_d_model":
        width = f.number(op.attrs["size"], "d_model")
        return expression("x * math.sqrt(width)", x=x, width=width)
    return expression("x * factor", x=x, factor=f.number(factor))


def by_layer(f: Writer, op: Op) -> Any:
    return expression("x / (layer + 1)", x=f.arg(op, "x"), layer=f.layer())


def clamp(f: Writer, op: Op) -> Any:
    x = f.arg(op, "x")
    if op.attrs["low"] is None:
        return expression("x.clamp(max=high)", x=x, high=f.number(op.attrs["high"]))
    low, high = f.number(op.attrs["low"]), f.number(op.attrs["high"])
    return expression("x.clamp(-low, high)", x=x, low=low, high=high)


def softcap(f: Writer, op: Op) -> Any:
    return call("softcap", f.arg(op, "x"), f.number(op.attrs["cap"]))


def learned_scale(f: Writer, op: Op) -> Any:
    return expression("x * scale", x=f.arg(op, "x"), scale=f.own(op))


def add_bias(f: Writer, op: Op) -> Any:
    return expression("x + bias", x=f.arg(op, "x"), bias=f.own(op))


def head_bias(f: Writer, op: Op) -> Any:
    return expression("x + bias[:, None]", x=f.arg(op, "x"), bias=f.own(op))


def drop_path(f: Writer, op: Op) -> Any:
    x, rate = f.arg(op, "x"), f.number(op.attrs["rate"])
    return expression("drop_path(x, rate, self.training)", x=x, rate=rate)


def drop_labels(f: Writer, op: Op) -> Any:
    labels, rate = f.arg(op, "labels"), f.number(op.attrs["rate"])
    template = "drop_labels(labels, rate, label, self.training)"
    return expression(template, labels=labels, rate=rate, label=f.number(op.attrs["label"]))


def chunk(f: Writer, op: Op) -> None:
    x, count = f.arg(op, "x"), constant(int(op.attrs["count"]))
    bound = [f.bind(value, f.graph.values[value].name) for value in op.outputs]
    value = expression("x.chunk(count, dim=-1)", x=x, count=count)
    made = Set(names(*bound), value, f.note(*op.outputs))
    f.say(made if width(made) <= LONG - 8 else Set(made.target, value), op=op)


def modulate(f: Writer, op: Op) -> Any:
    return call("modulate", *f.given(op, "x", "shift", "scale"))


def l2_normalize(f: Writer, op: Op) -> Any:
    return expression("F.normalize(x, dim=-1)", x=f.arg(op, "x"))


ROWS: dict[str, Row] = {
    "dropout": module_call,
    "activation": activation,
    "add": add,
    "multiply": multiply,
    "lerp": lerp,
    "scale": scale,
    "by_layer": by_layer,
    "clamp": clamp,
    "softcap": softcap,
    "learned_scale": learned_scale,
    "add_bias": add_bias,
    "head_bias": head_bias,
    "drop_path": drop_path,
    "drop_labels": drop_labels,
    "chunk": chunk,
    "modulate": modulate,
    "l2_normalize": l2_normalize,
}
