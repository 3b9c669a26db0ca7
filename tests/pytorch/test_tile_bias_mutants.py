"""Small faults in biases and sinks of tiles change the results."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import modelwright as mw
from modelwright.backends import reference
from modelwright.backends.pytorch import emit, import_text
from modelwright.backends.verify.laws.tiles import tiles_of
from modelwright.compiler import ModuleGraph

SPEC = """
name: tiny
family: {family}
vocab_size: 40
d_model: 16
layers: 1
positions: {positions}
mask: {mask}
attention: {attention}
head: none
"""
BUCKETS = "{type: relative_bias, buckets: 8, max_distance: 9}"
PAST = "{type: relative_bias, buckets: 6, max_distance: 9, bidirectional: false}"
GROUPED = "{heads: 4, kv_heads: 2}"
CAPPED = "{heads: 4, softcap: 2.0, sinks: true}"
MUTANTS = {
    "distance 0 is after the query": (BUCKETS, "{heads: 4}", "(distance > 0)", "(distance >= 0)"),
    "before is after": (BUCKETS, "{heads: 4}", "(distance > 0)", "(distance < 0)"),
    "all buckets for both sides": (BUCKETS, "{heads: 4}", "num_embeddings // 2", "num_embeddings"),
    "heads in the wrong place": (BUCKETS, "{heads: 4}", "permute(2, 0, 1)", "permute(2, 1, 0)"),
    "distances backwards": (
        PAST,
        "{heads: 4}",
        "distance = positions[:, None] - torch.arange(end, device=positions.device)",
        "distance = torch.arange(end, device=positions.device) - positions[:, None]",
    ),
    "distances of the first range": (
        "alibi",
        "{heads: 4}",
        "bias(q - part.start,",
        "bias(q - ranges[0].start - 1,",
    ),
    "one bias for all tiles": (BUCKETS, "{heads: 4}", ", *distances", ""),
    "heads of another group": (
        "alibi",
        GROUPED,
        "torch.unflatten(bias, -3, (kv_heads, -1))",
        "torch.unflatten(bias, -3, (-1, kv_heads)).transpose(-3, -4)",
    ),
    "a sink of 0": ("none", CAPPED, "sinks[:, None, None]", "0 * sinks[:, None, None]"),
    "a sink with a value": (
        "none",
        CAPPED,
        "F.pad(v, (0, 0, 0, 1))",
        "F.pad(v, (0, 0, 0, 1), value=1)",
    ),
}
"""Name -> positions, attention, and what a mutant of the file has in place of some text."""


def case_of(positions: str, attention: str) -> ModuleGraph:
    causal = positions != BUCKETS
    family = "decoder-only" if causal else "encoder-only"
    mask = "causal & window(4)" if causal else "band(3, 2)"
    text = SPEC.format(family=family, mask=mask, positions=positions, attention=attention)
    return mw.lower(mw.loads(text))


def apart(graph: ModuleGraph, before: str = "", after: str = "") -> float:
    """The largest error of a file in tiles, in one pass and token by token."""
    text = emit(graph)
    if before:
        assert text.count(before) == 1, text
        text = text.replace(before, after)
    module = import_text(text, "mutant")
    model: nn.Module = module.Tiny().double()
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(torch.randn(weight.shape, generator=draw, dtype=weight.dtype))
    ids = torch.randint(0, 40, (2, 12), generator=draw)
    weights = {key: value.numpy() for key, value in model.state_dict().items()}
    (head,) = graph.outputs
    expected = reference.run(graph, weights, {"input_ids": ids.numpy()})[head]
    errors = []
    with torch.no_grad(), tiles_of(module, 3):
        try:
            found = [model(input_ids=ids)]
            if hasattr(module, "Cache"):
                found.append(_steps(model, ids, module.Cache(12)))
        except (RuntimeError, IndexError):
            return float("inf")
        for each in found:
            errors.append(float((each - torch.from_numpy(expected)).abs().max()))
    return max(errors)


def _steps(model: nn.Module, ids: Tensor, cache: object) -> Tensor:
    return torch.cat([model(input_ids=part, cache=cache) for part in ids.split(1, dim=1)], dim=1)


@pytest.mark.parametrize("name", MUTANTS)
@pytest.mark.usefixtures("every_mask_in_tiles")
def test_mutants_of_biases_are_detected(name: str) -> None:
    positions, attention, before, after = MUTANTS[name]
    graph = case_of(positions, attention)
    assert apart(graph) < 1e-12
    assert apart(graph, before, after) > 1e-3
