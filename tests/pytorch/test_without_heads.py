"""Models without some heads equal models whose output projections do not read these heads."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from small_examples import NAMES, small_graph
from torch import Tensor, nn
from variations import inputs_of, spec_of

import modelwright as mw
from modelwright.backends.pytorch.attention_maps import MapsError
from modelwright.backends.pytorch.without_heads import attentions
from modelwright.backends.reference import random_weights

WITHOUT = ("evoformer", "llava_like", "rnnsearch", "tiny_fastformer", "tiny_linear")
"""No attention with heads; or tokens that stand for the vectors of an image."""
IDS = torch.tensor([[1, 2, 3, 4], [4, 3, 2, 1]])


def flat(results: Tensor | dict[str, Tensor]) -> Tensor:
    parts = results.values() if isinstance(results, dict) else [results]
    return torch.cat([part.detach().flatten() for part in parts])


def zeroed(model: nn.Module, name: str, heads: list[int], count: int) -> None:
    """Let an output projection read nothing of these heads."""
    weight = model.get_submodule(name).weight
    width = weight.size(1) // count
    with torch.no_grad():
        for head in heads:
            weight[:, head * width : (head + 1) * width] = 0


@pytest.mark.sampled(4)
@pytest.mark.parametrize("name", [name for name in NAMES if name not in WITHOUT])
def test_the_projection_reads_nothing_of_them(name: str) -> None:
    graph = small_graph(name)
    model: Any = mw.compile(graph, dtype="float64").eval()
    weights = random_weights(graph, 0)
    model.load_state_dict({key: torch.from_numpy(array) for key, array in weights.items()})
    data = {key: torch.from_numpy(x) for key, x in inputs_of(graph, "none").items()}
    found = attentions(graph)
    chosen = {attention: [0, at.heads - 1] for attention, at in found.items()}
    assert chosen
    with torch.no_grad():
        before = flat(model(**data))
        with mw.without_heads(model, chosen):
            without = flat(model(**data))
        assert torch.equal(flat(model(**data)), before)
        for at in found.values():
            zeroed(model, f"{at.module}.{at.projection}", [0, at.heads - 1], at.heads)
        assert torch.equal(flat(model(**data)), without)
    assert not torch.equal(before, without)


def test_layers_that_share_a_module_are_told_apart() -> None:
    model: Any = mw.compile(small_graph("albert_base"), dtype="float64", seed=0).eval()
    layers = ["layers.0.attention", "layers.1.attention"]
    found = []
    for chosen in ([], layers[:1], layers[1:], layers):
        with torch.no_grad(), mw.without_heads(model, {each: [0] for each in chosen}):
            found.append(flat(model(IDS)))
    for first in range(4):
        assert all(not torch.equal(found[first], other) for other in found[first + 1 :])


def test_contexts_are_nested_and_last_through_generate() -> None:
    model: Any = mw.compile(spec_of("decoder"), dtype="float64", seed=0).eval()
    first, both = {"layers.0.attention": [0]}, {"layers.0.attention": [0, 1]}
    with torch.no_grad(), mw.without_heads(model, both):
        expected = model.generate(IDS, max_new_tokens=3, temperature=0), model(IDS)
    with torch.no_grad(), mw.without_heads(model, first):
        with mw.without_heads(model, {"layers.0.attention": [1]}) as same:
            assert same is model
            assert torch.equal(model.generate(IDS, max_new_tokens=3, temperature=0), expected[0])
            assert torch.equal(model(IDS), expected[1])
        assert not torch.equal(model(IDS), expected[1])


@pytest.mark.parametrize(
    ("heads", "error"),
    [
        ({"layers.0.attention": [9]}, r"layers.0.attention has heads 0 to \d+, not 9"),
        ({"layers.0.attention": [-1]}, r"layers.0.attention has heads 0 to \d+, not -1"),
        ({"layers.0": [0]}, r"no attention layers.0 whose heads .*: layers.0.attention"),
    ],
)
def test_what_is_not_there_is_named(heads: dict[str, list[int]], error: str) -> None:
    model = mw.compile(spec_of("decoder"))
    with pytest.raises(ValueError, match=error), mw.without_heads(model, heads):
        pass


def test_a_compiled_model_is_refused() -> None:
    model = torch.compile(mw.compile(spec_of("decoder")), backend="eager")
    with pytest.raises(MapsError, match="ignores hooks"), mw.without_heads(model, {}):
        pass


def test_a_model_without_its_spec_is_refused() -> None:
    with pytest.raises(MapsError, match="give the spec"), mw.without_heads(nn.Linear(1, 1), {}):
        pass
