"""Graphormer against NumPy that is written from the paper (Ying et al., 2021, arXiv:2106.05234)."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import modelwright as mw

SIZES = ("d_model=16", "layers=2", "attention.heads=4", "feed_forward.d_ff=16")
KINDS, DEGREES, FARTHEST, LONGEST, EDGES = 6, 5, 7, 3, 4
SIZES += (
    f"input.vocab_size={KINDS + 1}",
    f"input.add={{in_degree: {DEGREES}, out_degree: {DEGREES}}}",
    f"attention.score_bias=[{{type: table, argument: spatial_pos, entries: {FARTHEST + 2}}}, "
    f"{{type: path, argument: edge_input, entries: {EDGES}, max_distance: {LONGEST}}}]",
)
Array = np.ndarray[Any, Any]


class Molecule:
    """A random directed graph: a ring with one more edge, with kinds of nodes and edges."""

    def __init__(self, nodes: int, seed: int) -> None:
        draw = np.random.default_rng(seed)
        self.kinds = draw.integers(0, KINDS, nodes)
        pairs = [(i, (i + 1) % nodes) for i in range(nodes)] + [(0, nodes // 2)]
        self.edges = {pair: int(draw.integers(0, EDGES)) for pair in pairs}
        self.paths = {pair: self._path(*pair) for pair in itertools.product(range(nodes), repeat=2)}

    def _path(self, start: int, end: int) -> list[int]:
        """The kinds of the edges of one of the shortest paths."""
        ways: list[tuple[int, list[int]]] = [(start, [])]
        while True:
            node, kinds = ways.pop(0)
            if node == end:
                return kinds
            ways += [(b, [*kinds, kind]) for (a, b), kind in self.edges.items() if a == node]

    def degrees(self, side: int) -> Array:
        ends = [pair[side] for pair in self.edges]
        return np.array([ends.count(i) for i in range(len(self.kinds))])

    def arguments(self) -> dict[str, Array]:
        """What the compiled model takes: the virtual node is the first token."""
        count = len(self.kinds) + 1
        far = np.full((count, count), FARTHEST + 1)
        steps = np.zeros((count, count, LONGEST), int)
        for (i, j), path in self.paths.items():
            far[i + 1, j + 1] = min(len(path), FARTHEST)
            for n, kind in enumerate(path[:LONGEST]):
                steps[i + 1, j + 1, n] = kind + 1
        ids = {"node_ids": np.append(KINDS, self.kinds)}
        for name, side in (("in_degree", 1), ("out_degree", 0)):
            ids[name] = np.append(0, self.degrees(side))
        return ids | {"spatial_pos": far, "edge_input": steps}


def by_the_paper(weights: dict[str, Array], graph: Molecule, heads: int) -> Array:
    """The logits of a graph, from equations 3, 5, 6, 7, 8 and 9, with the virtual node last."""
    nodes, z = len(graph.kinds), weights
    plus, minus = z["out_degree_embedding.weight"], z["in_degree_embedding.weight"]
    h = z["token_embedding.weight"][graph.kinds]
    h = h + minus[graph.degrees(1)] + plus[graph.degrees(0)]  # equation 5
    virtual = z["token_embedding.weight"][KINDS] + minus[0] + plus[0]
    h = np.concatenate([h, virtual[None]])

    b = np.zeros((heads, nodes + 1, nodes + 1))
    b[:] = z["spatial_pos_bias.weight"][FARTHEST + 1][:, None, None]  # with the virtual node
    for (i, j), path in graph.paths.items():
        b[:, i, j] = z["spatial_pos_bias.weight"][min(len(path), FARTHEST)]  # equation 6
        for n, kind in enumerate(path[:LONGEST]):
            feature, weight = z["edge_input_embedding.weight"][kind + 1], z["edge_input_places"][n]
            b[:, i, j] += feature @ weight / min(len(path), LONGEST)  # equation 7

    def norm(x: Array, name: str) -> Array:
        middle = x - x.mean(-1, keepdims=True)
        unit = middle / np.sqrt((middle**2).mean(-1, keepdims=True) + 1e-5)
        return unit * z[f"{name}.weight"] + z[f"{name}.bias"]

    def linear(x: Array, name: str) -> Array:
        return x @ z[f"{name}.weight"].T + z[f"{name}.bias"]

    def gelu(x: Array) -> Array:
        return np.array(0.5 * x * (1 + torch.erf(torch.from_numpy(x) / 2**0.5).numpy()))

    def attention(x: Array, name: str) -> Array:
        q, k, v = (linear(x, f"{name}.{part}") for part in ("query", "key", "value"))
        results = []
        for head, part in enumerate(np.split(np.arange(x.shape[1]), heads)):
            scores = q[:, part] @ k[:, part].T / np.sqrt(len(part)) + b[head]  # equations 3, 6
            shares = np.exp(scores - scores.max(-1, keepdims=True))
            results.append(shares / shares.sum(-1, keepdims=True) @ v[:, part])
        return linear(np.concatenate(results, 1), f"{name}.output")

    for layer in range(2):
        at = f"layers.{layer}"
        h = attention(norm(h, f"{at}.attention_norm"), f"{at}.attention") + h  # equation 8
        inner = gelu(linear(norm(h, f"{at}.feed_forward_norm"), f"{at}.feed_forward.up"))
        h = linear(inner, f"{at}.feed_forward.down") + h  # equation 9
    return linear(h[-1], "head.output")  # the virtual node reads the graph


@pytest.mark.parametrize("nodes", [3, 8])
def test_graphormer_is_that_of_the_paper(examples: Path, nodes: int) -> None:
    spec = mw.load(examples / "graphormer_base.yaml", sets=SIZES)
    torch.manual_seed(0)
    model = mw.compile(spec, dtype="float64", seed=0).eval()
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
    weights = {name: value.numpy() for name, value in model.state_dict().items()}
    graphs = [Molecule(nodes, seed) for seed in range(2)]
    rows = [graph.arguments() for graph in graphs]
    data = {name: torch.from_numpy(np.stack([row[name] for row in rows])) for name in rows[0]}
    with torch.no_grad():
        found = model(**data).numpy()
    for row, graph in zip(found, graphs, strict=True):
        np.testing.assert_allclose(row, by_the_paper(weights, graph, 4), rtol=0, atol=1e-12)
