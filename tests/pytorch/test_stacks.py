"""Models of several stacks: each runs by itself, and the model calls it, so that hooks fire."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
import torch
from shape_comments import SHAPE
from small_examples import NAMES, small_graph
from torch import Tensor, nn
from variations import graph_of, inputs_of

import modelwright as mw
from modelwright.backends.pytorch import BuildOptions, emit_file, instantiate
from modelwright.backends.pytorch.calls import hidden_states_of, memories_of, table_of
from modelwright.backends.pytorch.static import why_not_static
from modelwright.backends.reference import random_weights
from modelwright.compiler import ModuleGraph

PLACED = {"llava_like"}
"""Tokens stand for vectors of an image: see tests/parity/test_parity_llava.py."""
EXAMPLES = [
    "bart_base",
    "blip2_qformer",
    "clip_vit_b32",
    "decision_transformer",
    "detr_r50",
    "multimodel",
    "pix2struct_base",
    "rnnsearch",
    "switch_base_8",
    "t5_base",
    "t5_small",
    "tiny_encoder_decoder",
    "tiny_t5",
    "transformer_base",
    "transformer_big",
    "whisper_tiny",
]
ALONE = ("blip2_qformer", "clip_vit_b32", "decision_transformer", "detr_r50", "multimodel")
"""Those without `generate`, or in which no stack reads another."""
READING = [name for name in EXAMPLES if name not in ALONE]
OPTIONS = {
    "usual": BuildOptions(),
    "checkpointing": BuildOptions(gradient_checkpointing=True),
    "static": BuildOptions(static_cache=True),
    "joined": BuildOptions(join_projections=True),
}
OTHERS = ("two_memories", "towers", "contrastive", "captions", "features_read", "no_head_both")
NEW_TOKENS = 4


def model_of(graph: ModuleGraph, options: BuildOptions = OPTIONS["usual"]) -> Any:
    """The model in float64, no weight at rest."""
    model = instantiate(emit_file(graph, options), graph.name, dtype="float64").eval()
    weights = random_weights(graph, 0)
    model.load_state_dict({key: torch.from_numpy(array) for key, array in weights.items()})
    return model


def data_of(graph: ModuleGraph) -> dict[str, Tensor]:
    """Arguments in which some tokens are padding, on the right."""
    return {name: torch.from_numpy(array) for name, array in inputs_of(graph, "right").items()}


@contextmanager
def results(model: nn.Module, graph: ModuleGraph) -> Iterator[list[tuple[str, Any, Tensor]]]:
    """Each call of a stack inside of it: the stack, what it was given, what it gave."""
    seen: list[tuple[str, Any, Tensor]] = []
    with ExitStack() as hooks:
        for stack in graph.hidden:

            def hook(_: Any, args: Any, named: Any, result: Any, stack: str = stack) -> None:
                seen.append((stack, [*args, *named.values()], result))

            handle = getattr(model, stack).register_forward_hook(hook, with_kwargs=True)
            hooks.callback(handle.remove)
        yield seen


@pytest.mark.slow
def test_the_examples_of_several_stacks() -> None:
    several = [name for name in NAMES if len(small_graph(name).hidden) > 1]
    assert sorted(several) == sorted({*EXAMPLES, *PLACED})


@pytest.mark.sampled(2)
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("name", EXAMPLES)
@torch.no_grad()
def test_a_stack_by_itself_gives_what_the_model_reads(name: str, options: BuildOptions) -> None:
    graph = small_graph(name)
    if options.static_cache and why_not_static(graph):
        return
    model, data = model_of(graph, options), data_of(graph)
    with results(model, graph) as seen:
        model(**data)
    assert [stack for stack, *_ in seen] == list(graph.hidden)
    found = {stack: result for stack, _, result in seen}
    for stack, given, result in seen:
        call = hidden_states_of(model, graph, stack)
        memories = memories_of(model, graph, stack, data)
        known = {n: x for n, x in {**data, **memories}.items() if n in _parameters(call)}
        assert torch.equal(call(**known), result)
        others = {other: x for other, x in found.items() if other != stack}  # it may be the same
        read = [other for other, x in others.items() if any(x is one for one in given)]
        assert len(read) == len(memories), "the very memories that the others gave"


def _parameters(call: Any) -> list[str]:
    return list(inspect.signature(call).parameters)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", READING)
@pytest.mark.parametrize("options", ["usual", "static"])
def test_hooks_fire_in_generate(name: str, options: str) -> None:
    """The encoder runs once, the decoder for each new token."""
    graph = small_graph(name)
    if options == "static" and why_not_static(graph):
        return
    model, data = model_of(graph, OPTIONS[options]), data_of(graph)
    known = {n: x for n, x in data.items() if n in _parameters(model.generate)}
    with results(model, graph) as seen:
        model.generate(**known, max_new_tokens=NEW_TOKENS, eos_token_id=None)
    counts = Counter(stack for stack, *_ in seen)
    source, target = graph.hidden
    assert counts == {source: 1, target: NEW_TOKENS}


@pytest.mark.parametrize("name", READING)
@torch.no_grad()
def test_what_a_hook_returns_is_what_the_decoder_reads(name: str) -> None:
    graph = small_graph(name)
    model, data = model_of(graph), data_of(graph)
    before = model(**data)
    handle = model.encoder.register_forward_hook(lambda _, __, memory: 2 * memory)
    after = model(**data)
    handle.remove()
    assert not torch.allclose(before, after)
    assert torch.equal(model(**data), before)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", [*EXAMPLES, *OTHERS])
def test_each_stack_has_a_forward_with_shapes(name: str) -> None:
    graph = small_graph(name) if name in EXAMPLES else graph_of(name)
    model = instantiate(emit_file(graph), graph.name, device="meta")
    for stack in graph.hidden:
        doc = type(getattr(model, stack)).forward.__doc__ or ""
        assert doc.startswith("Hidden states (B, ")
        assert len(SHAPE.findall(doc)) >= (1 if stack in graph.parts else 2)
    assert not [name for name in vars(type(model)) if name.startswith(("encode", "decode"))]


@pytest.mark.parametrize(("name", "table"), [("t5_small", "token_embedding"), ("whisper_tiny", "")])
def test_a_stack_takes_vectors_where_the_model_embeds(name: str, table: str) -> None:
    graph = small_graph(name)
    model = model_of(graph)
    for stack, first in (("encoder", "input_features"), ("decoder", "decoder_input_ids")):
        found = table_of(graph, stack)
        assert ("" if found is None else found.name) == table
        assert _parameters(getattr(model, stack).forward)[0] == ("x" if table else first)


def test_stacks_without_layers_and_weights() -> None:
    """An encoder that only hands on what the shared table gives."""
    spec = mw.loads(
        "name: pair\nfamily: encoder-decoder\nvocab_size: 24\nd_model: 8\nlayers: 1\n"
        "attention: {heads: 2}\npositions: rotary\nfinal_norm: false\nhead: language_model\n"
        "encoder: {layers: 0}\ndecoder: {input: {tied: encoder}}\n"
    )
    model: Any = mw.compile(spec).eval()
    ids = torch.arange(6)[None] + 2
    x = model.token_embedding(ids)
    assert torch.equal(model.encoder(x), x)
    assert torch.equal(model(ids, ids), model.logits(model.decoder(x, x)))
    assert model.generate(ids, 3).shape[1] <= 4


@pytest.mark.parametrize("name", ["t5_small", "whisper_tiny", "clip_vit_b32"])
@torch.no_grad()
def test_a_stack_is_exported_by_itself(name: str) -> None:
    module, given, result = first_stack(name)
    program = torch.export.export(module, given).module()
    assert torch.allclose(program(*given), result)


@pytest.mark.slow
@torch.no_grad()
def test_a_stack_is_compiled_by_itself() -> None:
    module, given, result = first_stack("t5_small")
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    assert torch.allclose(compiled(*given), result)


def first_stack(name: str) -> tuple[Any, tuple[Any, ...], Tensor]:
    """The encoder or first tower, what the model gives it, and its result."""
    graph = small_graph(name)
    model, data = model_of(graph), data_of(graph)
    with results(model, graph) as seen:
        model(**data)
    stack, given, result = seen[0]
    return getattr(model, stack), tuple(given), result


def test_a_stack_that_reads_ids_too_is_given_both() -> None:
    """Positions are counted from ids, whose table is the model's."""
    spec = mw.loads(
        "name: pair\nfamily: encoder-decoder\nvocab_size: 24\nd_model: 8\nlayers: 1\n"
        "max_positions: 32\nattention: {heads: 2}\nhead: language_model\ntokens: {pad: 1}\n"
        "positions: {type: learned, skip_padding: tokens, offset: 2}\n"
        "decoder: {input: {tied: encoder}, positions: rotary}\n"
    )
    model: Any = mw.compile(spec).eval()
    assert _parameters(model.encoder.forward)[:2] == ["x", "input_ids"]
    ids = torch.arange(6)[None] + 2
    memory = model.encoder(model.token_embedding(ids), ids)
    x = model.decoder(model.token_embedding(ids), memory)
    assert torch.equal(model(ids, ids), model.logits(x))


