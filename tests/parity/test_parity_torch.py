"""Compiled models with torch: compile, export, pickle, meta, train, other dtypes."""

from __future__ import annotations

import io
import pickle
from typing import Any

import pytest
import torch
from inputs import unpadded, with_padding
from odd_specs import DECODER, changed
from perturb import perturb, relative_error
from reader import Reader
from shrink import ODD, caches, examples, graph, model, spec
from torch import Tensor, nn

import modelwright as mw
from modelwright.backends.verify import verify

MODELS = [*examples(), *ODD]
EXACT = 1e-12
FAMILIES = [
    "gpt2",
    "llama3_1_8b",
    "gemma3_1b",
    "bloom_560m",
    "t5_small",
    "bart_base",
    "bert_pretraining",
    "albert_base",
    "modernbert_base",
    "shared by turns",
    "two readers",
    "long and short positions",
    "sinks",
    "latent",
]
QUICK = ("gpt2", "t5_small", "bert_pretraining")


def slow_but(quick: tuple[str, ...], names: list[str]) -> list[Any]:
    return [n if n in quick else pytest.param(n, marks=pytest.mark.slow) for n in names]


def like(data: dict[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """Ids as they are, numbers in the dtype of the weights."""
    dtype = next(network.parameters()).dtype
    return {k: v.to(dtype) if v.is_floating_point() else v for k, v in data.items()}


def total(found: Tensor | dict[str, Tensor]) -> Tensor:
    """One number that every result takes part in, each entry by a weight of its own."""
    parts = found.values() if isinstance(found, dict) else [found]
    return sum((part.flatten() * torch.linspace(1, 2, part.numel())).sum() for part in parts)


def close(found: Any, expected: Any) -> None:
    pairs = [(found[k], expected[k]) for k in expected] if isinstance(expected, dict) else None
    for ours, theirs in pairs or [(found, expected)]:
        assert relative_error(ours, theirs) <= EXACT


# -- compile and export


@pytest.mark.parametrize("name", slow_but(QUICK, FAMILIES))
def test_compile_without_breaks(name: str) -> None:
    torch.compiler.reset()
    network = model(name)
    compiled = torch.compile(network, fullgraph=True, backend="aot_eager")
    data = with_padding(graph(name), "right")
    with torch.no_grad():
        close(compiled(**data), network(**data))


@pytest.mark.parametrize(
    "dynamic", [pytest.param(None, marks=pytest.mark.slow), True], ids=["", "any length"]
)
@pytest.mark.parametrize("name", slow_but(QUICK[:1], [n for n in FAMILIES if caches(n)]))
def test_compile_a_cached_step(name: str, dynamic: bool | None) -> None:
    torch.compiler.reset()
    with torch.no_grad():
        reader = Reader(name, unpadded(graph(name)))
        whole = reader.whole()
        reader.step = torch.compile(
            reader.step, fullgraph=True, backend="aot_eager", dynamic=dynamic
        )
        close(reader.pieces([5, 1, 1, 50], whole.size(1)), whole)


@pytest.mark.parametrize("name", slow_but(QUICK, FAMILIES))
def test_export_with_any_length(name: str) -> None:
    network, data = model(name), unpadded(graph(name))
    length = torch.export.Dim("length", min=2, max=60)
    shapes: dict[str, Any] = {
        key: {1: torch.export.Dim.AUTO if len(data) > 1 else length} for key in data
    }
    program = torch.export.export(network, (), kwargs=data, dynamic_shapes=shapes)
    longer = {key: torch.cat([value, value[:, :4]], dim=1) for key, value in data.items()}
    with torch.no_grad():
        close(program.module()(**data), network(**data))
        close(program.module()(**longer), network(**longer))


# -- copies


@pytest.mark.sampled(8)
@pytest.mark.parametrize("name", FAMILIES)
def test_pickle(name: str) -> None:
    network, data = model(name), unpadded(graph(name))
    again = pickle.loads(pickle.dumps(network))
    file = io.BytesIO()
    torch.save(network, file)
    file.seek(0)
    loaded = torch.load(file, weights_only=False)
    with torch.no_grad():
        close(again(**data), network(**data))
        close(loaded(**data), network(**data))


# -- fresh weights


def poison(network: nn.Module) -> None:
    with torch.no_grad():
        for weight in network.parameters():
            weight.fill_(torch.nan)


@pytest.mark.sampled(8)
@pytest.mark.parametrize("name", MODELS)
def test_init_weights_sets_every_weight(name: str) -> None:
    network = mw.compile(graph(name))
    fresh = {key: value.clone() for key, value in network.state_dict().items()}
    poison(network)
    torch.manual_seed(0)
    network.init_weights()
    assert not [key for key, value in network.state_dict().items() if value.isnan().any()]
    for key, value in network.state_dict().items():  # and from the same distribution
        constant = value.numel() == 1 or value.std() == 0
        assert constant == (fresh[key].numel() == 1 or fresh[key].std() == 0), key
        if constant:
            assert torch.equal(value, fresh[key]), key


@pytest.mark.sampled(16)
@pytest.mark.parametrize("name", MODELS)
def test_from_meta(name: str) -> None:
    network = mw.compile(graph(name), device="meta")
    assert all(weight.is_meta for weight in network.parameters())
    assert not list(network.buffers())
    network.to_empty(device="cpu")
    poison(network)
    network.init_weights()
    with torch.no_grad():
        found = network.eval()(**like(unpadded(graph(name)), network))
    assert torch.isfinite(total(found))


# -- training


def gradients(network: nn.Module, data: dict[str, Tensor]) -> dict[str, Tensor | None]:
    network.zero_grad()
    total(network(**data)).backward()
    return {name: weight.grad for name, weight in network.named_parameters()}


@pytest.mark.sampled(8)
@pytest.mark.parametrize("name", MODELS)
def test_every_weight_that_matters_gets_a_gradient(name: str) -> None:
    """A bias of all keys alike moves all scores of a query alike, so softmax hides it.

    The first values of DETR's decoder are a linear map of zeros.
    """
    network = perturb(mw.compile(graph(name), dtype=torch.float64), std=0.3)
    found = gradients(network, with_padding(graph(name), "right"))
    trained = {key for key, weight in network.named_parameters() if weight.requires_grad}
    trained -= {"decoder.layers.0.attention.value.weight"} if name == "detr_r50" else set()
    still = [
        key for key, gradient in found.items() if gradient is None or not gradient.abs().max() > 0
    ]
    assert not [key for key in still if key in trained and not key.endswith("key.bias")]
    assert all(torch.isfinite(g).all() for g in found.values() if g is not None)


@pytest.mark.sampled(8)
@pytest.mark.parametrize("name", FAMILIES)
def test_gradient_checkpointing_changes_no_gradient(name: str) -> None:
    data = unpadded(graph(name))
    found = []
    for checkpointing in (False, True):
        network = mw.compile(
            graph(name), dtype=torch.float64, gradient_checkpointing=checkpointing
        ).train()
        torch.manual_seed(0)
        found.append(gradients(network, data))
    for key, plain in found[0].items():
        again = found[1][key]
        assert plain is not None
        assert again is not None
        assert torch.allclose(plain, again, rtol=1e-12, atol=1e-12), key


@pytest.mark.sampled(8)
@pytest.mark.parametrize("name", FAMILIES)
def test_dropout_is_for_training_alone(name: str) -> None:
    network, data = mw.compile(graph(name)), unpadded(graph(name))
    drops = "dropout" in repr(graph(name).fields)
    with torch.no_grad():
        network.eval()
        assert torch.equal(total(network(**data)), total(network(**data)))
        network.train()
        assert torch.equal(total(network(**data)), total(network(**data))) is not drops


PLACES = {
    "attention": "attention: {heads: 4, dropout: 0.5}",
    "input": "input: {dropout: 0.5}",
    "branches": "dropout: 0.5\ninput: {dropout: 0}\nattention: {heads: 4, dropout: 0}",
    "d_ff": "feed_forward: {d_ff: 48, hidden_dropout: 0.5}",
    "path": "residual: {drop_path: 0.5}",
    "softcapped attention": "attention: {heads: 4, dropout: 0.5, softcap: 5}",
}


@pytest.mark.parametrize("place", PLACES)
def test_dropout_at_every_place(place: str) -> None:
    text = changed(DECODER, *PLACES[place].splitlines())
    network, plain = mw.compile(mw.loads(text)), mw.compile(mw.loads(DECODER))
    ids = torch.arange(24).view(2, 12)
    with torch.no_grad():
        assert not torch.equal(network.train()(ids), network(ids))
        if "softcap" not in place:
            assert torch.equal(network.eval()(ids), plain.eval()(ids))


@pytest.mark.sampled(16)
@pytest.mark.parametrize("name", MODELS)
def test_bfloat16(name: str) -> None:
    """Where rounding may choose another expert, for most of the numbers."""
    report = verify(spec(name), laws=["dtype"], dtype="bfloat16")
    assert not report.failures, report.render()
