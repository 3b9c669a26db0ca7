"""The losses of routers against those of transformers, and how they reach `loss`."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import modelwright as mw

SPEC = """
name: mixture
family: decoder-only
vocab_size: 64
d_model: 16
layers: 2
positions: rotary
attention: {heads: 2}
feed_forward: {type: moe, experts: 5, top_k: 2, expert: {d_ff: 8}, balance_loss: 0.3, z_loss: 0.2}
head: language_model
"""
IDS = torch.arange(14).reshape(2, 7) % 11
MASK = torch.tensor([[1] * 7, [0] * 3 + [1] * 4])


def test_without_routers_that_were_called_the_loss_is_that_of_the_logits() -> None:
    """After `auxiliary_loss`, and where the only stack with routers has no input."""
    made, labels = model(), IDS
    logits = made(IDS)
    first, again = made.loss(logits, labels), made.loss(logits, labels)
    assert first > again == made.eval().loss(logits, labels)
    text = """name: m
d_model: 16
vocab_size: 9
attention: {heads: 2}
stacks:
  images:
    layers: 1
    input: {type: patches, image_size: 8, patch_size: 4}
    feed_forward: {type: moe, experts: 4, top_k: 2, expert: {d_ff: 8}, balance_loss: 0.5}
  text: {layers: 1, mask: causal, input: [tokens, {type: stack, stack: images, replace: 3}]}
head: language_model
"""
    both: Any = mw.compile(mw.loads(text), seed=0).train()
    ids = torch.tensor([[1, 2, 4, 5]])
    logits = both(input_ids=ids)
    assert both.loss(logits, ids) == both.eval().loss(logits, ids)


def model(**build: Any) -> Any:
    """In training mode, every weight moved."""
    made: Any = mw.compile(mw.loads(SPEC), dtype="float64", seed=0, **build)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in made.parameters():
            weight.add_(torch.randn(weight.shape, generator=generator, dtype=weight.dtype) / 4)
    return made.train()


def gradients(loss: Tensor, of: nn.Module) -> list[Tensor]:
    return list(torch.autograd.grad(loss, [*of.parameters()], allow_unused=True))


@pytest.mark.parametrize("mask", [None, MASK])
def test_they_are_those_of_mixtral_and_of_switch_transformers(mask: Tensor | None) -> None:
    pytest.importorskip("transformers")
    from transformers.models.mixtral.modeling_mixtral import load_balancing_loss_func
    from transformers.models.switch_transformers.modeling_switch_transformers import (
        router_z_loss_func,
    )

    network, logits = model(), []
    for layer in network.layers:
        layer.feed_forward.router.register_forward_hook(lambda *given: logits.append(given[2]))
    network(IDS, mask)
    real = torch.ones_like(IDS).bool() if mask is None else mask.bool()
    flat = [x.flatten(0, 1) for x in logits]  # one layer at a time: the library mixes all
    balance = [load_balancing_loss_func((x,), 5, 2, mask) for x in flat]
    squares = [router_z_loss_func(x[real][None]) for x in logits]
    expected = 0.3 * sum(balance) + 0.2 * sum(squares)
    found = network.auxiliary_loss()
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=0)  # the library has float32
    network(IDS, mask)
    again = gradients(network.auxiliary_loss(), network)
    for one, other in zip(again, gradients(expected, network), strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-8)


def test_the_loss_includes_them_in_training_and_once() -> None:
    network = model()
    logits = network(IDS, MASK)
    own = network.auxiliary_loss()
    network(IDS, MASK)
    whole = network.loss(logits, IDS)
    assert copy.deepcopy(network) is not network  # nothing of the pass is left
    assert network.auxiliary_loss() == 0
    network.eval()
    network(IDS, MASK)
    torch.testing.assert_close(whole - network.loss(logits, IDS), own)


def test_recomputed_layers_have_the_same_gradients() -> None:
    both = [
        [*gradients(one.loss(one(IDS, MASK), IDS), one)]
        for one in (model(), model(gradient_checkpointing=True))
    ]
    for one, other in zip(*both, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.slow
def test_a_compiled_model_keeps_them() -> None:
    network = model()
    compiled = torch.compile(network, backend="aot_eager", fullgraph=True)
    found = network.loss(compiled(IDS, MASK), IDS)
    torch.testing.assert_close(found, network.loss(network(IDS, MASK), IDS))
