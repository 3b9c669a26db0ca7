"""Batches of no sequences, sequences of no tokens, and cached steps without tokens.

Pools, convolutions, and recurrences whose loop is written out in the file refuse sequences without
tokens in words.
"""

from __future__ import annotations

import inspect
import sys

import pytest
import torch
from torch import Tensor, nn
from variations import VARIATIONS, graph_of, spec_of

import modelwright as mw

SOME = (
    "attention_multi_query",
    "attention_grouped",
    "experts_groups",
    "positions_rotary_dynamic_decoder",
    "positions_rotary_longrope_decoder",
    "positions_rotary_longrope_mscales_decoder",
    "mask causal & blocks(4)",
    "recurrence_lstm",
    "kernel_tiles_of_latents",
    "sublayers_twice",
    "classifier mean",
    "recurrence_of_a_cell",
)


def test_the_chosen_ones_are_there() -> None:
    assert [name for name in SOME if name not in VARIATIONS] == []


@pytest.mark.parametrize(
    "name", [*SOME, *(pytest.param(n, marks=pytest.mark.slow) for n in VARIATIONS if n not in SOME)]
)
@torch.no_grad()
def test_nothing_comes_of_nothing(name: str) -> None:
    model = mw.compile(spec_of(name), seed=0).eval()
    known = inspect.signature(model.forward).parameters
    if [key for key, p in known.items() if p.default is p.empty] != ["input_ids"]:
        pytest.skip("it reads more than ids")
    front = int(next(iter(graph_of(name).inputs.values())).prefix)  # learned tokens
    pools = any(head.pool for head in graph_of(name).heads.values())
    masks = [False, True] if "attention_mask" in known else [False]
    some = pools or "twice" in name or "attentive" in name or "cell" in name
    for shape in ((2, 0), (0, 0)) if some and not front else ():
        with pytest.raises(ValueError, match="input_ids has no tokens; at least one is needed"):
            model(torch.zeros(shape, dtype=torch.long))
    for shape in [(0, 6)] if some else [(0, 6), (2, 0), (0, 0)]:
        ids = torch.zeros(shape, dtype=torch.long)
        for masked in masks:
            found = model(ids, **({"attention_mask": ids} if masked else {}))
            each = found.values() if isinstance(found, dict) else [found]
            assert all(one.size(0) == shape[0] for one in each)
            assert pools or all(one.size(1) == shape[1] + front for one in each)
    if "cache" in known and not some:
        check_steps(model)
    if hasattr(model, "generate"):
        assert model.generate(torch.zeros(0, 6, dtype=torch.long), 3).size(0) == 0


def check_steps(model: nn.Module) -> None:
    """A step without tokens changes nothing; without sequences there are no logits."""
    ids = torch.arange(4)[None] + 6
    assert torch.equal(last_of(model, ids, (2, 0, 2)), last_of(model, ids, (2, 2)))
    assert last_of(model, ids[:0], (2, 2)).size(0) == 0


def last_of(model: nn.Module, ids: Tensor, sizes: tuple[int, ...]) -> Tensor:
    cache = vars(sys.modules[type(model).__module__])["Cache"](4)
    steps: list[Tensor] = [model(part, cache=cache) for part in ids.split(sizes, dim=1)]
    return steps[-1]


def test_the_stack_without_tokens_is_named() -> None:
    model = mw.compile(spec_of("recurrence_attentive"), seed=0).eval()
    some, none = torch.zeros(2, 3, dtype=torch.long), torch.zeros(2, 0, dtype=torch.long)
    with pytest.raises(ValueError, match=r"^source_ids has no tokens"):
        model(none, some)
    with pytest.raises(ValueError, match=r"^input_ids has no tokens"):
        model(some, none)


def test_vectors_of_another_stack_and_learned_ones() -> None:
    """The first have no argument to name; there are always some of the second."""
    spec = (
        "name: queries\nd_model: 8\nlayers: 1\nattention: {heads: 2}\nstacks:\n"
        "  a: {vocab_size: 9, input: {argument: a_ids}}\n"
        "  b: {INPUT}\n"
        "head: {type: classifier, classes: 3, stack: b, pool: mean}\n"
    )
    learned = "input: {type: learned, tokens: 2}, cross_attention: {heads: 2, memory: a}"
    assert "no tokens" not in mw.emit(mw.loads(spec.replace("INPUT", learned)))
    text = mw.emit(mw.loads(spec.replace("INPUT", "input: {type: stack, stack: a}")))
    assert 'ValueError("b has no tokens; at least one is needed")' in text


def test_a_beam_search_of_no_sequences() -> None:
    spec = mw.loads(
        "name: both\nfamily: encoder-decoder\nvocab_size: 9\nd_model: 8\nlayers: 1\n"
        "attention: {heads: 2, kv_heads: 1}\npositions: rotary\nhead: language_model\n"
    )
    model = mw.compile(spec, seed=0, beam_search=True).eval()
    found = model.beam_search(torch.zeros(0, 4, dtype=torch.long), 3)  # type: ignore[operator]
    assert found.shape[0] == 0
