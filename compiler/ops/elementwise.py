"""Elementwise ops."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from ..axes import Shape
from ..cost import Poly
from ..graph import Initial, Weight
from ..sizes import Size, number
from .row import ZEROS, Attrs, Inputs, Row, broadcast, same
from .saved import OUT, Kept, Own, Saves, Saving, keeps, view


def vector_weights(attrs: Attrs) -> tuple[Weight, ...]:
    return (Weight("", (attrs["dim"].size,), Initial("constant", attrs["initial"])),)


def head_weights(attrs: Attrs) -> tuple[Weight, ...]:
    return (Weight("", (attrs["heads"].size, attrs["width"].size), ZEROS),)


def bias_weights(attrs: Attrs) -> tuple[Weight, ...]:
    initial = Initial("constant", attrs["initial"]) if "initial" in attrs else ZEROS
    return (Weight("", (attrs["dim"].size,), initial, trained=attrs.get("trained", True)),)


XIELU = (
    Weight("alpha_p", (Size.of(1),), Initial("constant", math.log(math.expm1(0.8)))),
    Weight("alpha_n", (Size.of(1),), Initial("constant", math.log(math.expm1(0.8 - 0.5)))),
    Weight("beta", (Size.of(1),), Initial("constant", 0.5), trained=False),
    Weight("eps", (Size.of(1),), Initial("constant", -1e-6), trained=False),
)
"""The numbers of xIELU at the start, where both slopes are 0.8."""


def activation_weights(attrs: Attrs) -> tuple[Weight, ...]:
    return XIELU if attrs["function"] == "xielu" else ()


def chunk_shapes(inputs: Inputs, attrs: Attrs) -> list[Shape]:
    return [(*inputs["x"].shape[:-1], attrs["dim"])] * int(attrs["count"])


# -- tensors saved for the backward pass: the input of an op, or its result


def _with_sigmoid(s: Saving) -> Iterator[Kept]:
    """x * sigmoid(x * beta) in two steps."""
    yield from ("x", s.own("x"))


def _of_relu(s: Saving) -> Iterator[Kept]:
    yield s.own("x")


def _of_elu(s: Saving) -> Iterator[Kept]:
    """relu(x) + exp(min(x, 0)): the input and both results."""
    yield from ("x", s.own("x"), s.own("x"))


def _of_xielu(s: Saving) -> Iterator[Kept]:
    """Both branches: alpha_p * x, exp(x) - 1 and its difference to x, the factors of both, and
    which one is chosen.
    """
    yield from ("x", Own("float", 3 * s.size("x") + 2), s.own("x", "bool"))


ACTIVATIONS: dict[str, Saves] = {
    "gelu": keeps("x"),
    "gelu_tanh": keeps("x"),
    "quick_gelu": _with_sigmoid,
    "swish": _with_sigmoid,
    "relu": keeps(OUT),
    "relu2": _of_relu,
    "silu": keeps("x"),
    "tanh": keeps(OUT),
    "sigmoid": keeps(OUT),
    "softplus": keeps("x"),
    "elu_features": _of_elu,
    "xielu": _of_xielu,
}


def activation_saves(s: Saving) -> Iterable[Kept]:
    return ACTIVATIONS[s.op.attrs["function"]](s)


def product_saves(s: Saving) -> Iterator[Kept]:
    """Each factor, if the other one needs a gradient."""
    yield from (own for own, other in ("ab", "ba") if s.trained(other))


def dropout_saves(s: Saving) -> Iterator[Kept]:
    """The dropout mask: floats on the CPU, booleans in GPU kernels."""
    if number(s.op.attrs["rate"]):
        yield s.own("x", "bool" if s.fused else "float")


def dropout_view(s: Saving) -> tuple[str, ...]:
    return () if number(s.op.attrs["rate"]) else ("x",)


def softcap_saves(s: Saving) -> Iterator[Kept]:
    yield s.own("x")  # the tanh


def drop_path_saves(s: Saving) -> Iterator[Kept]:
    yield Own("float", Poly.of("B"))


def unit_saves(s: Saving) -> Iterator[Kept]:
    """The input, its norm, and the clamped norm."""
    yield from ("x", Own("float", 2 * s.rows("x")))


def modulate_saves(s: Saving) -> Iterator[Kept]:
    """The input, for the gradient of the scale, and 1 + scale, for that of the input."""
    if s.trained("scale"):
        yield "x"
    if s.trained("x"):
        yield s.own("scale")


ROWS: dict[str, Row] = {
    "activation": Row(
        "the function `function` (and `beta` for swish; xielu has two learned numbers)",
        ("x",),
        same,
        activation_weights,
        attrs=("function", "beta?"),
        saves=activation_saves,
    ),
    "add": Row("a + b", ("a", "b"), broadcast),
    "multiply": Row("a * b", ("a", "b"), broadcast, saves=product_saves),
    "lerp": Row(
        "weight * b + (1 - weight) * a",
        ("a", "b", "weight"),
        broadcast,
        saves=keeps("a", "b", "weight"),
    ),
    "scale": Row(
        "x * factor (a number, a Field, or `sqrt_d_model`)",
        ("x",),
        attrs=("factor", "size?"),
    ),
    "by_layer": Row("x / the layer's number, counted from 1", ("x",), uses_layer=True),
    "clamp": Row(
        "x clamped to [-low, high] (low None: no lower bound)",
        ("x",),
        attrs=("low", "high"),
        saves=keeps("x"),
    ),
    "softcap": Row("cap * tanh(x / cap)", ("x",), attrs=("cap",), saves=softcap_saves),
    "learned_scale": Row(
        "x * vector, or * number if `dim` is 1",
        ("x",),
        same,
        vector_weights,
        attrs=("dim", "initial"),
        saves=keeps("x"),
    ),
    "head_bias": Row(
        "x + a vector for each head (H, E)",
        ("x",),
        same,
        head_weights,
        part="positions",
        attrs=("heads", "width"),
    ),
    "add_bias": Row(
        "x + vector; with `trained` false, the vector gets no gradient",
        ("x",),
        same,
        bias_weights,
        attrs=("dim", "trained?", "initial?"),
    ),
    "dropout": Row(
        "in training, zero with probability `rate`, the rest scaled by 1/(1 - rate)",
        ("x",),
        attrs=("rate",),
        saves=dropout_saves,
        view=dropout_view,
    ),
    "drop_path": Row(
        "in training, the whole branch of a sequence is zero with probability `rate`",
        ("x",),
        attrs=("rate",),
        saves=drop_path_saves,
    ),
    "drop_labels": Row(
        "in training, a label is replaced by `label` with probability `rate`",
        ("labels",),
        attrs=("rate", "label"),
    ),
    "chunk": Row(
        "(B, n*D) to n times (B, D), in order",
        ("x",),
        chunk_shapes,
        attrs=("count", "dim"),
        view=view("x"),
    ),
    "modulate": Row(
        "x * (1 + scale) + shift, with the shift and the scale of each sequence (B, D)",
        ("x", "shift", "scale"),
        saves=modulate_saves,
    ),
    "l2_normalize": Row("x / max(|x|, 1e-12) over the last axis", ("x",), saves=unit_saves),
}
