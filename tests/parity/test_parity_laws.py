"""Invariants for any weights: causality, padding, documents, prefixes."""

from __future__ import annotations

import pytest
import torch
from fuzz.readings import added_ids
from inputs import WORD, random_ids, streams, unpadded, with_padding
from odd_specs import DECODER, ENCODER, changed
from perturb import perturb, relative_error
from shrink import ODD, caches, examples, graph, model
from torch import Tensor, nn

import modelwright as mw
from modelwright.compiler import ModuleGraph
from modelwright.compiler.formula import Range, atoms

EXACT = 1e-12
CHANGED = 1e-6
MODELS = [*examples(), *ODD]
WITH_WORDS = [name for name in MODELS if [*streams(graph(name))]]  # and not an image alone
DECODERS = [name for name in MODELS if caches(name)]
ABSOLUTE = {"blocks", "fixed", "global", "keys", "queries", "random"}
"""Atoms that ask where in the row a token stands, so that padding in front moves them."""


def compiled(text: str) -> nn.Module:
    return perturb(mw.compile(mw.loads(text), dtype="float64"), std=0.3)


def results(network: nn.Module, data: dict[str, Tensor]) -> dict[str, Tensor]:
    with torch.no_grad():
        found = network(**data)
    return found if isinstance(found, dict) else {"": found}


def moved(before: Tensor, after: Tensor) -> list[int]:
    """The places of a sequence where any number changed; what did not is equal to the last bit."""
    difference = (before - after).abs().amax(dim=(0, 2))
    assert ((difference < EXACT) | (difference > CHANGED)).all(), difference
    return [place for place, size in enumerate(difference.tolist()) if size > CHANGED]


# -- time


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", DECODERS)
def test_future_tokens_have_no_influence(name: str) -> None:
    network, data = model(name), unpadded(graph(name))
    ids = next(key for key in reversed(list(data)))  # what the decoder itself reads
    after = {**data, ids: data[ids].clone()}
    after[ids][:, 6] = (after[ids][:, 6] + 9) % 30
    ((_, whole),) = results(network, data).items()
    ((_, changed_one),) = results(network, after).items()
    places = moved(whole, changed_one)
    assert places[0] == 6


@pytest.mark.parametrize("name", [n for n in DECODERS if len(graph(n).hidden) > 1])
def test_an_answer_depends_on_all_of_the_memory(name: str) -> None:
    network, data = model(name), unpadded(graph(name))
    whole = results(network, data)[""]
    for ids in list(data)[:-1]:
        after = {**data, ids: data[ids].clone()}
        after[ids][:, -1] = (after[ids][:, -1] + 9) % 30
        assert moved(whole, results(network, after)[""]) == list(range(whole.size(1)))


# -- padding


def moves_with(name: str, side: str) -> bool:
    """Does a mask of the model ask for places that padding on this side moves?"""
    found = graph(name)
    formulas = [op.attrs["formula"] for op in found.ops() if op.kind == "mask"]
    used = [atom for formula in formulas for atom in atoms(formula)]
    if side == "left":
        return any(atom.name in ABSOLUTE for atom in used)
    ends = [arg for atom in used for arg in atom.args if isinstance(arg, Range)]
    counted = any(min(end.start or 0, end.stop or 0) < 0 for end in ends)
    return counted or any(atom.name == "random" for atom in used)


def alone(name: str, padded: dict[str, Tensor]) -> dict[str, Tensor]:
    """The second row of padded data without its padding."""
    found = {}
    added = added_ids(graph(name))
    for prefix, ids in streams(graph(name)):
        real = padded[f"{prefix}attention_mask"][1].bool()
        found[ids] = padded[ids][1:, real]
    for key, value in padded.items():
        source = added[key].to if key in added else key
        if padded[source].is_floating_point():  # an image or a sound: nothing there is padding
            found[key] = value[1:]
        elif key not in found and not key.endswith(("attention_mask", "position_ids")):
            masks = [mask for mask in padded if mask.endswith("attention_mask")]
            real = next(padded[m][1].bool() for m in masks if padded[m].size(1) == value.size(1))
            found[key] = value[1:, real]
            if value.dim() > 2:  # pairs of tokens
                found[key] = found[key][:, :, real]
    return found


