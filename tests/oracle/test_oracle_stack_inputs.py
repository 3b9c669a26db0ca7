"""The output of one stack as an input of another: alone, and in place of tokens."""

from __future__ import annotations

import inspect

import pytest
import torch

import modelwright as mw

from .judging import arguments, compiled, wrong

CONTINUED = """
name: continued
d_model: 16
layers: 1
attention: {heads: 2}
stacks:
  words: {vocab_size: 31, input: {argument: input_ids}, positions: rotary}
  sentence:
    input: {type: stack, stack: words, projector: {type: glu, d_ff: d_model}, normalize: true}
    max_positions: 40
    positions: [{type: learned, skip_padding: mask, offset: 1}, alibi]
head: {type: classifier, classes: 3, pool: mean}
"""
REGION = """
name: region
layers: 1
attention: {heads: 2}
stacks:
  image:
    d_model: 12
    input: {type: patches, image_size: 12, patch_size: 4, prefix_tokens: 2}
    positions: learned
  parts:
    d_model: 16
    input: {type: stack, stack: image, skip: 2, projector: linear}
    positions: learned
head: {type: classifier, classes: 3, pool: first}
"""
QUESTION = """
name: question
layers: 2
attention: {heads: 2}
stacks:
  image:
    d_model: 12
    input: {type: patches, image_size: 12, patch_size: 4}
    positions: learned
  queries:
    d_model: 16
    input: {type: learned, tokens: 5}
    cross_attention: {memory: image}
  text:
    d_model: 16
    vocab_size: 31
    max_positions: 64
    mask: causal
    positions: [learned, rotary]
    input:
      - {type: tokens, scale: sqrt_d_model, add: {kind_ids: 3}, normalize: true}
      - {type: stack, stack: queries, skip: 1, replace: 7, projector: none}
head: {type: language_model, tied: true}
"""


@pytest.mark.parametrize("text", [CONTINUED, REGION, QUESTION])
def test_it_is_what_the_page_says(text: str) -> None:
    assert wrong(mw.loads(text)) == {}


def test_padding_and_positions_are_those_of_the_stack_before() -> None:
    taken = inspect.signature(compiled(mw.loads(CONTINUED)).forward).parameters
    assert list(taken) == ["input_ids", "attention_mask", "position_ids"]


def test_an_image_may_be_absent_with_all_that_is_computed_from_it() -> None:
    spec = mw.loads(QUESTION)
    model = compiled(spec)
    taken = inspect.signature(model.forward).parameters
    assert taken["pixel_values"].default is None
    data = arguments(spec, set(taken), "plain")
    ids = torch.from_numpy(data["input_ids"])
    image = torch.from_numpy(data["pixel_values"])
    tokens = model.generate(ids, 4, image, temperature=0.0, eos_token_id=None)
    with torch.no_grad():
        whole = model(tokens[:, :-1], image)[:, -4:].argmax(-1)
    assert whole.tolist() == tokens[:, -4:].tolist()
    model(ids.masked_fill(ids == 7, 8)).sum().backward()
    unused = {name for name, weight in model.named_parameters() if weight.grad is None}
    wanted = {n for n, _ in model.named_parameters() if n.startswith(("image.", "queries."))}
    assert unused == wanted
