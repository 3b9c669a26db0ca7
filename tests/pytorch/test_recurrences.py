"""Recurrent layers against torch's, step by step with a cache, and RNNsearch on a small task."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import modelwright as mw

ENCODER = """
name: recurrent
family: encoder-only
vocab_size: 20
d_model: 6
layers: 1
norm: none
residual: none
sublayers: [{cell}]
"""
SIZES = {"30000": "14", "620": "16", "1000": "32", "500": "32"}
START, DIGITS, LENGTH = 0, range(1, 11), 5


@pytest.mark.parametrize("cell", ["{type: lstm", "{type: gru, reset: after"])
def test_it_is_the_layer_of_torch(cell: str) -> None:
    text = ENCODER.replace("{cell}", f"{cell}, hidden: 5, bidirectional: true, output: none}}")
    model = mw.compile(mw.loads(text), dtype="float64", seed=0)
    kind = nn.LSTM if "lstm" in cell else nn.GRU
    layer = getattr(model.layers[0], "lstm" if "lstm" in cell else "gru")
    twin = kind(6, 5, bidirectional=True, batch_first=True, dtype=torch.float64)
    with torch.no_grad():
        for weight in layer.parameters():
            weight.normal_()
        for side, prefix in (("", ""), ("_reverse", "backward_")):
            enter, state = getattr(layer, f"{prefix}input"), getattr(layer, f"{prefix}state")
            getattr(twin, f"weight_ih_l0{side}").copy_(negated(enter.weight, kind))
            getattr(twin, f"weight_hh_l0{side}").copy_(negated(state.weight, kind))
            getattr(twin, f"bias_ih_l0{side}").copy_(negated(enter.bias, kind))
            inner = torch.zeros_like(enter.bias) if state.bias is None else state.bias
            getattr(twin, f"bias_hh_l0{side}").copy_(negated(inner, kind))
    ids = torch.randint(20, (3, 7))
    expected, _ = twin(model.token_embedding(ids))
    torch.testing.assert_close(model(ids), expected, rtol=0, atol=1e-12)


def negated(weight: Tensor, kind: type[nn.Module]) -> Tensor:
    """The update gate of `nn.GRU` weighs the old state: the same function of the negated rows."""
    if kind is nn.LSTM:
        return weight
    reset, update, new = weight.chunk(3)
    return torch.cat([reset, -update, new])


def reversal(generator: torch.Generator, count: int) -> tuple[Tensor, Tensor]:
    """Digits, and the same in reverse order."""
    source = torch.randint(DIGITS[0], DIGITS[-1] + 1, (count, LENGTH), generator=generator)
    return source, source.flip(1)


@pytest.mark.slow
def test_rnnsearch_learns_to_reverse_digits(examples: Path) -> None:
    """Its alignments are those of a reversal, and decoding with a cache gives the digits."""
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    text = (examples / "rnnsearch.yaml").read_text(encoding="utf-8")
    for large, small in SIZES.items():
        text = text.replace(f" {large}", f" {small}")
    model = mw.compile(mw.loads(f"{text}init: {{type: xavier}}\n"), seed=0)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(400):
        source, target = reversal(generator, 64)
        read = torch.cat([torch.full((len(source), 1), START), target[:, :-1]], dim=1)
        loss = model.loss(model(source, read), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()
    source, target = reversal(generator, 50)
    written = model.generate(source, LENGTH, temperature=0, decoder_start_token_id=START)
    assert (written[:, -LENGTH:] == target).all(1).float().mean() > 0.95
    best = alignments(model, source, target).argmax(-1).float().mean(0)  # by word
    assert [round(float(place)) for place in best] == [4, 3, 2, 1, 0]


def alignments(model: nn.Module, source: Tensor, target: Tensor) -> Tensor:
    """The weights of the source words, (B, T, M): how much of each value is in the context."""
    layer = model.decoder.layers[0].gru
    found: list[Tensor] = []
    handle = layer.context.register_forward_hook(lambda module, given, _: found.append(given[0]))
    read = torch.cat([torch.full((len(source), 1), START), target[:, :-1]], dim=1)
    with torch.no_grad():
        model(source, read)
        handle.remove()
        memory = model.encoder(source)  # contexts are weighted means of its rows
        contexts = torch.stack(found, dim=1)
        solved = torch.linalg.lstsq(memory.double().mT, contexts.double().mT).solution.mT
    found_weights: Tensor = solved
    return found_weights