def takes_the_first(graph: ModuleGraph) -> bool:
    """Does a head read the first place of a sequence?"""
    return any(op.kind == "pool" and op.attrs["how"] == "first" for op in graph.ops())


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    ("name", "side"),
    [
        (name, side)
        for name in WITH_WORDS
        for side in ("left", "right")
        if not moves_with(name, side)
    ],
)
def test_padding_changes_nothing(name: str, side: str) -> None:
    data = with_padding(graph(name), side)
    padded, single = results(model(name), data), results(model(name), alone(name, data))
    masks = [key for key in data if key.endswith("attention_mask")]
    for output, value in padded.items():
        expected = single[output][0]
        if value.dim() == 3:
            real = next(data[key][1].bool() for key in masks if data[key].size(1) == value.size(1))
            found = value[1][real]
        elif side == "left" and takes_the_first(graph(name)):
            continue  # the first place of the row is padding there
        elif any(head.kind == "contrastive" for head in graph(name).heads.values()):
            found = value[1, 1:]  # the second text with the second image
        else:
            found = value[1]
        assert relative_error(found, expected) <= EXACT


# -- documents


@pytest.mark.parametrize("base", [DECODER, ENCODER], ids=["decoder", "encoder"])
@pytest.mark.parametrize("positions", ["rotary", "learned", "alibi"])
def test_documents_do_not_attend_to_each_other(base: str, positions: str) -> None:
    mask = "causal & documents" if base is DECODER else "documents"
    network = compiled(
        changed(base, f"mask: {mask}", f"positions: {positions}", "head: language_model")
    )
    lengths = [5, 1, 7]
    ids = random_ids("packed", 1, sum(lengths))
    places = torch.cat([torch.arange(length) for length in lengths])[None]
    numbers = torch.repeat_interleave(torch.arange(3), torch.tensor(lengths))[None]
    given = {} if positions == "alibi" else {"position_ids": places}
    with torch.no_grad():
        packed = network(ids, document_ids=numbers, **given)
        start = 0
        for length in lengths:
            text = ids[:, start : start + length]
            single = network(text, document_ids=torch.zeros_like(text))
            assert relative_error(packed[:, start : start + length], single) <= EXACT
            start += length


# -- prefixes


PREFIX = changed(DECODER, "mask: causal | prefix")


def test_a_prefix_is_seen_both_ways() -> None:
    network = compiled(PREFIX)
    ids = random_ids("prefix", 2, 12)
    lengths = torch.tensor([5, 5])
    after = ids.clone()
    after[:, 3] = WORD + 20
    with torch.no_grad():
        inside = moved(network(ids, prefix_length=lengths), network(after, prefix_length=lengths))
        after[:, 3], after[:, 8] = ids[:, 3], WORD + 20
        beyond = moved(network(ids, prefix_length=lengths), network(after, prefix_length=lengths))
    assert inside == list(range(12))
    assert beyond == [8, 9, 10, 11]


def test_a_prefix_of_nothing_is_causal_and_one_of_all_is_full() -> None:
    network = compiled(PREFIX)
    ids = random_ids("prefix", 2, 12)
    causal, full = compiled(DECODER), compiled(changed(DECODER, "mask: full"))
    for other in (causal, full):
        other.load_state_dict(network.state_dict())
    with torch.no_grad():
        none = network(ids, prefix_length=torch.zeros(2, dtype=torch.long))
        every = network(ids, prefix_length=torch.full((2,), 12))
        mixed = network(ids, prefix_length=torch.tensor([0, 12]))
        assert relative_error(none, causal(ids)) <= EXACT
        assert relative_error(every, full(ids)) <= EXACT
        assert relative_error(mixed, torch.stack([none[0], every[1]])) <= EXACT


def test_global_tokens_see_and_are_seen() -> None:
    network = compiled(changed(ENCODER, "mask: band(1) | global(given)", "layers: 1"))
    ids, chosen = random_ids("global", 1, 12), torch.zeros(1, 12, dtype=torch.long)
    chosen[:, 4] = 1
    after = ids.clone()
    with torch.no_grad():
        whole = network(ids, global_mask=chosen)
        after[:, 4] = WORD + 20
        assert moved(whole, network(after, global_mask=chosen)) == list(range(12))
        after[:, 4], after[:, 9] = ids[:, 4], WORD + 20
        assert moved(whole, network(after, global_mask=chosen)) == [4, 8, 9, 10]


# -- rows that see nothing


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["positions: alibi"],
        ["attention: {heads: 4, softcap: 3}"],
        ["attention: {heads: 4, softcap: 3}", "positions: alibi"],
        ["mask: causal & ~window(1)"],
    ],
    ids=["mask", "bias", "softcap", "softcap and bias", "itself"],
)
def test_a_query_without_keys_gets_zeros(lines: list[str]) -> None:
    """No NaN, forwards or backwards; padding in front stands alone."""
    network = compiled(changed(DECODER, *lines))
    ids = random_ids("nothing", 2, 8)
    mask = torch.ones_like(ids)
    mask[1, :3] = 0
    logits = network(ids, attention_mask=mask)
    assert torch.isfinite(logits).all()
    logits.square().mean().backward()
    assert all(torch.isfinite(weight.grad).all() for weight in network.parameters())
