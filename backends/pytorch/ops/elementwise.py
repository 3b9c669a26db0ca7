"""What is done to every number alone, or to two of the same place."""

from __future__ import annotations

from ....compiler.graph import Op
from ..function import Function
from ..text import ATOM, PRODUCT, SUM, Expr
from .row import Row, call, module_call

ACTIVATIONS = {
    "gelu": "F.gelu({x})",
    "gelu_tanh": 'F.gelu({x}, approximate="tanh")',
    "relu": "F.relu({x})",
    "relu2": "F.relu({x}).square()",
    "silu": "F.silu({x})",
    "tanh": "torch.tanh({x})",
    "sigmoid": "torch.sigmoid({x})",
    "softplus": "F.softplus({x}, threshold=40)",
}


def activation(f: Function, op: Op) -> Expr:
    x = f.use(op.inputs[0])
    function = op.attrs["function"]
    if function in ACTIVATIONS:
        return Expr(ACTIVATIONS[function].format(x=x))
    helper = f.helper("linear" if function == "elu_features" else "functions", function)
    if function == "swish":
        return call(helper, str(x), f.number(op.attrs["beta"]))
    return call(helper, str(x))


def add(f: Function, op: Op) -> Expr:
    left, right = (f.use(value) for value in op.inputs)
    return Expr(f"{left.at(SUM)} + {right.at(SUM + 1)}", SUM)


def multiply(f: Function, op: Op) -> Expr:
    left, right = (f.use(value) for value in op.inputs)
    return Expr(f"{left.at(PRODUCT)} * {right.at(PRODUCT + 1)}", PRODUCT)


def scale(f: Function, op: Op) -> Expr:
    x = f.use(op.inputs[0])
    factor = op.attrs["factor"]
    if factor == "sqrt_d_model":
        text = f"math.sqrt({f.number(op.attrs['size'], 'd_model')})"
    else:
        text = f.number(factor)
    return Expr(f"{x.at(PRODUCT)} * {text}", PRODUCT)


def by_layer(f: Function, op: Op) -> Expr:
    return Expr(f"{f.use(op.inputs[0]).at(PRODUCT)} / ({f.layer()} + 1)", PRODUCT)


def clamp(f: Function, op: Op) -> Expr:
    x = f.use(op.inputs[0]).at(ATOM)
    low, high = op.attrs["low"], op.attrs["high"]
    if low is None:
        return Expr(f"{x}.clamp(max={f.number(high)})")
    return Expr(f"{x}.clamp(-{f.number(low)}, {f.number(high)})")


def softcap(f: Function, op: Op) -> Expr:
    return call(
        f.helper("functions", "softcap"), str(f.use(op.inputs[0])), f.number(op.attrs["cap"])
    )


def learned_scale(f: Function, op: Op) -> Expr:
    return Expr(f"{f.use(op.inputs[0]).at(PRODUCT)} * {f.own(op)}", PRODUCT)


def add_bias(f: Function, op: Op) -> Expr:
    return Expr(f"{f.use(op.inputs[0]).at(SUM)} + {f.own(op)}", SUM)


def head_bias(f: Function, op: Op) -> Expr:
    return Expr(f"{f.use(op.inputs[0]).at(SUM)} + {f.own(op)}[:, None]", SUM)


def drop_path(f: Function, op: Op) -> Expr:
    x = str(f.use(op.inputs[0]))
    helper = f.helper("functions", "drop_path")
    return call(helper, x, f.number(op.attrs["rate"]), "self.training")


def l2_normalize(f: Function, op: Op) -> Expr:
    return call("F.normalize", str(f.use(op.inputs[0])), "dim=-1")


ROWS: dict[str, Row] = {
    "dropout": module_call,
    "activation": activation,
    "add": add,
    "multiply": multiply,
    "scale": scale,
    "by_layer": by_layer,
    "clamp": clamp,
    "softcap": softcap,
    "learned_scale": learned_scale,
    "add_bias": add_bias,
    "head_bias": head_bias,
    "drop_path": drop_path,
    "l2_normalize": l2_normalize,
}
