"""Files whose cache has its full size from the first step on."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._dynamo.testing import CompileCounter
from variations import VARIATIONS, graph_of, inputs_of, spec_of

import modelwright as mw
from modelwright.backends.pytorch import BuildError, BuildOptions, emit_file, instantiate
from modelwright.backends.pytorch.calls import hidden_states_of, memories_of
from modelwright.backends.pytorch.static import why_not_static
from modelwright.backends.reference import random_weights

GROWING, STATIC = BuildOptions(), BuildOptions(static_cache=True, kernel="dense")
PIECES = (4, 3, 1, 1, 40)
LONG_PIECES = (7, 1, 40)
"""For LongRoPE, whose factors change after 6 tokens: a cache has one kind."""
ROOM = 15
NEW_TOKENS = 5
SOME = ("decoder", "encoder_decoder", "shared_layers", "overrides", "mask causal | prefix")
REST = [pytest.param(name, marks=pytest.mark.slow) for name in VARIATIONS if name not in SOME]


def model_of(name: str, options: BuildOptions) -> nn.Module:
    """The model in float64, no weight at rest."""
    graph, weights = graph_of(name), random_weights(graph_of(name), 0)
    model = instantiate(emit_file(graph, options), graph.name, dtype="float64").eval()
    model.load_state_dict({key: torch.from_numpy(array) for key, array in weights.items()})
    return model


def cached_stack(name: str) -> str:
    graph = graph_of(name)
    return next(graph.scopes[op.scope].stack for op in graph.keepers())


def ids_of(name: str) -> str:
    return graph_of(name).inputs[cached_stack(name)].argument


def step_of(model: nn.Module, name: str) -> Callable[..., Tensor]:
    """The function that takes a cache and gives hidden states."""
    return hidden_states_of(model, graph_of(name), cached_stack(name))


def data_of(name: str, padding: str) -> dict[str, Tensor]:
    arrays = inputs_of(graph_of(name), padding)
    return {key: torch.from_numpy(array) for key, array in arrays.items()}


def taken_by(function: Callable[..., Any], data: dict[str, Tensor]) -> dict[str, Tensor]:
    wanted = inspect.signature(function).parameters
    return {key: tensor for key, tensor in data.items() if key in wanted}


def memories(model: nn.Module, name: str, data: dict[str, Tensor]) -> dict[str, Tensor]:
    """What the step reads of other stacks."""
    return memories_of(model, graph_of(name), cached_stack(name), data)


OWN = ("ids", "input_ids", "attention_mask", "position_ids", "token_type_ids", "document_ids")
OWN += ("prefix_length", "global_mask")
"""What a stack takes of its own tokens, less the prefix of its names."""


def in_pieces(model: nn.Module, data: dict[str, Tensor], name: str, capacity: int) -> Tensor:
    """The hidden states of pieces, joined; a cache that does not grow wants masks of its size."""
    step, memory, ids = step_of(model, name), memories(model, name, data), ids_of(name)
    cache = vars(sys.modules[type(model).__module__])["Cache"](capacity)
    static = isinstance(cache.length, Tensor)
    prefix = ids.removesuffix("input_ids" if ids.endswith("input_ids") else "ids")
    start, found = 0, []
    for size in LONG_PIECES if "longrope" in name else PIECES:
        end = min(start + size, data[ids].size(1))
        given = taken_by(step, data)
        for key in [prefix + word for word in OWN if prefix + word in given]:
            if key.endswith(("attention_mask", "document_ids", "global_mask")):
                more = (0, capacity - given[key].size(1))
                room = nn.functional.pad(given[key], more, value=1)
                given[key] = room if static else given[key][:, :end]
            elif given[key].dim() == 2:
                given[key] = given[key][:, start:end]
        if end > start:
            found.append(step(**given, **memory, cache=cache))
        start = end
    return torch.cat(found, dim=1)


@pytest.mark.parametrize("name", [*SOME, *REST])
@torch.no_grad()
def test_steps_equal_those_of_a_cache_that_grows(name: str) -> None:
    if why_not_static(graph_of(name)):
        with pytest.raises(BuildError, match="--static-cache does not apply to"):
            emit_file(graph_of(name), STATIC)
        return
    plain, model = (model_of(name, options) for options in (GROWING, STATIC))
    masked = any(key.endswith("attention_mask") for key in data_of(name, "left"))
    for padding in ("none", "left") if masked else ("none",):
        data, ids = data_of(name, padding), ids_of(name)
        wanted = in_pieces(plain, data, name, ROOM)
        for capacity in (data[ids].size(1), ROOM):
            found = in_pieces(model, data, name, capacity)
            assert (found - wanted).abs().max() <= 1e-12 * wanted.abs().max()
        whole = [m(**taken_by(m.forward, data)) for m in (plain, model)]
        first, second = (r if isinstance(r, dict) else {"": r} for r in whole)
        for head, one in first.items():
            other = second[head]
            assert (one - other).abs().max() <= 1e-12 * one.abs().max()
    if hasattr(plain, "generate"):
        generate: Any = plain.generate, model.generate
        data = data_of(name, "right" if memories(plain, name, data) else "left")
        options = {**taken_by(generate[0], data), "max_new_tokens": NEW_TOKENS, "temperature": 0}
        assert torch.equal(generate[0](**options), generate[1](**options))
        assert torch.equal(generate[0](**options), generate[1](**options, capacity=ROOM + 5))


@pytest.mark.slow
def test_most_decoders_may_have_one() -> None:
    assert sum(not why_not_static(graph_of(name)) for name in VARIATIONS) > 250


@pytest.mark.parametrize(("name", "lengths"), [("decoder", (3, 6)), ("encoder_decoder", (6, 6))])
def test_the_step_is_compiled_once(
    name: str, lengths: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """For prompts of several lengths, as long as the cache has the same room."""
    counter, compile_ = CompileCounter(), torch.compile

    def counted(function: Any, *, fullgraph: bool, mode: str) -> Any:
        assert (fullgraph, mode) == (True, "default")
        return compile_(function, fullgraph=True, backend=counter)

    monkeypatch.setattr(torch, "compile", counted)
    plain, model = (model_of(name, options) for options in (GROWING, STATIC))
    options: dict[str, Any] = {"temperature": 0, "max_new_tokens": NEW_TOKENS, "eos_token_id": None}
    for tokens in lengths:
        ids = torch.arange(tokens)[None] + 5
        wanted = plain.generate(ids, **options)  # type: ignore[operator]
        made = model.generate  # type: ignore[operator]
        assert torch.equal(made(ids, **options, capacity=ROOM, compile_mode="default"), wanted)
    assert counter.frame_count == 1


def test_the_file_is_written_again_by_the_same_options(
    tmp_path: Path, linted: Callable[[Path], None]
) -> None:
    for number, name in enumerate(SOME):
        text = emit_file(graph_of(name), STATIC).text
        (tmp_path / f"f{number}.py").write_text(text, encoding="utf-8")
        assert "--static-cache" in text
    linted(tmp_path)
    assert mw.emit(graph_of(name), static_cache=True, kernel="dense") == text


def test_a_cache_that_is_full_says_so() -> None:
    model = mw.compile(spec_of("decoder"), static_cache=True)
    with pytest.raises(ValueError, match="6 tokens, but the cache holds 4"):
        model.generate(torch.tensor([[1, 2, 3]]), 4, capacity=4)  # type: ignore[operator]


@pytest.mark.parametrize("name", ["decoder", "mask causal & window(3)"])
@torch.no_grad()
def test_steps_past_the_capacity_are_refused(name: str) -> None:
    """Windowed layers too, whose slots are used again."""
    model = mw.compile(spec_of(name), static_cache=True).eval()
    cache = vars(sys.modules[type(model).__module__])["Cache"](4)
    model(torch.tensor([[1, 2, 3]]), cache=cache)
    with pytest.raises(RuntimeError, match="more tokens than the 4 that the cache holds"):
        model(torch.tensor([[4, 5]]), cache=cache)
    assert model(torch.tensor([[4]]), cache=cache).shape[1] == 1  # the refused ones left no trace


@torch.no_grad()
def test_no_step_crosses_the_switch_of_longrope() -> None:
    """As in files whose cache grows: cached keys would have the short angles."""
    model = mw.compile(spec_of("positions_rotary_longrope_decoder"), static_cache=True).eval()
    last = model.config.rope_original_max_positions
    ids = torch.arange(last + 2)[None] % 5 + 6
    make = vars(sys.modules[type(model).__module__])["Cache"]
    cache = make(last + 2)
    for token in ids[:, :last].split(1, dim=1):
        model(token, cache=cache)
    with pytest.raises(RuntimeError, match="LongRoPE switches factors here; encode all with a new"):
        model(ids[:, last : last + 1], cache=cache)
    cache = make(last + 2)
    model(ids[:, : last + 1], cache=cache)
    assert torch.allclose(model(ids[:, last + 1 :], cache=cache)[:, -1], model(ids)[:, -1])
