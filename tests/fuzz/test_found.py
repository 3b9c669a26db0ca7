"""Faults that random specs have found: one test each, so that they stay fixed."""

from __future__ import annotations

import inspect
import math
import re
from pathlib import Path

import pytest
import torch
from oracle.mended import FILES

from modelwright.backends.pytorch import compile as compile_model
from modelwright.backends.pytorch import emit_file, instantiate
from modelwright.backends.pytorch.helpers import places
from modelwright.backends.pytorch.runtime.linear import elu_features
from modelwright.backends.verify import verify
from modelwright.backends.verify.laws.equality import BEYOND, TIED
from modelwright.backends.verify.subject import Subject, weights_for
from modelwright.compiler import lower
from modelwright.compiler.display import show
from modelwright.spec import ModelSpec, SpecErrors, load, loads
from modelwright.spec.names import HELPER_CLASSES, HELPER_NAMES

from .examine import FAR, examine
from .specs import Document

SMALL = """
name: small
family: decoder-only
vocab_size: 24
max_positions: 40
d_model: 8
layers: 2
attention: {heads: 2}
head: {type: language_model, tied: true}
"""
IMAGE = """
name: small
d_model: 8
attention: {heads: 2}
head: {type: projection, stack: image, size: 3, pool: mean}
stacks:
  image:
    layers: 1
    input: {type: patches, image_size: 8, patch_size: 4, prefix_tokens: 1}
  text:
    layers: 1
    vocab_size: 24
    input: {argument: text_ids}
    cross_attention: {memory: image}
"""


def changed(text: str, *lines: str) -> str:
    """The text with other lines in place of those with the same key, or after them."""
    kept = text.strip().splitlines()
    for line in lines:
        key = line.partition(":")[0]
        kept = [old for old in kept if old.partition(":")[0] != key] + [line]
    return "\n".join(kept) + "\n"


class Written(Document):
    """A document that is a text already."""

    @property
    def text(self) -> str:
        return str(self.data["text"])


def passes(text: str) -> None:
    examine(Written({"text": text}))


def problems(text: str) -> list[str]:
    with pytest.raises(SpecErrors) as caught:
        loads(text)
    return [problem.message for problem in caught.value.problems]


# -- reading and printing


def test_none_is_not_the_same_as_left_out() -> None:
    """`buckets: none` was printed as not set, and read back as the default, 256."""
    text = changed(SMALL, "positions: {type: disentangled, buckets: none, max_distance: 6}")
    spec = loads(text)
    assert "buckets: none" in show(spec)
    for again in (loads(show(spec)), ModelSpec.model_validate(spec.model_dump(by_alias=True))):
        assert again.stacks == spec.stacks
    passes(text)


def test_no_layers_ask_for_no_heads() -> None:
    """What was printed of such a spec could not be read: it lacked the heads of no block."""
    spec = loads(changed(SMALL, "layers: 0"))
    assert loads(show(spec)).stacks == spec.stacks
    assert ModelSpec.model_validate(spec.model_dump(by_alias=True)) == spec
    passes("name: small\nfamily: decoder-only\nvocab_size: 24\nd_model: 8\nlayers: 0\n")


def test_the_heads_of_layers_are_still_asked_for() -> None:
    for layers in ("layers: 1", "layers: x", ""):
        text = changed(SMALL, "attention: {}").replace("layers: 2", layers)
        assert any("heads" in message for message in problems(text))


@pytest.mark.parametrize("option", ["separate_global", "sinks"])
def test_an_option_of_another_kind_beside_one_that_is_looked_up_with_it(option: str) -> None:
    """What is not built yet was asked of a value that could not be read: a traceback."""
    other = {"separate_global": "sinks", "sinks": "separate_global"}[option]
    found = problems(changed(SMALL, f"attention: {{heads: 2, {option}: 3, {other}: true}}"))
    assert any(f"`{option}` must be " in message for message in found)


def test_a_list_of_which_one_word_cannot_be_read() -> None:
    """An empty entry in `bias: [query, ]` was compared with the others: a traceback."""
    found = problems(changed(SMALL, "attention: {heads: 2, bias: [query, ~, value]}"))
    assert found == ["a value is missing; to switch something off, write `none`"]


