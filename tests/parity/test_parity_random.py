"""Random specs are refused with an error, or equal the reference."""

from __future__ import annotations

import pytest
import torch
from inputs import unpadded, with_padding
from perturb import perturb, relative_error
from random_specs import random_spec
from torch import Tensor, nn

import modelwright as mw
from modelwright.backends.reference import run
from modelwright.compiler import ModuleGraph

EXACT = 1e-10
SEEDS = [
    *range(50),
    *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(50, 500)),
]


def results(graph: ModuleGraph, network: nn.Module, data: dict[str, Tensor]) -> dict[str, Tensor]:
    found = network(**data)
    return found if isinstance(found, dict) else {next(iter(graph.outputs)): found}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("seed", SEEDS)
def test_random_spec(seed: int) -> None:
    text = random_spec(seed)
    try:
        graph = mw.lower(mw.loads(text))
    except mw.SpecErrors:
        return
    network = perturb(mw.compile(graph, dtype="float64"), std=0.2)
    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    for data in (unpadded(graph), with_padding(graph, "left"), with_padding(graph, "right")):
        expected = run(graph, weights, {name: value.numpy() for name, value in data.items()})
        with torch.no_grad():
            found = results(graph, network, data)
        for name, value in found.items():
            assert relative_error(value, torch.from_numpy(expected[name])) <= EXACT, text
    network.train()
    loss = sum(value.square().sum() for value in results(graph, network, data).values())
    loss.backward()
    gradients = [weight.grad for weight in network.parameters()]
    assert all(g is None or torch.isfinite(g).all() for g in gradients), text


def test_most_are_not_refused() -> None:
    refused = 0
    for seed in range(100):
        try:
            mw.loads(random_spec(seed))
        except mw.SpecErrors:
            refused += 1
    assert refused < 50
