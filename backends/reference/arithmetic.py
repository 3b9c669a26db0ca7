"""Linear layers, embeddings, norms and elementwise ops.

gelu        Hendrycks, Gimpel 2016, arXiv:1606.08415 (exact with erf, its tanh form, and
            `quick_gelu`, x * sigmoid(1.702 x), from the same paper)
relu2       So et al. 2021, arXiv:2109.08668
silu        Elfwing et al. 2017, arXiv:1702.03118; swish with beta: Ramachandran et al. 2017,
            arXiv:1710.05941
layer_norm  Ba, Kiros, Hinton 2016, arXiv:1607.06450
rms_norm    Zhang, Sennrich 2019, arXiv:1910.07467
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from .call import Array, Call
from .linear import elu_features

_erf = np.vectorize(math.erf, otypes=[np.float64])


# -- tables and linear layers


def embedding(call: Call) -> Array:
    """Rows of a table, (*ids, width). Raises ValueError for an id out of range."""
    ids, table = call.given("ids"), call.weights["weight"]
    if ids.size and not (ids.min() >= 0 and ids.max() < len(table)):
        raise ValueError(
            f"embedding: ids from {ids.min()} to {ids.max()} in a table of {len(table)} rows"
        )
    rows: Array = table[ids]
    return rows


def linear(call: Call) -> Array:
    result: Array = call.given("x") @ call.weights["weight"].T
    return result + call.weights["bias"] if "bias" in call.weights else result


def table(call: Call) -> Array:
    return call.weights["weight"]


# -- norms


def layer_norm(call: Call) -> Array:
    x = call.given("x")
    centred = x - x.mean(axis=-1, keepdims=True)
    variance = (centred**2).mean(axis=-1, keepdims=True)
    return _affine(call, centred / np.sqrt(variance + call.value("eps")))


def rms_norm(call: Call) -> Array:
    x = call.given("x")
    square = (x**2).mean(axis=-1, keepdims=True)
    return _affine(call, x / np.sqrt(square + call.value("eps")))


def _affine(call: Call, x: Array) -> Array:
    """`x * (weight + weight_offset) + bias`; weights (H, E) have one row per head."""
    if "weight" in call.weights:
        x = x * _along(call.weights["weight"] + (call.value("weight_offset") or 0))
    return x + _along(call.weights["bias"]) if "bias" in call.weights else x


def _along(vector: Array) -> Array:
    return vector if vector.ndim == 1 else vector[:, None, :]  # (H, 1, E) beside (B, H, T, E)


def l2_normalize(call: Call) -> Array:
    x = call.given("x")
    length = np.sqrt((x**2).sum(axis=-1, keepdims=True))
    result: Array = x / np.maximum(length, 1e-12)
    return result


# -- elementwise


def sigmoid(x: Array) -> Array:
    small = np.exp(-np.abs(x))  # never overflows
    return np.where(x >= 0, 1 / (1 + small), small / (1 + small))


def gelu(x: Array) -> Array:
    result: Array = 0.5 * x * (1 + _erf(x / math.sqrt(2)))
    return result


def gelu_tanh(x: Array) -> Array:
    result: Array = 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return result


def relu(x: Array) -> Array:
    return np.where(x > 0, x, 0.0)


FUNCTIONS: dict[str, Callable[[Array], Array]] = {
    "gelu": gelu,
    "gelu_tanh": gelu_tanh,
    "quick_gelu": lambda x: x * sigmoid(1.702 * x),
    "relu": relu,
    "relu2": lambda x: relu(x) ** 2,
    "silu": lambda x: x * sigmoid(x),
    "tanh": lambda x: np.asarray(np.tanh(x)),
    "sigmoid": sigmoid,
    "softplus": lambda x: np.logaddexp(0, x),
    "identity": lambda x: x,
    "elu_features": elu_features,
}


def xielu(x: Array, alpha_p: Array, alpha_n: Array, beta: Array, eps: Array) -> Array:
    """The integral of a line for x > 0 and of an exponential for x < 0, plus beta * x."""
    slope_p, slope_n = np.log1p(np.exp(alpha_p)), beta + np.log1p(np.exp(alpha_n))
    below = slope_n * (np.expm1(np.minimum(x, eps)) - x)
    return np.asarray(beta * x + np.where(x > 0, slope_p * x**2, below))


def activation(call: Call) -> Array:
    x, name = call.given("x"), call.attrs["function"]
    if name == "swish":
        result: Array = x * sigmoid(call.value("beta") * x)
        return result
    if name == "xielu":
        return xielu(x, **call.weights)
    return FUNCTIONS[name](x)


def scale(call: Call) -> Array:
    """`x * factor`; the factor may be `sqrt_d_model`, with the width as `size`."""
    factor = call.value("factor")
    if factor == "sqrt_d_model":
        factor = math.sqrt(call.value("size"))
    result: Array = call.given("x") * factor
    return result


def clamp(call: Call) -> Array:
    """`x` clamped to [-low, high]; either may be None."""
    x, low, high = call.given("x"), call.value("low"), call.value("high")
    x = x if low is None else np.maximum(x, -low)
    return x if high is None else np.minimum(x, high)


def softcap(call: Call) -> Array:
    return cap(call.given("x"), call.value("cap"))


def cap(x: Array, limit: float) -> Array:
    """`limit * tanh(x / limit)` (Gemma Team 2024, arXiv:2408.00118)."""
    result: Array = limit * np.tanh(x / limit)
    return result


def add(call: Call) -> Array:
    result: Array = call.given("a") + call.given("b")
    return result


def multiply(call: Call) -> Array:
    result: Array = call.given("a") * call.given("b")
    return result


def lerp(call: Call) -> Array:
    """weight * b + (1 - weight) * a."""
    weight = call.given("weight")
    return np.asarray(weight * call.given("b") + (1 - weight) * call.given("a"))


def shift(call: Call) -> Array:
    result: Array = call.given("x") + call.value("amount")
    return result


def learned_scale(call: Call) -> Array:
    result: Array = call.given("x") * call.weights[""]
    return result


def add_bias(call: Call) -> Array:
    result: Array = call.given("x") + call.weights[""]
    return result


def similarity(call: Call) -> Array:
    """The dot product of each row of one input with each row of the other."""
    result: Array = np.einsum("in,jn->ij", call.given("a"), call.given("b"))
    return result


def exp_scale(call: Call) -> Array:
    result: Array = call.given("x") * np.exp(call.weights[""])
    return result


def tanh_scale(call: Call) -> Array:
    result: Array = call.given("x") * np.tanh(call.weights[""])
    return result


def head_bias(call: Call) -> Array:
    """Add a vector per head, (B, H, T, E)."""
    return call.given("x") + _along(call.weights[""])


def by_layer(call: Call) -> Array:
    """Divide by the layer's number, counted from 1."""
    result: Array = call.given("x") / (call.layer + 1)
    return result


def stack(call: Call) -> Array:
    """One above the other."""
    return np.stack(call.several("parts"))


def concat(call: Call) -> Array:
    """Concatenate along the last axis."""
    return np.concatenate(call.several("parts"), axis=-1)


def chunk(call: Call) -> tuple[Array, ...]:
    """(B, n*D) to n times (B, D)."""
    x, width = call.given("x"), int(call.attrs["dim"].size)
    return tuple(x[..., i * width : (i + 1) * width] for i in range(call.value("count")))


def modulate(call: Call) -> Array:
    """x (1 + scale) + shift (Peebles, Xie 2022, arXiv:2212.09748)."""
    x, shift, scale = (call.given(slot) for slot in ("x", "shift", "scale"))
    result: Array = x * (1 + scale[:, None, :]) + shift[:, None, :]
    return result


def drop_labels(call: Call) -> Array:
    """Labels are only replaced in training."""
    return call.given("labels")


def unchanged(call: Call) -> Array:
    """Ops that only act in training (dropout, drop_path)."""
    return call.given("x")
