"""Activations and normalisations."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ...spec.activation import Swish, Xielu
from ...spec.norm import LayerNorm
from ...spec.part import Nothing
from .weights import Array, Weights

erf = np.vectorize(math.erf, otypes=[np.float64])


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), without overflow."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + small), small / (1 + small))


def softplus(x: Array) -> Array:
    """ln(1 + exp(x)), without overflow."""
    return np.logaddexp(0, x)


def softmax(x: Array) -> Array:
    """exp(x) / sum(exp(x)) over the last axis; -inf gives 0, and a row of -inf gives zeros."""
    top = np.max(x, axis=-1, keepdims=True, initial=-np.inf)
    powers = np.exp(x - np.where(np.isfinite(top), top, 0))
    total = powers.sum(axis=-1, keepdims=True)
    return powers / np.where(total == 0, 1, total)


ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    # x Φ(x), and its approximation (Hendrycks and Gimpel, 2016, arXiv:1606.08415, section 2)
    "gelu": lambda x: 0.5 * x * (1 + erf(x / math.sqrt(2))),
    "gelu_tanh": lambda x: 0.5 * x * (1 + np.tanh((2 / math.pi) ** 0.5 * (x + 0.044715 * x**3))),
    "quick_gelu": lambda x: x * sigmoid(1.702 * x),
    "relu": lambda x: np.maximum(x, 0),
    "relu2": lambda x: np.maximum(x, 0) ** 2,  # So et al., 2021, arXiv:2109.08668
    "silu": lambda x: x * sigmoid(x),
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "softplus": softplus,
    "identity": lambda x: x,
}


def activate(activation: Any, x: Array, weights: Weights | None = None) -> Array:
    """An activation. Swish: x sigmoid(βx) (Ramachandran et al. 2017, arXiv:1710.05941). xIELU:
    Huang and Schlag, 2024, arXiv:2411.13010, section 3, and their code for x near 0.
    """
    if isinstance(activation, Swish):
        return x * sigmoid(activation.beta * x)
    if isinstance(activation, Xielu) and weights is not None:
        up, down = (softplus(weights(f"activation.alpha_{side}", 1)) for side in "pn")
        beta, eps = (weights(f"activation.{name}", 1) for name in ("beta", "eps"))
        left = (beta + down) * (np.expm1(np.minimum(x, eps)) - x)
        return np.where(x > 0, up * x**2, left) + beta * x
    return ACTIVATIONS[activation.type](x)


def normalize(norm: Any, weights: Weights, name: str, x: Array, axis: int = -1) -> Array:
    """A norm of the spec over an axis (default: the last), with the weights `name.weight` and
    `name.bias` along the last axis.

    LayerNorm: (x - mean) / sqrt(var + eps) * weight + bias (Ba et al., 2016, arXiv:1607.06450,
    eq. 4). RMSNorm: x / sqrt(mean(x²) + eps) * weight (Zhang and Sennrich, 2019,
    arXiv:1910.07467, eq. 4).
    """
    if isinstance(norm, Nothing):
        return x
    if isinstance(norm, LayerNorm):
        x = x - x.mean(axis=axis, keepdims=True)
    y: Array = x / np.sqrt((x**2).mean(axis=axis, keepdims=True) + norm.eps)
    if norm.affine:
        y = y * (weights(f"{name}.weight") + norm.weight_offset)
    if isinstance(norm, LayerNorm) and norm.affine and norm.bias:
        y = y + weights(f"{name}.bias")
    return y