STACKS = """name: stacks
d_model: 8
vocab_size: 9
attention: {heads: 2}
stacks:
  pixels: {layers: 1, input: {type: patches, image_size: 4, patch_size: 2}}
  sound: {layers: 1, input: {type: patches, argument: frames, image_size: 4, patch_size: 2}}
  mixed: {layers: 0, final_norm: false, input: [tokens, {type: stack, stack: pixels, replace: 7}]}
  both:
    layers: 1
    input:
      - {type: stack, stack: sound, optional: true}
      - {type: stack, stack: mixed, optional: true}
"""


def test_what_belongs_to_an_absent_stack_is_refused() -> None:
    """Its mask, and the inputs of stacks that only it reads; without these it is left out."""
    model: Any = mw.compile(mw.loads(STACKS), seed=0).eval()
    frames, ids = torch.randn(2, 3, 4, 4), torch.tensor([[1, 2], [3, 4]])
    assert model(frames=frames).shape == (2, 4, 8)
    assert model(input_ids=ids, attention_mask=torch.ones_like(ids)).shape == (2, 2, 8)
    with pytest.raises(ValueError, match="attention_mask needs input_ids"):
        model(frames=frames, attention_mask=torch.ones_like(ids))
    with pytest.raises(ValueError, match="pixel_values needs input_ids"):
        model(frames=frames, pixel_values=torch.randn(2, 3, 4, 4))


