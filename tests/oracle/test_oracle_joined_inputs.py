"""Several inputs of one stack, concatenated to one sequence, and optional inputs."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import torch

import modelwright as mw
from modelwright.backends.oracle import run

from .judging import EXACT, arguments, compiled, distance, numpy_weights, outputs, wrong

TEXT_AFTER_IMAGE = """
name: text-after-image
family: encoder-only
vocab_size: 31
max_positions: 60
d_model: 16
layers: 1
dropout: 0.1
attention: {heads: 2}
positions: [{type: learned, skip_padding: mask, offset: 1}, alibi]
input:
  - {type: patches, image_size: 8, patch_size: 4, prefix_tokens: 2, normalize: before_positions}
  - {type: tokens, width: 8, prefix_tokens: 1, add: {kind_ids: 3}}
  - {type: conv, axes: 2, argument: drawing, image_size: 6, channels: 2, project: true,
     layers: [{channels: 4, kernel: 3, stride: 2}]}
head: {type: classifier, classes: 3, pool: mean}
"""
CAPTIONS = """
name: captions
layers: 1
attention: {heads: 2}
stacks:
  image:
    d_model: 12
    input: {type: patches, image_size: 8, patch_size: 4, prefix_tokens: 1}
    positions: learned
  text:
    d_model: 16
    vocab_size: 31
    max_positions: 80
    mask: causal | prefix
    positions: [learned, rotary]
    input:
      - {type: stack, stack: image, skip: 1, projector: {type: glu, d_ff: 20}}
      - {type: conv, argument: sound, channels: 3, prefix_tokens: 1,
         layers: [{channels: 16, kernel: 3, stride: 2}]}
      - {type: tokens, scale: sqrt_d_model, dropout: 0.1}
  answer:
    d_model: 16
    vocab_size: 20
    input: {argument: answer_ids}
    mask: causal
    cross_attention: {memory: text}
heads:
  words: {type: language_model, stack: text, tied: true}
  answers: {type: language_model, stack: answer}
"""
IMAGES = """
name: two-images
family: encoder-only
d_model: 16
layers: 1
attention: {heads: 2}
positions: learned
input:
  - {type: patches, image_size: 8, patch_size: 4, prefix_tokens: 1}
  - {type: patches, argument: other_pixels, image_size: [8, 12], patch_size: 4, bias: false}
head: {type: classifier, classes: 3, pool: {type: first}}
"""
ONE_AT_A_TIME = """
name: one-at-a-time
layers: 1
attention: {heads: 2}
stacks:
  image:
    d_model: 12
    input: {type: patches, image_size: 8, patch_size: 4}
    positions: learned
  all:
    d_model: 16
    vocab_size: 31
    max_positions: 80
    mask: full
    positions: learned
    input:
      - {type: stack, stack: image, projector: linear, optional: true}
      - {type: features, argument: sound, size: 5, optional: true}
      - {type: tokens, optional: true, add: {kind_ids: 2}}
head: {type: classifier, classes: 3, pool: mean}
"""


ON_A_MIXER = """
name: on-a-mixer
layers: 1
d_model: 16
attention: {heads: 2}
vocab_size: 31
stacks:
  encoder:
    input:
      - {type: tokens, optional: true}
      - {type: conv, channels: 3, layers: [{channels: 16, kernel: 3}], optional: true}
  mixer: {mask: causal, input: {argument: decoder_input_ids}, cross_attention: {memory: encoder}}
  decoder: {mask: causal, input: {type: stack, stack: mixer}, cross_attention: {memory: encoder}}
