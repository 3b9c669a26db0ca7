"""Attention maps of models with hooks, of copies, and while something else looks into them."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch
from small_examples import DECODER
from torch import Tensor, nn

import modelwright as mw
from modelwright.backends.pytorch.attention_maps import MapsError

IDS = torch.arange(3, 21).view(2, 9)


def decoder() -> nn.Module:
    return mw.compile(mw.loads(DECODER), dtype="float64").eval()


PLACES = ["", "token_embedding", "layers.0", "layers.0.attention", "layers.1.attention.query"]


@pytest.mark.parametrize("place", PLACES)
def test_hooks_run_as_they_do_without_maps(place: str) -> None:
    """Of the model, of torch's modules and of our own: each once per call, with its module."""
    model, seen = decoder(), []

    def halve(module: nn.Module, _: Any, result: Tensor) -> Tensor:
        seen.append(module)
        return result / 2

    hooked = model.get_submodule(place)
    hooked.register_forward_pre_hook(lambda module, given: seen.append(module))
    before = decoder()(IDS)
    hooked.register_forward_hook(halve)
    changed = model(IDS)
    assert not torch.allclose(changed, before)
    seen.clear()
    with mw.attention_maps(model) as maps:
        inside = model(IDS)
    assert [each is hooked for each in seen] == [True, True]
    assert (inside - changed).abs().max() < 1e-12
    given = mw.attention_maps(model, input_ids=IDS)
    assert all(given[name].equal(found) for name, found in maps.items())
    seen.clear()
    made = model.generate(IDS[:, :4], max_new_tokens=4, temperature=0)
    calls = len(seen)
    with mw.attention_maps(model):
        assert model.generate(IDS[:, :4], max_new_tokens=4, temperature=0).equal(made)
    assert len(seen) == 2 * calls


def test_maps_show_what_a_hook_changes() -> None:
    model = decoder()
    before = mw.attention_maps(model, input_ids=IDS)
    model.layers[0].register_forward_hook(lambda _, __, result: result * 0)
    after = mw.attention_maps(model, input_ids=IDS)
    assert before["layers.0.attention"].equal(after["layers.0.attention"])
    assert not torch.allclose(before["layers.1.attention"], after["layers.1.attention"])


def test_states_and_lenses_while_maps_are_collected() -> None:
    model = decoder()
    states, lens = mw.hidden_states(model, input_ids=IDS), mw.logit_lens(model, input_ids=IDS)
    whole = mw.attention_maps(model, input_ids=IDS)
    for function, wanted in ((mw.hidden_states, states), (mw.logit_lens, lens)):
        with mw.attention_maps(model) as maps:
            found = function(model, input_ids=IDS)
        assert found.keys() == wanted.keys() != set()
        assert max((found[key] - wanted[key]).abs().max() for key in wanted) < 1e-12
        assert maps.keys() == whole.keys()
        assert all(maps[name].equal(whole[name]) for name in whole)


def test_maps_inside_maps() -> None:
    model = decoder()
    before = {name: vars(module).copy() for name, module in model.named_modules()}
    with mw.attention_maps(model) as outer:
        with mw.attention_maps(model) as inner, torch.no_grad():
            model(IDS[:, :5])
        assert [each.size(-1) for each in inner.values()] == [5, 5]
        with torch.no_grad():
            model(IDS)
    assert [each.size(-1) for each in outer.values()] == [9, 9]
    assert [each.size(-1) for each in inner.values()] == [5, 5]
    assert {name: vars(module) for name, module in model.named_modules()} == before
    with outer, pytest.raises(MapsError, match="already open"), outer:
        pass


@pytest.mark.parametrize(
    "copied",
    [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))],
    ids=["copy", "pickle"],
)
def test_copies_have_the_spec_of_the_first_model(copied: Any) -> None:
    model = decoder()
    wanted = mw.attention_maps(model, input_ids=IDS)
    other = copied(model)
    found = mw.attention_maps(other, input_ids=IDS)
    assert all(found[name].equal(wanted[name]) for name in wanted)
    assert mw.position_table(other).keys() == {"cos", "sin"}


def test_modes_of_parts_are_as_they_were() -> None:
    """A part that a user keeps in eval mode stays there."""
    model = decoder().train()
    model.layers[0].eval()
    before = [module.training for module in model.modules()]
    for function in (mw.attention_maps, mw.hidden_states, mw.logit_lens):
        function(model, input_ids=IDS)
        assert [module.training for module in model.modules()] == before