CONDITIONED = """name: conditioned
d_model: 8
layers: 1
attention: {heads: 2}
stacks:
  only:
    input: {type: patches, image_size: 4, patch_size: 2}
    condition: {type: adaln, embed: [{type: vector, argument: v, size: 4}, timestep]}
"""
STREAMS = """name: streams
layers: 1
stacks:
  only:
    streams:
      rows: {d_model: 8, axes: [a, b], input: {type: features, argument: rows}}
      pairs: {d_model: 6, axes: [b, b], input: {type: features, argument: pairs}}
    sublayers: [{type: mlp, stream: rows}, {type: mlp, stream: pairs}]
"""


@pytest.mark.parametrize("shape", [(), (1,), (2, 1), (3,)])
def test_conditions_of_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    """Also a single number, which torch would broadcast or index."""
    model: Any = mw.compile(mw.loads(CONDITIONED), seed=0)
    images, v = torch.randn(2, 3, 4, 4), torch.randn(2, 4)
    message = f"timesteps must have the shape (2,), not {shape}"
    with pytest.raises(ValueError, match=re.escape(message)):
        model(pixel_values=images, v=v, timesteps=torch.zeros(shape))
    with pytest.raises(ValueError, match=re.escape("timesteps must be a tensor (2,), not a float")):
        model(pixel_values=images, v=v, timesteps=0.5)
    with pytest.raises(ValueError, match=re.escape("v must have the shape (2, 4), not ()")):
        model(pixel_values=images, v=torch.tensor(1.0), timesteps=torch.zeros(2))


@pytest.mark.parametrize("batch", [1, 3])
def test_batches_that_differ_are_refused(batch: int) -> None:
    """Also a batch of one, which would be broadcast."""
    images, times = torch.randn(2, 3, 4, 4), torch.zeros(2)
    model: Any = mw.compile(mw.loads(CONDITIONED), seed=0)
    model(pixel_values=images, v=torch.randn(2, 4), timesteps=times)
    with pytest.raises(ValueError, match=rf"v must have the shape \(2, 4\), not \({batch}, 4\)"):
        model(pixel_values=images, v=torch.randn(batch, 4), timesteps=times)
    streams: Any = mw.compile(mw.loads(STREAMS), seed=0)
    with pytest.raises(ValueError, match=f"the sizes of the axis batch differ: 2 and {batch}"):
        streams(rows=torch.randn(2, 3, 4, 8), pairs=torch.randn(batch, 4, 4, 6))


STATES_FIRST = """name: states-first
d_model: 8
layers: 1
attention: {heads: 2}
stacks:
  text: {vocab_size: 20, input: {argument: text_ids, prefix_tokens: PREFIX}}
  both: {input: [{type: stack, stack: text}, {type: patches, image_size: 4, patch_size: 2}]}
heads: {out: {type: projection, size: 2, stack: both}}
"""


@pytest.mark.parametrize("prefix", [0, 2])
def test_the_mask_of_states_that_are_joined_first(prefix: int) -> None:
    """It has the length of the text, not of the joined sequence."""
    text = STATES_FIRST.replace("PREFIX", str(prefix))
    model: Any = mw.compile(mw.loads(text), seed=0).eval()
    ids, images = torch.tensor([[1, 2, 3], [4, 5, 6]]), torch.randn(2, 3, 4, 4)
    mask = torch.tensor([[1, 1, 0], [1, 1, 1]])
    y = model(text_ids=ids, pixel_values=images, text_attention_mask=mask)
    ids[0, 2] = 7  # padding
    again = model(text_ids=ids, pixel_values=images, text_attention_mask=mask)
    kept = [0, 1, *range(3, 7)] if not prefix else [0, 1, 2, 3, *range(5, 9)]
    torch.testing.assert_close(y[:, kept], again[:, kept])
    with pytest.raises(ValueError, match=r"text_attention_mask must be int or bool \(2, 3\)"):
        model(text_ids=ids, pixel_values=images, text_attention_mask=torch.ones(2, 7).long())