head: language_model
"""


@pytest.mark.parametrize("text", [TEXT_AFTER_IMAGE, CAPTIONS, IMAGES, ONE_AT_A_TIME])
def test_it_is_what_the_page_says(text: str) -> None:
    assert wrong(mw.loads(text)) == {}


def test_a_stack_is_as_long_as_the_one_that_it_reads() -> None:
    """Not as long as its memory, which may be passed before."""
    spec = mw.loads(ON_A_MIXER)
    model = compiled(spec)
    ids = {"input_ids": np.ones((2, 9), int), "decoder_input_ids": np.ones((2, 5), int)}
    given = ids | {"decoder_attention_mask": np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])}
    right = run(spec, numpy_weights(model), given)["head"]
    found = outputs(model, spec, given)["head"]
    assert distance(found[0], right[0]) < EXACT
    assert distance(found[1, :3], right[1, :3]) < EXACT


def test_inputs_of_other_batches_are_refused() -> None:
    model = compiled(mw.loads(IMAGES))
    first, second = torch.zeros(2, 3, 8, 8).double(), torch.zeros(3, 3, 8, 12).double()
    with pytest.raises(ValueError, match=r"inputs of the shapes \(2, 5, 16\) and \(3, 6, 16\)"):
        model(first, second)


PRESENT = (("pixel_values",), ("sound",), ("input_ids",), ("pixel_values", "input_ids"))


@pytest.mark.parametrize("present", PRESENT)
def test_what_is_absent_is_not_computed(present: tuple[str, ...]) -> None:
    """The others give the output, and the weights of what is absent get no gradient."""
    spec = mw.loads(ONE_AT_A_TIME)
    model = compiled(spec)
    taken = inspect.signature(model.forward).parameters
    given = {n: x for n, x in arguments(spec, set(taken), "plain").items() if n in present}
    right = run(spec, numpy_weights(model), given)
    assert distance(outputs(model, spec, given)["head"], right["head"]) < EXACT
    model(
        **{n: torch.from_numpy(np.ascontiguousarray(x)) for n, x in given.items()}
    ).sum().backward()
    unused = {name for name, weight in model.named_parameters() if weight.grad is None}
    above = {
        "pixel_values": ("image.", "all.image_embedding."),
        "sound": ("all.sound_embedding.",),
        "input_ids": ("all.input_ids_embedding.",),
    }
    gone = tuple(module for name in above if name not in present for module in above[name])
    assert unused == {name for name, _ in model.named_parameters() if name.startswith(gone)}


def test_no_input_at_all_is_refused() -> None:
    model = compiled(mw.loads(ONE_AT_A_TIME))
    with pytest.raises(ValueError, match="no input is given"):
        model()


WITH_A_MASK_OF_TOKENS = """
name: mask-of-tokens
family: encoder-only
vocab_size: 31
d_model: 16
layers: 1
attention: {heads: 2}
input:
  - {type: tokens, optional: true}
  - {type: patches, image_size: 8, patch_size: 4, optional: true}
"""


@pytest.mark.parametrize(
    ("text", "name", "other"),
    [
        (WITH_A_MASK_OF_TOKENS, "attention_mask", {"pixel_values": torch.rand(2, 3, 8, 8)}),
        (ONE_AT_A_TIME, "kind_ids", {"sound": torch.rand(2, 7, 5)}),
    ],
    ids=["mask", "added"],
)
def test_numbers_of_tokens_need_the_tokens(
    text: str, name: str, other: dict[str, torch.Tensor]
) -> None:
    model = mw.compile(mw.loads(text))
    with pytest.raises(ValueError, match=f"{name} needs input_ids, which is not given"):
        model(**other, **{name: torch.ones(2, 7, dtype=torch.long)})


def test_it_learns_from_one_kind_of_input_after_the_other() -> None:
    model = compiled(mw.loads(ONE_AT_A_TIME)).train()
    draw = torch.Generator().manual_seed(0)
    image = torch.randn(4, 3, 8, 8, generator=draw, dtype=torch.float64)
    ids = torch.randint(0, 31, (4, 6), generator=draw)
    labels, losses = torch.arange(4) % 3, []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for given in [{"pixel_values": image}, {"input_ids": ids}] * 8:
        losses.append(model.loss(model(**given), labels))
        optimizer.zero_grad()
        losses[-1].backward()
        optimizer.step()
    assert losses[-2] < losses[0]
    assert losses[-1] < losses[1]
