"""What is done to every number alone, or to two of the same place."""

from __future__ import annotations

from ..graph import Initial, Weight
from .row import ZEROS, Attrs, Row, broadcast, same


def vector_weights(attrs: Attrs) -> tuple[Weight, ...]:
    return (Weight("", (attrs["dim"].size,), Initial("constant", attrs["initial"])),)


def head_weights(attrs: Attrs) -> tuple[Weight, ...]:
    return (Weight("", (attrs["heads"].size, attrs["width"].size), ZEROS),)


def bias_weights(attrs: Attrs) -> tuple[Weight, ...]:
    initial = Initial("constant", attrs["initial"]) if "initial" in attrs else ZEROS
    return (Weight("", (attrs["dim"].size,), initial, trained=attrs.get("trained", True)),)


ROWS: dict[str, Row] = {
    "activation": Row(
        "the function `function` (and `beta` for swish)", ("x",), attrs=("function", "beta?")
    ),
    "add": Row("a + b", ("a", "b"), broadcast),
    "multiply": Row("a * b", ("a", "b"), broadcast),
    "scale": Row(
        "x * factor (a number, a Field, or the words sqrt_d_model)",
        ("x",),
        attrs=("factor", "size?"),
    ),
    "by_layer": Row("x / the number of the layer, from 1", ("x",)),
    "clamp": Row(
        "x limited to -low..high (low may be None: no lower limit)", ("x",), attrs=("low", "high")
    ),
    "softcap": Row("cap * tanh(x / cap)", ("x",), attrs=("cap",)),
    "learned_scale": Row("x * vector", ("x",), same, vector_weights, attrs=("dim", "initial")),
    "head_bias": Row(
        "x + the vector of each head (H, E)",
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
    ),
    "drop_path": Row(
        "in training, the whole branch of a sequence is zero with probability rate",
        ("x",),
        attrs=("rate",),
    ),
    "l2_normalize": Row("x / max(|x|, 1e-12) over the last axis", ("x",)),
}
