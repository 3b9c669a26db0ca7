"""Similar masks, blocks, attentions and feed-forwards of a file are written once."""

from __future__ import annotations

import ast
from dataclasses import replace

import pytest
from emitted_texts import ALL, built, tree
from small_examples import FOLDER

from modelwright.backends.pytorch import emit_file
from modelwright.compiler import lower
from modelwright.spec import load


def functions(name: str) -> dict[str, list[str]]:
    """The functions of a file, and the names of their parameters."""
    found = [node for node in tree(name).body if isinstance(node, ast.FunctionDef)]
    return {one.name: [arg.arg for arg in one.args.args] for one in found}


def test_one_function_makes_the_masks_that_differ_in_a_size() -> None:
    found = functions("masks_of_layers_dense")
    masks = {k: found[k] for k in found if k.endswith("_mask") and k != "added_mask"}
    assert masks == {"causal_mask": ["start", "end", "block_size", "attention_mask", "like"]}


def test_a_causal_mask_that_sdpa_cannot_make_has_a_function_of_its_own() -> None:
    """A window's tiles have no mask where `is_causal` is enough, and a softcap adds the mask."""
    found = functions("masks_of_heads_in_some_layers")
    assert {"causal_mask", "causal_tiles", "causal_window_mask", "causal_window_tiles"} <= {*found}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("example sparse_transformer", {"causal_window_mask", "causal_strided_mask"}),
        ("example modernbert_base", {"padding_mask", "band_mask"}),
    ],
)
def test_other_masks_have_functions_of_their_own(name: str, expected: set[str]) -> None:
    found = {k for k in functions(name) if k.endswith("_mask")}
    assert found - {"added_mask"} == expected


def classes(name: str) -> dict[str, ast.ClassDef]:
    return {node.name: node for node in tree(name).body if isinstance(node, ast.ClassDef)}


def written(name: str, of: str) -> str:
    """A class of a file, as text."""
    return ast.unparse(classes(name)[of])


@pytest.mark.parametrize(
    "name",
    [
        "example llama4_scout",
        "example tiny_lightning",
        "linear_beside_others",
        "masks_of_heads_in_some_layers",
        "pattern",
    ],
)
def test_blocks_whose_attentions_are_given_other_things_are_one(name: str) -> None:
    assert [one for one in classes(name) if one.endswith("Block")] == ["Block"]
    block = written(name, "Block")
    assert "def __init__(self, config: Config, attention: nn.Module)" in block
    assert "*attention_inputs, cache)" in block
    assert "attention_inputs = " in built(name).text


@pytest.mark.parametrize("name", ["example gemma3_1b", "example deepseek_v3"])
def test_values_of_equal_names_are_passed_one_by_one(name: str) -> None:
    assert "_inputs, cache" not in built(name).text


def test_a_block_whose_module_is_given_needs_no_layer() -> None:
    assert "Block(config, attention)" in built("example llama4_scout").text
    assert "Block(config, i, branch)" in built("example deepseek_v3").text


def test_towers_of_other_widths_share_their_classes() -> None:
    """CLIP's image and text encoders differ in sizes, and in that one of them is causal."""
    found = classes("example clip_vit_b32")
    assert list(found)[1:] == [
        *("Attention", "FeedForward", "Block", "Vision", "Text", "Contrastive", "ClipVitB32")
    ]
    text = built("example clip_vit_b32").text
    assert "class Attention(nn.Module):" in text
    assert "def __init__(self, d_model: int, heads: int) -> None:" in text
    assert "def __init__(self, config: Config, d_model: int, heads: int) -> None:" in text
    assert "Block(config, config.text_d_model, config.text_heads)" in text


def test_an_attention_without_a_mask_is_that_with_one() -> None:
    """Whisper's encoder attends to all frames, its decoder to past tokens."""
    found = classes("example whisper_tiny")
    attentions = [one for one in found if one.endswith(("Attention", "Projections"))]
    assert attentions == ["Attention"]
    assert "mask: Tensor | None=None" in written("example whisper_tiny", "Attention")


def test_attention_to_a_memory_is_that_to_tokens_with_other_keys() -> None:
    for name in ("example t5_small", "example transformer_base", "example whisper_tiny"):
        assert [one for one in classes(name) if one.endswith("Attention")] == ["Attention"]
        assert "memory: Tensor | None=None" in written(name, "Attention")
        assert "cache=cache, memory=memory)" in written(name, "DecoderBlock")


def test_attentions_without_a_docstring_for_both_stay_two_classes() -> None:
    """Such as those of plug-ins, whose lowering gives each a title of its own."""
    graph = lower(load(FOLDER / "tiny_t5.yaml"))
    for path, scope in graph.scopes.items():
        graph.scopes[path] = replace(scope, general="")
    assert "class CrossAttention(Projections):" in emit_file(graph).text


def test_attention_to_a_memory_with_other_inputs_is_another_class() -> None:
    """Only attention to tokens takes angles of rotary positions."""
    found = classes("positions_rotary_both")
    assert {"Projections", "Attention", "CrossAttention"} <= set(found)
    assert "memory" not in written("positions_rotary_both", "Attention")


def test_stacks_of_other_sizes_share_what_they_can() -> None:
    found = classes("stacks_of_other_sizes")
    assert {"Attention", "FeedForward"} <= set(found)
    assert not {"EncoderAttention", "EncoderFeedForward"} & set(found)
    attention = written("stacks_of_other_sizes", "Attention")
    assert "def __init__(self, d_model: int, heads: int, layer: int=0)" in attention


@pytest.mark.sampled(12)
@pytest.mark.parametrize("name", ALL)
def test_classes_are_defined_before_they_are_used(name: str) -> None:
    order = list(classes(name))
    for number, one in enumerate(order):
        used = {node.id for node in ast.walk(classes(name)[one]) if isinstance(node, ast.Name)}
        assert not used.intersection(order[number + 1 :]), one
