"""Learned tokens before token ids, vectors, signals and the output of another stack."""

from __future__ import annotations

import pytest
import torch

import modelwright as mw

from .judging import compiled, wrong

WORDS = """
name: words
family: encoder-only
vocab_size: 31
max_positions: 40
d_model: 16
layers: 2
dropout: 0.1
attention: {heads: 2}
positions: [{type: learned, skip_padding: mask, offset: 1}, rotary]
mask: "full & ~(keys(3) & queries(2))"
input: {prefix_tokens: 3, width: 8, scale: 2, add: {kind_ids: 3}, normalize: before_positions}
head: {type: language_model, tied: true}
output_width: 8
"""
STACKS = """
name: stacks
layers: 1
attention: {heads: 2}
stacks:
  sound:
    d_model: 12
    input:
      type: conv
      channels: 3
      prefix_tokens: 1
      layers: [{channels: 12, kernel: 3, stride: 2}]
    positions: sinusoidal
  notes:
    d_model: 12
    input: {type: features, size: 7, prefix_tokens: 2}
    positions: alibi
  longer:
    d_model: 16
    input: {type: stack, stack: notes, prefix_tokens: 1, projector: linear}
    positions: [{type: sinusoidal, skip_padding: mask}]
  text:
    d_model: 16
    vocab_size: 31
    mask: causal & prefix
    input: {prefix_tokens: 1}
    cross_attention: {memory: longer}
    blocks:
      first: {}
      second: {cross_attention: {memory: sound}}
    layers: 2
    pattern: [first, second]
heads:
  words: {type: language_model, stack: text}
  kind: {type: classifier, stack: longer, classes: 3, pool: mean}
"""


@pytest.mark.parametrize("text", [WORDS, STACKS])
def test_it_is_what_the_page_says(text: str) -> None:
    assert wrong(mw.loads(text)) == {}


def test_labels_of_learned_tokens_may_be_left_out() -> None:
    """The loss of the ids alone is that of all tokens with -100 for the learned ones; it falls."""
    model = compiled(mw.loads(WORDS))
    ids = torch.arange(20).view(2, 10) % 31
    labels = torch.cat([torch.full((2, 3), -100), ids], dim=1)
    losses = []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for _ in range(3):
        logits = model(ids)
        torch.testing.assert_close(model.loss(logits, ids), model.loss(logits, labels))
        losses.append(model.loss(logits, ids))
        optimizer.zero_grad()
        losses[-1].backward()
        optimizer.step()
    assert losses[2] < losses[1] < losses[0]
    assert model.prefix_tokens.grad.abs().min() > 0
