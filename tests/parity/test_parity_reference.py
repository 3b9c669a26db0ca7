"""Compiled models equal the reference in float64: every example at small size, and rare specs."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from inputs import unpadded, with_padding
from perturb import relative_error
from shrink import ODD, examples, graph, model
from torch import Tensor

from modelwright.backends.reference import run

EXACT = 1e-12
MODELS = [*examples(), *ODD]


def assert_equals_reference(name: str, data: Mapping[str, Tensor]) -> None:
    compiled = model(name)
    weights = {key: value.numpy() for key, value in compiled.state_dict().items()}
    expected = run(graph(name), weights, {key: value.numpy() for key, value in data.items()})
    with torch.no_grad():
        found = compiled(**data)
    results = found if isinstance(found, dict) else {next(iter(graph(name).outputs)): found}
    assert results.keys() == graph(name).outputs.keys()
    for output, value in results.items():
        error = relative_error(value, torch.from_numpy(expected[output]))
        assert error <= EXACT, f"{output}: {error}"


@pytest.mark.sampled(4)
@pytest.mark.parametrize("name", MODELS)
def test_unpadded(name: str) -> None:
    assert_equals_reference(name, unpadded(graph(name)))


@pytest.mark.sampled(4)
@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("name", MODELS)
def test_padded(name: str, side: str) -> None:
    assert_equals_reference(name, with_padding(graph(name), side))
