"""The Evoformer against NumPy that is written from the paper: Jumper et al., 2021, supplementary
information, algorithms 6 to 15. The letters are those of the paper.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import modelwright as mw

SMALL = {"layers: 48": "layers: 2", "d_model: 256": "d_model: 12", "d_model: 128": "d_model: 10"}
SMALL |= {"heads: 8": "heads: 3", "heads: 4": "heads: 2", "head_dim: 32": "head_dim: 4"}
SMALL |= {"hidden: 128": "hidden: 6", "hidden: 32": "hidden: 5"}
SEQUENCES, RESIDUES = 4, 6
Array = np.ndarray[Any, Any]


def sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))


class Paper:
    """The algorithms of one layer. `z` are its weights by name."""

    def __init__(self, weights: dict[str, Array], layer: int) -> None:
        start = f"layers.{layer}."
        self.z = {k.removeprefix(start): w for k, w in weights.items() if k.startswith(start)}

    def linear(self, name: str, x: Array) -> Array:
        y = np.einsum("...c,dc->...d", x, self.z[f"{name}.weight"])
        return y + self.z[f"{name}.bias"] if f"{name}.bias" in self.z else y

    def norm(self, name: str, x: Array) -> Array:
        middle = x - x.mean(-1, keepdims=True)
        unit = middle / np.sqrt((middle**2).mean(-1, keepdims=True) + 1e-5)
        return np.asarray(unit * self.z[f"{name}.weight"] + self.z[f"{name}.bias"])

    def attention(
        self,
        name: str,
        x: Array,
        heads: int,
        key: Callable[[int, int, int], tuple[int, int]],
        bias: Callable[[int, int, int], Array | float],
    ) -> Array:
        """Each place (i, j) attends to the places key(i, j, k), with the bias (H,) of (i, j, k)."""
        m = self.norm(f"{name}_norm", x)
        first, second, _ = m.shape
        parts = [self.linear(f"{name}.{part}", m) for part in ("query", "key", "value")]
        q, k, v = (part.reshape(first, second, heads, -1) for part in parts)
        g = sigmoid(self.linear(f"{name}.output_gate", m))
        o = np.zeros_like(q)
        for i in range(first):
            for j in range(second):
                along_second = key(1, 1, 0) == (1, 0)
                places = [key(i, j, n) for n in range(second if along_second else first)]
                scores = np.array(
                    [
                        (q[i, j] * k[place]).sum(-1) / np.sqrt(q.shape[-1]) + bias(i, j, n)
                        for n, place in enumerate(places)
                    ]
                )
                shares = np.exp(scores - scores.max(0)) / np.exp(scores - scores.max(0)).sum(0)
                o[i, j] = sum(shares[n][:, None] * v[place] for n, place in enumerate(places))
        return self.linear(f"{name}.output", g * o.reshape(first, second, -1))

    def row_attention(self, m: Array, z: Array) -> Array:
        """Algorithm 7: b_ij = Linear(LayerNorm(z_ij))."""
        b = self.linear("attention1.pair_bias", self.norm("attention1.pair_norm", z))
        return self.attention("attention1", m, 3, lambda s, i, j: (s, j), lambda s, i, j: b[i, j])

    def column_attention(self, m: Array) -> Array:
        """Algorithm 8."""
        return self.attention("attention2", m, 3, lambda s, i, t: (t, i), lambda s, i, t: 0.0)

    def transition(self, name: str, x: Array) -> Array:
        """Algorithms 9 and 15."""
        a = self.linear(f"{name}.up", self.norm(f"{name}_norm", x))
        return self.linear(f"{name}.down", np.maximum(a, 0))

    def outer_product_mean(self, m: Array) -> Array:
        """Algorithm 10."""
        m = self.norm("outer_product_mean_norm", m)
        a, b = (self.linear(f"outer_product_mean.{name}", m) for name in ("left", "right"))
        o = np.array(
            [
                [
                    np.mean([np.outer(a[s, i], b[s, j]).ravel() for s in range(len(m))], axis=0)
                    for j in range(m.shape[1])
                ]
                for i in range(m.shape[1])
            ]
        )
        return self.linear("outer_product_mean.output", o)

    def triangle_multiplication(self, number: int, z: Array) -> Array:
        """Algorithms 11 (number 1, outgoing) and 12 (number 2, incoming)."""
        name = f"triangle_multiplication{number}"
        z = self.norm(f"{name}_norm", z)
        a, b = (
            sigmoid(self.linear(f"{name}.{side}_gate", z)) * self.linear(f"{name}.{side}", z)
            for side in ("left", "right")
        )
        g = sigmoid(self.linear(f"{name}.output_gate", z))
        total = np.zeros_like(a)
        for i in range(len(z)):
            for j in range(len(z)):
                for k in range(len(z)):
                    total[i, j] += a[i, k] * b[j, k] if number == 1 else a[k, i] * b[k, j]
        return g * self.linear(f"{name}.output", self.norm(f"{name}.product_norm", total))

    def starting_node(self, z: Array) -> Array:
        """Algorithm 13: a_ijk = softmax_k(q_ij k_ik / sqrt(c) + b_jk)."""
        b = self.linear("attention3.pair_bias", self.norm("attention3_norm", z))
        return self.attention("attention3", z, 2, lambda i, j, k: (i, k), lambda i, j, k: b[j, k])

    def ending_node(self, z: Array) -> Array:
        """Algorithm 14: a_ijk = softmax_k(q_ij k_kj / sqrt(c) + b_ki)."""
        b = self.linear("attention4.pair_bias", self.norm("attention4_norm", z))
        return self.attention("attention4", z, 2, lambda i, j, k: (k, j), lambda i, j, k: b[k, i])

    def layer(self, m: Array, z: Array) -> tuple[Array, Array]:
        """Algorithm 6, without dropout."""
        m = m + self.row_attention(m, z)
        m = m + self.column_attention(m)
        m = m + self.transition("feed_forward1", m)
        z = z + self.outer_product_mean(m)
        z = z + self.triangle_multiplication(1, z)
        z = z + self.triangle_multiplication(2, z)
        z = z + self.starting_node(z)
        z = z + self.ending_node(z)
        return m, z + self.transition("feed_forward2", z)


@pytest.fixture(scope="module")
def model(examples: Path) -> Any:
    text = (examples / "evoformer.yaml").read_text(encoding="utf-8")
    for old, new in SMALL.items():
        assert old in text
        text = text.replace(old, new)
    made = mw.compile(mw.loads(text), dtype="float64", seed=0).eval()
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in made.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
    return made


def test_the_evoformer_is_that_of_the_paper(model: Any) -> None:
    draw = np.random.default_rng(0)
    m = draw.standard_normal((2, SEQUENCES, RESIDUES, 12))
    z = draw.standard_normal((2, RESIDUES, RESIDUES, 10))
    with torch.no_grad():
        found = model(torch.from_numpy(m), torch.from_numpy(z))
    weights = {name: value.numpy() for name, value in model.state_dict().items()}
    for row in range(2):
        own = m[row], z[row]
        for layer in range(2):
            own = Paper(weights, layer).layer(*own)
        for name, expected in zip(("msa", "pair"), own, strict=True):
            np.testing.assert_allclose(found[name][row], expected, rtol=0, atol=1e-12)


def test_streams_of_other_lengths_are_refused(model: Any) -> None:
    m, z = torch.zeros(1, 3, 5, 12).double(), torch.zeros(1, 6, 6, 10).double()
    with pytest.raises(ValueError, match="the sizes of the axis residue differ: 5 and 6"):
        model(m, z)
