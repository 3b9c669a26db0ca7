"""How the output of a branch joins the residual stream."""

from typing import Any

import numpy as np

from .pointwise import activate, sigmoid
from .weights import Array, Weights


def joined_by(residual: Any, weights: Weights, key: str, stream: Array, gave: Array) -> Array:
    """α · stream + output (He et al., 2015, arXiv:1512.03385; α: Wang et al., 2022,
    arXiv:2203.00555, section 4), or with a gate of the stream: Srivastava et al., 2015,
    arXiv:1505.00387, eq. 3 (`highway`); Parisotto et al., 2019, arXiv:1910.06764, section 3.2.
    """
    if residual.gate == "gru":
        return gru(weights.below(f"{key}_gate"), stream, gave)
    if residual.gate == "highway":
        share = gate(weights, key, stream)
        return share * stream + (1 - share) * gave
    return residual.stream_scale * stream + through(residual, weights, key, stream, gave)


def through(residual: Any, weights: Weights, key: str, stream: Array, gave: Array) -> Array:
    """The output times its gate, if it has one of its own."""
    return gate(weights, key, stream) * gave if residual.gate == "output" else gave


def gate(weights: Weights, key: str, stream: Array) -> Array:
    """σ(stream W + b)."""
    return sigmoid(weights.linear(f"{key}_gate", stream, stream.shape[-1], bias=True))


def gru(weights: Weights, x: Array, y: Array) -> Array:
    """(1 - z) x + z h: r, z and h of the paper's last gate, with -b_g stored as the bias of U_z."""

    def sums(name: str, state: Array) -> Array:
        old = weights.linear(f"stream_{name}", state, x.shape[-1], bias=name == "update")
        return old + weights.linear(f"branch_{name}", y, x.shape[-1], bias=False)

    r, z = sigmoid(sums("reset", x)), sigmoid(sums("update", x))
    return (1 - z) * x + z * np.tanh(sums("new", r * x))


def weighed(residual: Any, weights: Weights, key: str, gave: Array) -> Array:
    """The output after its activation, times a learned vector (Touvron et al., 2021,
    arXiv:2103.17239, eq. 3), or a number (Bachlechner et al., 2020; Alayrac et al., 2022).
    """
    gave = activate(residual.activation, gave)
    if residual.gate in ("rezero", "tanh"):
        number = weights(f"{key}_scale", 1)
        gave = gave * (number if residual.gate == "rezero" else np.tanh(number))
    if residual.layer_scale != "none":
        gave = gave * weights(f"{key}_scale", gave.shape[-1])
    return gave
