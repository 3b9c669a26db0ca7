"""Facts on a graph besides its ops: heads, inputs, stacks, tokens, initial values, the source."""

from __future__ import annotations

import pytest
from graphs import BOTH, EXAMPLES, lowered

from modelwright import load, loads, lower, report
from modelwright.backends.diagram import draw
from modelwright.backends.diagram.masks import draw_masks
from modelwright.backends.reference import random_weights, run
from modelwright.backends.verify.arguments import Arguments
from modelwright.compiler import ModuleGraph
from modelwright.compiler.facts import HeadFact, InitFact, InputFact, SourceFact, TokenFact

HEADS = {
    "gpt2": HeadFact("head", "language_model", "decoder", "next_token", ("decoder",)),
    "modernbert_base": HeadFact("head", "language_model", "encoder", "labels", ("encoder",)),
    "t5_small": HeadFact("head", "language_model", "decoder", "labels", ("decoder",)),
    "vit_b16": HeadFact("head", "classifier", "encoder", "labels", ("encoder",), "first"),
    "clip_vit_b32": HeadFact("head", "contrastive", "", "softmax_pairs", ("text", "vision")),
}


def example(name: str) -> ModuleGraph:
    return lower(load(EXAMPLES / f"{name}.yaml"))


@pytest.mark.parametrize("name", HEADS)
def test_heads(name: str) -> None:
    (fact,) = example(name).heads.values()
    wanted = HEADS[name]
    assert (fact.kind, fact.stack, fact.loss, fact.pool) == (
        wanted.kind,
        wanted.stack,
        wanted.loss,
        wanted.pool,
    )
    assert sorted(fact.stacks) == sorted(wanted.stacks)


def test_heads_are_in_the_order_of_the_spec() -> None:
    text = (
        "heads: {words: {type: language_model}, vector: {type: projection, size: 4}, "
        "kind: {type: classifier, classes: 3, pool: mean}}"
    )
    base = "name: a\nfamily: encoder-only\nvocab_size: 9\nd_model: 8\nlayers: 1\n"
    heads = lower(loads(f"{base}attention: {{heads: 2}}\n{text}\n")).heads
    assert [(head.name, head.loss, head.pool) for head in heads.values()] == [
        ("words", "labels", ""),
        ("vector", "", ""),
        ("kind", "labels", "mean"),
    ]


@pytest.mark.parametrize(
    ("change", "fact"),
    [
        ("init={type: normal, std: 0.1, depth_scaled: true}", InitFact("normal", 0.1, True)),
        ("init={type: truncated_normal, std: 0.3}", InitFact("truncated_normal", 0.3)),
        ("init=xavier", InitFact("xavier", None)),
        ("init=orthogonal", InitFact("orthogonal", None)),
    ],
)
def test_first_values(change: str, fact: InitFact) -> None:
    assert lower(load(EXAMPLES / "gpt2.yaml", sets=(change,))).init == fact


def test_tokens() -> None:
    changes = ("tokens.bos=1", "tokens.eos=2", "tokens.pad=0", "tokens.decoder_start=3")
    assert lower(load(EXAMPLES / "t5_small.yaml", sets=changes)).tokens == TokenFact(
        1, 2, 0, 3, (2,)
    )
    assert lowered().tokens == TokenFact()


def test_inputs() -> None:
    assert example("gpt2").inputs == {"decoder": InputFact("tokens", "input_ids")}
    assert lowered(text=BOTH).inputs == {
        "encoder": InputFact("tokens", "input_ids"),
        "decoder": InputFact("tokens", "decoder_input_ids"),
    }
    images = example("clip_vit_b32").inputs["vision"]
    assert (images.kind, images.argument, images.tokens(50)) == ("patches", "pixel_values", 50)


@pytest.mark.parametrize("name", ["whisper_tiny", "wav2vec2_base"])
def test_stems_make_tokens_of_frames(name: str) -> None:
    spec = load(EXAMPLES / f"{name}.yaml")
    stack = next(iter(spec.stacks))
    stem, fact = spec.stacks[stack].input[0], lower(spec).inputs[stack]
    assert (fact.kind, fact.argument) == ("conv", stem.argument)
    for frames in (1, 399, 400, 401, 3000, 16_000):
        assert fact.tokens(frames) == stem.tokens(frames)
    shape = (2, *stem.shape(3000))
    assert shape[fact.axis] == 3000


def test_stacks() -> None:
    graph = lowered(text=BOTH)
    assert graph.depths == {name: stack.layers for name, stack in graph.stack_facts.items()}
    assert [stack.reads for stack in graph.stack_facts.values()] == [(), ("encoder",)]
    assert not graph.decided()
    assert example("vit_b16").decided()
    albert = example("albert_base").stack_facts["encoder"]
    assert (albert.layers, albert.d_model, albert.heads) == (12, 768, 12)
    assert albert.order == ("block",) * 12


def test_the_source_says_what_was_written() -> None:
    path, change = EXAMPLES / "gpt2.yaml", "layers=3"
    spec = load(path, sets=(change,))
    source = lower(spec).source
    assert (source.name, source.sets, source.sha) == ("gpt2.yaml", (change,), spec.sha)
    assert (source.family, source.description) == ("decoder-only", spec.description)
    heads = source.mark(("stacks", "decoder", "blocks", "block", "attention", "heads"))
    assert heads is not None
    assert "heads" in heads.text
    default = ("stacks", "decoder", "blocks", "block", "attention", "softcap")
    found = source.written(default)
    assert found is not None
    assert found.why != "default"
    assert found.line
    assert SourceFact().mark(("name",)) is None
    assert SourceFact().sha == ""


def test_copies_have_the_same_facts() -> None:
    graph = example("bart_base")
    copy = graph.copy()
    for name in ("heads", "inputs", "stack_facts", "init", "tokens", "source"):
        assert getattr(copy, name) == getattr(graph, name), name
    copy.heads.clear()
    assert graph.heads


@pytest.mark.parametrize("name", ["tiny_gpt", "tiny_t5", "whisper_tiny", "clip_vit_b32"])
def test_what_reads_a_graph_needs_no_spec(name: str) -> None:
    """Costs, figures, masks, and the reference, of a graph that has forgotten its spec."""
    spec = load(EXAMPLES / f"{name}.yaml")
    graph = lower(spec)
    vars(graph).pop("spec", None)
    assert report(graph).weights_total
    assert draw(graph).startswith(b"<svg")
    assert draw_masks(graph)
    if name.startswith("tiny"):
        data = Arguments(spec, graph).plain()
        assert run(graph, random_weights(graph, 0), data)