def test_a_type_that_cannot_be_read_takes_the_place_of_one_with_options() -> None:
    """What it drops was to be told, with a name that an alias to nothing has not: a traceback."""
    found = problems(
        changed(SMALL, "norm: {type: *x, eps: 0.1}", "attention: {heads: 2, norm: rmsnorm}")
    )
    assert len(found) == 1


def test_a_law_ignores_values_that_could_not_be_read() -> None:
    """It said `d_model (BROKEN)`."""
    found = problems(changed(SMALL, "d_model: x", "input: {project: before_positions}"))
    assert not any("BROKEN" in message for message in found)


def test_a_law_ignores_a_stack_that_could_not_be_read() -> None:
    """It looked for the decoder: KeyError."""
    found = problems(changed(SMALL, "family: encoder-decoder", "decoder: [1]"))
    assert any("decoder" in message or "mapping" in message for message in found)


def test_a_path_that_no_file_system_takes(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(changed(SMALL, f"extends: {'x' * 5000}.yaml"))
    with pytest.raises(SpecErrors, match="`extends` must name a file, such as"):
        load(path)


def test_a_file_that_is_too_long_has_a_first_line(tmp_path: Path) -> None:
    path = tmp_path / "long.yaml"
    path.write_text("#" * 300_000)
    with pytest.raises(SpecErrors) as caught:
        load(path)
    assert [problem.mark.line for problem in caught.value.problems] == [1]


def test_a_stack_that_no_head_reads_is_refused() -> None:
    """Not if it was the last one: its arguments were missing in `forward`, without a word."""
    text = changed(
        SMALL,
        "family: encoder-decoder",
        "decoder: {cross_attention: none}",
        "head: {type: language_model, stack: encoder}",
    )
    assert "stack `decoder` has no effect: nothing reads it; remove it" in problems(text)


def test_layers_of_a_stack_whose_embedding_alone_is_used_are_refused() -> None:
    text = changed(
        SMALL,
        "family: encoder-decoder",
        "encoder: {input: {tied: decoder}}",
        "head: {type: language_model, stack: encoder}",
    )
    expected = "the layers of `decoder` have no effect: only its embedding is used"
    assert f"{expected}; write `layers: 0`" in problems(text)


def test_a_stack_that_only_a_block_without_layers_reads_is_refused() -> None:
    text = changed(
        SMALL,
        "family: encoder-decoder",
        "decoder: {pattern: [a * 99, b], blocks: {a: {cross_attention: none}, b: {}}}",
    )
    assert "stack `encoder` has no effect: nothing reads it; remove it" in problems(text)


def test_blocks_of_several_stacks_have_names_of_their_own() -> None:
    """Three kinds in one stack and one in another: two classes `Block` could not be told apart."""
    plain = SMALL.replace("family: decoder-only\n", "").partition("head:")[0]
    text = changed(
        plain,
        "stacks: {text: {layers: 3, overrides: {0: {norm: none}, 1: {norm: rmsnorm}}}, "
        "notes: {input: {argument: notes_ids}, feed_forward: none}}",
        "heads: {a: {type: language_model, stack: text}, b: {type: projection, size: 2, "
        "stack: notes}}",
    )
    names = re.findall(r"^class (\w*Block\w*)", emit_file(lower(loads(text))).text, re.M)
    assert len(names) == len(set(names)) == 4


def test_weights_of_one_name_are_set_by_layer() -> None:
    """Norms of two kinds of blocks begin at 1 and at 0; other numbers of layers are refused."""
    norm = "norm: {type: rmsnorm, weight_offset: 1}"
    text = changed(SMALL, f"overrides: {{1: {{{norm}}}}}")
    emitted = emit_file(lower(loads(text)))
    model = instantiate(emitted, "small")
    first, second = (block.attention_norm.weight for block in model.layers)
    assert (first == 1).all()
    assert (second == 0).all()
    config = type(model.config)
    with pytest.raises(ValueError, match="layers must be 2"):
        config(layers=3)


def test_inputs_of_different_types_are_not_dropped_in_silence() -> None:
    """Only the first of a list was read."""
    text = changed(SMALL, "input: [tokens, {type: patches, image_size: 8, patch_size: 4}]")
    names = [op.name for op in lower(loads(text)).ops("") if op.kind == "argument"]
    assert {"input_ids", "pixel_values"} <= {*names}


# -- names


def test_every_helper_of_emitted_files_is_a_name_that_arguments_may_not_take() -> None:
    """`input: {argument: rope_angles}` hid the function: 'Tensor' object is not callable."""
    functions = {name for name in places() if name[0].islower()}
    functions |= {"compiled_flex_attention"}  # a constant of files with `--kernel flex`
    assert functions == HELPER_NAMES, "spec/names.py has the list"
    for name in [*sorted(HELPER_NAMES)[:3], "causal_mask", "causal_window_mask"]:
        for line in (f"input: {{argument: {name}}}", f"input: {{add: {{{name}: 3}}}}"):
            (message,) = problems(changed(SMALL, line))
            assert "another name" in message


def test_a_model_may_not_be_named_like_a_class_of_the_runtime() -> None:
    assert {name for name in places() if name[0].isupper()} == HELPER_CLASSES
    for name in sorted(HELPER_CLASSES)[:3]:
        (message,) = problems(changed(SMALL, f"name: {name}"))
        assert "another name" in message


MIXTURE = "feed_forward: {type: moe, experts: 4, top_k: 2, expert: {type: glu, d_ff: 8}}"


@pytest.mark.parametrize("name", ["experts", "mixture-of-experts", "latent_attention"])
def test_a_model_may_be_named_like_a_module(name: str) -> None:
    """The model and its experts were both `Experts`, and it built itself without end."""
    passes(changed(SMALL, f"name: {name}", MIXTURE))


def test_a_mask_of_global_tokens_alone() -> None:
    """Its function was called as the argument it is given: 'NoneType' object is not callable."""
    passes(changed(SMALL, "family: encoder-only", "mask: global(given)"))


@pytest.mark.parametrize(
    "line",
    ["input: {registers: 2}", "positions: relative_table"],
)
def test_prefix_tokens_of_one_stack_of_several(line: str) -> None:
    """The weights and their number took the same name in a stack's module."""
    start = "    layers: 1\n    input: {type: p"
    text = IMAGE.replace(start, f"    {line}\n{start}")
    if line.startswith("input"):
        text = IMAGE.replace("prefix_tokens: 1", "prefix_tokens: 1, registers: 2")
    passes(text.replace("stack: image", "stack: text"))


# -- numbers


@pytest.mark.parametrize("score", ["additive", "distance"])
def test_by_layer_divides_products_alone(score: str) -> None:
    """The query was divided, which is another thing for scores that are no product of it."""
    found = problems(changed(SMALL, f"attention: {{heads: 2, score: {score}, scale: by_layer}}"))
    assert found == [f"`by_layer` needs `score: dot`, not `{score}`"]


def test_a_shared_table_is_read_before_what_takes_its_type_and_length() -> None:
    """Angles were computed as wide as the ids, in float32, and their heads counted as the tokens:
    with positions given, and no mask, a decoder saw the future.
    """
    text = changed(
        SMALL,
        "family: encoder-decoder",
        "decoder: {input: {tied: encoder}}",
        "positions: rotary",
        "head: none",
    )
    written = emit_file(lower(loads(text))).text
    assert "like=input_ids" not in written
    assert "like=memory" not in written
    passes(text)


def test_the_mask_of_a_memory_comes_first_whichever_attention_reads_it() -> None:
    """Linear cross-attention took it as the second, and `generate` gave it none."""
    text = changed(
        SMALL,
        "family: encoder-decoder",
        "attention: {type: linear, heads: 2}",
        "encoder: {attention: none}",
    )
    written = emit_file(lower(loads(text))).text
    call = "decoder(decoder_input_ids, memory, attention_mask, decoder_attention_mask)"
    assert call in written
    assert "memory, attention_mask, cache=cache)" in written
    passes(text)


@pytest.mark.parametrize("encoder", ["layers: 0", "attention: none"])
def test_an_answer_does_not_read_the_padding_of_what_no_encoder_looked_at(encoder: str) -> None:
    """`generate` had no mask where the encoder has none: cross-attention read the padding."""
    text = changed(SMALL, "family: encoder-decoder", f"encoder: {{{encoder}}}")
    assert "attention_mask: Tensor" in emit_file(lower(loads(text))).text.split("def generate")[1]
    passes(text)


def test_the_same_mask_with_padding_and_without() -> None:
    """Two stacks of which one reads an image: its mask was made by the other's function."""
    text = IMAGE.replace("    layers: 1", "    layers: 1\n    mask: blocks(2)")
    passes(text.replace("stack: image", "stack: text"))


def test_fresh_weights_of_a_contrastive_head_are_its_own() -> None:
    """Every bias of the model was set to -10, as that of its scores."""
    text = IMAGE.replace("    cross_attention: {memory: image}\n", "").replace(
        "{type: projection, stack: image, size: 3, pool: mean}",
        "{type: contrastive, size: 3, loss: sigmoid, towers:"
        " {image: {pool: mean}, text: {pool: last}}}",
    )
    passes(text)


# -- lines of at most 100 columns


LONG_NAMES = """
name: x
d_model: 8
vocab_size: 24
stacks:
  a_rather_long_name: {layers: 1, attention: {heads: 2}, input: {argument: one_ids}}
  question:
    layers: 2
    attention: {heads: 2, value_dim: 3}
    input: {argument: two_ids}
    blocks:
      a_block_of_some_length: {cross_attention: {memory: a_rather_long_name, heads: 4}}
      b: {cross_attention: {memory: a_rather_long_name, value_dim: 6}}
    pattern: [a_block_of_some_length, b]
head: {type: language_model, stack: question}
"""


@pytest.mark.parametrize(
    "text",
    [
        LONG_NAMES,
        changed(
            SMALL,
            "mask: ~(prefix & keys(1:-1) & ~keys(2) & queries(2:5) | ~(documents & keys(-2:)))",
            "layers: 4",
            "overrides: {0..2: {mask: causal}, 1: {mask: causal & window(3)}, 0..1: {bias: false}}",
        ),
    ],
    ids=["names", "masks"],
)
def test_long_names_and_formulas_fit(text: str) -> None:
    lines = emit_file(lower(loads(text))).text.splitlines()
    assert [line for line in lines if len(line) > 100] == []


def test_two_towers_have_a_layer_each_for_the_scores_of_their_pools() -> None:
    towers = "{image: {pool: attention}, text: {pool: attention}}"
    passes(changed(IMAGE, f"head: {{type: contrastive, size: 3, towers: {towers}}}"))


def test_generate_counts_from_the_first_real_token_whatever_the_ids_are_called() -> None:
    text = changed(SMALL, "input: {argument: words}", "positions: learned")
    emitted = emit_file(lower(loads(text))).text
    assert "self.hidden_states(step, mask, position_ids, cache=cache)" in emitted
    passes(text)


# -- numbers


def test_features_far_below_zero_keep_their_digits() -> None:
    """`elu(x) + 1` was computed as it stands: below -20 the 1 swallows most digits of exp(x)."""
    x = torch.tensor([-45.0, -20.0, -1.0, 0.0, 2.0], dtype=torch.float64, requires_grad=True)
    expected = torch.tensor([math.exp(-45), math.exp(-20), math.exp(-1), 1, 3]).double()
    for dtype in (torch.float64, torch.float32):
        assert (elu_features(x.to(dtype)).double() / expected - 1).abs().max() < 1e-6
    elu_features(x).sum().backward()
    assert torch.equal(x.grad, torch.where(x > 0, 1, x.exp()))
    attention = "attention: {type: linear, heads: 2, norm: none}"
    text = changed(SMALL, "layers: 3", "input: {scale: 100}", attention, "feed_forward: none")
    finds(text, "reference")


def finds(text: str, *laws: str, seed: int = 0) -> list[str]:
    """What the laws add to say, none of which fails."""
    report = verify(loads(text), full_size=True, laws=laws, seed=seed)
    assert not report.failures, report.render()
    return [finding.note for finding in report.findings]


def test_numbers_beyond_float32_are_reported() -> None:
    """Additive attention without norms reaches 1e25, whose square float32 cannot hold."""
    text = changed(
        SMALL,
        "family: encoder-only",
        "layers: 5",
        "positions: sinusoidal",
        "attention: {type: fastformer, heads: 2, norm: none}",
        "feed_forward: none",
    )
    (note,) = finds(text, "float32")
    assert note.startswith(BEYOND)


def test_the_reference_reports_norms_that_overflow_float64() -> None:
    """Of seed 734: one layer of sums, again and again without norms, until one squares 1e251."""
    text = changed(
        SMALL,
        "family: encoder-only",
        "d_model: 12",
        "layers: 5",
        "share: true",
        "input: {scale: 1000}",
        "attention: {type: linear, heads: 2, norm: none, normalize: false}",
        "feed_forward: none",
    )
    (note,) = finds(text, "reference")
    assert note.startswith("beyond float64: the square of")


def test_tied_experts_are_reported() -> None:
    """A sigmoid gives 1 to every logit above 37: which experts are best is not said."""
    experts = "{type: moe, norm: none, experts: 6, top_k: 2, router: {score: sigmoid}}"
    text = changed(SMALL, "input: {scale: 2000}", f"feed_forward: {experts}")
    assert all(TIED in note for note in finds(text, "reference", "float32"))


def test_kernels_may_differ_by_what_rounding_does_to_the_model() -> None:
    """Their bound in float32 was one number; linear attention can divide by nearly nothing."""
    linear = "{type: linear, heads: 2, feature_map: identity, norm: none}"
    text = changed(
        SMALL,
        "family: encoder-decoder",
        "layers: 3",
        f"decoder: {{attention: {linear}, cross_attention: {{type: mha, heads: 2}}}}",
    )
    finds(text, "kernels")


def test_no_gradient_is_required_where_routing_jumps() -> None:
    """Moved by 0.001, its weight made another expert the best; its score alone does nothing."""
    experts = "experts: 8, top_k: 1, router: {score: sparsemixer, jitter: 0.01}"
    (note,) = finds(
        changed(SMALL, "layers: 8", f"feed_forward: {{type: moe, {experts}}}"), "gradients", seed=8
    )
    assert "no output depends on it" in note


# -- parts that have the same words


def test_rates_of_additive_attention_and_of_its_branch_may_differ() -> None:
    """`dropout` of the weights and of the branch were one name: an assertion failed."""
    passes(
        changed(
            SMALL,
            "family: encoder-only",
            "attention: {type: fastformer, heads: 2, dropout: 0.5}",
            "dropout: 0.1",
        )
    )


TWO_TEXTS = """
name: small
d_model: 8
vocab_size: 24
layers: 1
mask: causal
attention: {heads: 2}
positions: rotary
stacks:
  question: {input: {argument: question_ids}}
  answer: {input: {argument: answer_ids}, cross_attention: {memory: question}}
head: {type: language_model, stack: answer}
"""


def test_generate_is_given_what_the_stack_reads_that_is_read() -> None:
    """The law gave it what the other one reads, where stacks have names of their own."""
    assert "def generate" in emit_file(lower(loads(TWO_TEXTS))).text
    passes(TWO_TEXTS)


def test_a_long_factor_of_angles_fits() -> None:
    """`cos, sin = cos * …, sin * …` had 107 characters where a stack's name is long."""
    scaling = "{type: yarn, factor: FACTOR, original_max_positions: 16}"
    rotary = f"{{type: rotary, scaling: {scaling}}}"
    stack = f"{{input: {{argument: NAME_ids}}, positions: {rotary}}}"
    stacks = [
        "  a_question: " + stack.replace("NAME", "a").replace("FACTOR", "4"),
        "  an_answer: "
        + stack.replace("NAME", "b").replace("FACTOR", "2")[:-1]
        + ", cross_attention: {memory: a_question}}",
    ]
    text = TWO_TEXTS.partition("positions:")[0] + "\n".join(["stacks:", *stacks])
    passes(text + "\nhead: {type: language_model, stack: an_answer}\n")


def test_generate_is_not_compared_where_padding_moves_what_an_encoder_sees() -> None:
    """A mask that counts from the end of a row, in the encoder, was not thought of."""
    encoder = "encoder: {mask: full & keys(-9:) | window(2)}"
    passes(changed(SMALL, "family: encoder-decoder", "positions: learned", encoder))


def test_equal_results_may_differ_by_what_rounding_does_to_the_model() -> None:
    """Linear attention that divides by nearly nothing missed the bound of float64 by 4e-11."""
    linear = "{type: linear, heads: 2, feature_map: identity}"
    text = changed(SMALL, "family: encoder-only", "layers: 3", f"attention: {linear}")
    spec = loads(text)
    graph = lower(spec)
    subject = Subject(spec, graph, emit_file(graph).text, weights_for(graph, 0))
    usual, once = subject.sensitivity("float64"), subject.sensitivity("float32")
    assert 1e-16 < usual < 1e-11
    assert 0.05 < once / (usual * 2.0**29) < 20  # proportional, for both are small
    assert subject.exact == max(1e-10, 8 * usual)


def test_a_stack_that_counts_padding_by_tokens_keeps_no_cache() -> None:
    """Under a prefix it kept one, and counted the tokens of each step from 0 again."""
    positions = "positions: {type: sinusoidal, skip_padding: tokens}"
    text = changed(SMALL, "tokens: {pad: 0}", positions, "mask: causal | prefix")
    assert "Cache" not in emit_file(lower(loads(text))).text
    passes(text)


def test_a_sink_may_take_all_of_the_weight() -> None:
    """The law of rows asked for a sum above 0, which huge scores of a sink round to 0."""
    options = "attention: {heads: 2, sinks: true}"
    (note,) = finds(changed(SMALL, options, "positions: learned", "input: {scale: 1e5}"), "rows")
    assert "sinks" in note


def test_numbers_beyond_float64_are_reported() -> None:
    """Layers without norms, each of the third power of the last, reached 1e295."""
    glu = "feed_forward: {type: glu, activation: relu2}"
    text = changed(SMALL, "layers: 9", "norm_placement: none", "input: {scale: 1000}", glu)
    assert examine(Written({"text": text})) == {FAR}


def test_sublayers_without_a_value_are_a_located_error() -> None:
    """Broken document 29359."""
    text = changed(SMALL, "sublayers:")
    with pytest.raises(SpecErrors, match=r"a value is missing"):
        loads(text)


def test_a_stack_is_given_lengths_of_two_options_with_one_name() -> None:
    """Random spec 80: `max_distance` of its positions and of the paths that it checks."""
    path = "argument: paths, entries: 4, max_distance: 3, width: 5, share: layer"
    paths = f"score_bias: [{{type: path, {path}}}]"
    text = f"""name: small
d_model: 16
layers: 1
vocab_size: 24
attention: {{heads: 2}}
head: {{type: projection, stack: two, size: 3, pool: mean}}
stacks:
  one:
    input: {{argument: one_ids}}
    positions: {{type: disentangled, buckets: 8, max_distance: 20}}
    attention: {{heads: 2, {paths}}}
  two: {{input: {{argument: two_ids}}, cross_attention: {{memory: one}}}}
"""
    passes(text)


def test_what_sublayers_inherit_is_shown_as_it_may_be_written() -> None:
    """Random spec 43: `show` printed an option of positions that one of two blocks reads."""
    text = changed(
        SMALL,
        "layers: 3",
        "family: encoder-only",
        "positions: [sinusoidal, {type: disentangled, buckets: 8, max_distance: 20}]",
        "blocks: {a: {}, b: {norm: none, sublayers: [{type: mha, heads: 2}, mlp]}}",
        "pattern: [a, b]",
        "head: none",
    )
    spec = loads(text)
    assert emit_file(lower(loads(show(spec)))).class_name == emit_file(lower(spec)).class_name


def test_an_optional_input_is_an_argument_of_generate() -> None:
    """Random spec 710142: its mask was passed in its place."""
    spec = loads(FILES["an optional input beside an image"])
    (found,) = verify(spec, laws={"generate"}).findings
    assert found.holds, found.where


ZERO = """
name: small
d_model: 8
attention: {heads: 2}
stacks:
  image: {input: {type: patches, argument: pixels, image_size: 8, patch_size: 4}}
  words: {layers: 0, vocab_size: 24, input: [tokens, {type: stack, stack: image, replace: 5}]}
"""


@pytest.mark.parametrize(
    ("text", "head"),
    [
        # images have an order even where no layer reads it; the text predicts the next token
        (
            "{input: {type: stack, stack: words}, mask: causal}",
            "{type: language_model, stack: text, vocab_size: 24}",
        ),
        # the words have places for images too
        (
            "{vocab_size: 24, input: [{type: stack, stack: words}, {argument: text_ids}]}",
            "{type: projection, stack: text, size: 3, pool: mean}",
        ),
    ],
)
def test_images_among_words_that_no_layer_reads(text: str, head: str) -> None:
    laws = ("oracle", "padding", "future", "order", "loss")
    finds(f"{ZERO}  text: {text}\nlayers: 1\nhead: {head}\n", *laws)


def test_a_step_has_as_many_rows_as_the_memory_in_the_cache() -> None:
    """Random spec 711039: keys of two rows were broadcast to a step of one."""
    text = """
name: small
family: encoder-decoder
vocab_size: 24
d_model: 8
layers: 1
attention: {heads: 2}
decoder: {sublayers: [{type: mha, memory: encoder, heads: 2}, {type: mha, heads: 2}]}
head: language_model
tokens: {decoder_start: 1}
"""
    finds(text, "errors", "cache", "generate")


def test_rounding_that_always_chooses_other_experts_is_measured() -> None:
    """With no case left, its effect was 0, and bfloat16 seemed wrong in an unstable model."""
    experts = "feed_forward: {type: moe, experts: 16, top_k: 3, expert: {d_ff: 4}}"
    spec = loads(changed(SMALL, "family: encoder-only", "layers: 6", experts))
    graph = lower(spec)
    subject = Subject(spec, graph, emit_file(graph).text, weights_for(graph, 0))
    assert subject.sensitivity("bfloat16") == 0
    assert 2.0**-9 < subject.sensitivity("bfloat16", rerouted=True) < 1


def test_score_vectors_of_heads_with_different_masks() -> None:
    """Random spec 200406: the tiles of each group of heads were given the vectors of all heads."""
    text = changed(SMALL, "attention: {heads: 2, score: additive}", "mask: [causal, window(3)]")
    finds(text, "oracle", "lengths", "cache")


def test_features_come_before_a_label() -> None:
    """Random spec 100010: `forward` took the label first and could not count the tokens."""
    condition = "condition: {type: adaln_zero, embed: [{type: label, argument: kinds, classes: 2}]}"
    text = f"name: x\nfamily: encoder-only\ninput: features\nd_model: 8\nlayers: 1\n{condition}\n"
    model = compile_model(loads(f"{text}attention: {{heads: 2}}\nmask: window(3)\n"))
    assert [*inspect.signature(model.forward).parameters][:2] == ["inputs_embeds", "kinds"]


PATCHES = "{type: patches, image_size: 8, patch_size: 2}"


def test_two_numbers_of_one_name_in_a_stack() -> None:
    """Random spec 100494: masks of two kinds of layers both had a number `band`."""
    blocks = "blocks: {a: {mask: 'band(3, 1)'}, b: {mask: 'global(2) | band(4, 0)'}}"
    overrides = "overrides: {0..1: {feed_forward: none}, -2..-1: b}"
    text = f"{{layers: 3, {overrides}, pattern: [a], input: {PATCHES}}}"
    reader = "{layers: 1, vocab_size: 9, input: {argument: words}, cross_attention: {memory: text}}"
    finds(
        f"name: x\nd_model: 8\nattention: {{heads: 2}}\nstacks:\n"
        f"  text: {text[:-1]}, {blocks}}}\n  reader: {reader}\n",
        "oracle",
    )


def test_memories_with_and_without_padding() -> None:
    """Perceiver IO: latents that read vectors with a mask, and outputs that read the latents."""
    text = """
name: perceiver
d_model: 8
layers: 1
attention: {heads: 2}
stacks:
  data: {layers: 0, final_norm: false, input: {type: features, argument: vectors}}
  latents: {input: {type: learned, tokens: 3}, cross_attention: {memory: data}}
  outputs: {input: {type: learned, tokens: 4}, cross_attention: {memory: latents}}
"""
    finds(text, "oracle", "padding")


@pytest.mark.parametrize("learned", [(0, 0), (2, 1)], ids=["none", "both"])
def test_vectors_in_the_place_of_tokens_that_come_through_two_stacks(
    learned: tuple[int, int],
) -> None:
    """Learned tokens of the stack between have no mask; without the vectors, all is absent."""
    text = f"""
name: small
head: {{type: language_model, stack: notes}}
d_model: 8
attention: {{heads: 2}}
layers: 1
stacks:
  text:
    vocab_size: 24
    max_positions: 40
    input: {{argument: text_ids, prefix_tokens: {learned[0]}}}
  question:
    input:
      {{type: stack, stack: text, prefix_tokens: {learned[1]}, projector: {{type: glu, d_ff: 10}}}}
    cross_attention: none
  notes:
    vocab_size: 24
    max_positions: 64
    cross_attention: none
    input:
      - {{argument: notes_ids}}
      - {{type: stack, stack: question, replace: 4}}
"""
    passes(text)
    code = emit_file(lower(loads(text))).text
    assert "None if text_states is None else self.question(" in code
    assert "text_states: Tensor | None" not in code
