"""What differs in little is written once: masks, blocks, attentions and feed-forwards of a file."""

from __future__ import annotations

import ast

import pytest
from emitted_texts import built, tree


def functions(name: str) -> dict[str, list[str]]:
    """The functions of a file, and the names of their parameters."""
    found = [node for node in tree(name).body if isinstance(node, ast.FunctionDef)]
    return {one.name: [arg.arg for arg in one.args.args] for one in found}


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("example gemma3_1b", "window"),
        ("example gemma2_2b", "window"),  # its kernel never masks by itself
        ("example gpt_oss_20b", "window"),
        ("example llama4_scout", "block_size"),
        ("masks_of_heads_in_some_layers", "window"),
    ],
)
def test_one_function_makes_the_masks_that_differ_in_a_size(name: str, size: str) -> None:
    masks = {k: v for k, v in functions(name).items() if k.endswith("_mask")}
    assert masks == {"causal_mask": ["start", "end", size, "attention_mask", "like"]}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("example sparse_transformer", {"causal_window_mask", "causal_strided_mask"}),
        ("example modernbert_base", {"padding_mask", "band_mask"}),
    ],
)
def test_other_masks_have_functions_of_their_own(name: str, expected: set[str]) -> None:
    assert {k for k in functions(name) if k.endswith("_mask")} == expected


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
    assert "Block(config, i, feed_forward)" in built("example deepseek_v3").text
