"""Names: nothing of a spec reaches code unless the grammar allows it."""

from __future__ import annotations

import pytest

from modelwright.spec import SpecErrors, from_data, loads
from modelwright.spec.names import CODE_NAMES, MODULE_NAMES, camel_case

TINY = (
    "name: t\nfamily: decoder-only\nvocab_size: 9\nd_model: 8\nlayers: 4\nattention: {heads: 2}\n"
)
EVIL = (
    '"""',
    "x'y",
    'x"y',
    "x\ny",
    "__import__('os')",
    "a; import os",
    "a b",
    "a\\b",
    "a{b}",
    "a#b",
    "",
    "_x",
    "naïve",
    "ａ",
    "x\n",
    "x" * 65,
    "1x",
    "none",
)


def data(**more: object) -> dict[str, object]:
    base = {"name": "t", "vocab_size": 9, "d_model": 8, "layers": 1, "attention": {"heads": 2}}
    return {**base, **more}


@pytest.mark.parametrize("word", EVIL)
def test_no_place_for_a_name_takes_code(word: str) -> None:
    places = [
        data(family="decoder-only", name=word),
        data(stacks={word: {}}),
        data(family="decoder-only", blocks={word: {}}, overrides={"0": word}),
        data(family="decoder-only", heads={word: "language_model"}),
        data(family="decoder-only", input={"argument": word}),
        data(family="decoder-only", input={"add": {word: 2}}),
    ]
    for place in places:
        with pytest.raises(SpecErrors) as caught:
            from_data(place)
        assert caught.value.problems


@pytest.mark.parametrize("word", ["class", "def", "None", "True", "lambda", "import"])
def test_python_keywords_are_not_names(word: str) -> None:
    for place in (
        data(stacks={word: {}}),
        data(family="decoder-only", heads={word: "language_model"}),
        data(family="decoder-only", input={"argument": word}),
    ):
        with pytest.raises(SpecErrors, match="not a Python keyword"):
            from_data(place)


@pytest.mark.parametrize("word", ["global", "class", "lambda"])
def test_a_block_may_have_any_word_since_only_its_class_reaches_code(word: str) -> None:
    spec = loads(TINY + f"blocks: {{{word}: {{}}}}\npattern: [{word}]\n")
    assert list(spec.stacks["decoder"].blocks) == [word]


@pytest.mark.parametrize("word", ["forward", "train", "state_dict", "parameters", "generate"])
def test_parts_do_not_hide_what_every_model_has(word: str) -> None:
    for place in (
        data(stacks={word: {}}),
        data(family="decoder-only", heads={word: "language_model"}),
    ):
        with pytest.raises(SpecErrors, match=f"cannot be named `{word}`"):
            from_data(place)


@pytest.mark.parametrize("word", ["attention_mask", "cache", "self", "position_ids", "torch"])
def test_arguments_do_not_hide_those_of_every_model(word: str) -> None:
    with pytest.raises(SpecErrors, match="generated code uses this one"):
        from_data(data(family="decoder-only", input={"argument": word}))


@pytest.mark.parametrize("name", [n for n in sorted(CODE_NAMES) if n[0].isupper()])
def test_a_model_is_not_called_as_something_in_its_code(name: str) -> None:
    with pytest.raises(SpecErrors, match=r"another name|not a Python keyword"):
        from_data(data(family="decoder-only", name=name))


@pytest.mark.parametrize(
    "name, wanted",
    [
        ("gpt2", "Gpt2"),
        ("llama-3.1-8b", "Llama3_1_8b"),
        ("bert-base-uncased", "BertBaseUncased"),
        ("T5", "T5"),
        ("a_b", "AB"),
    ],
)
def test_classes(name: str, wanted: str) -> None:
    assert camel_case(name) == wanted
    assert from_data(data(family="decoder-only", name=name)).class_name == wanted


@pytest.mark.slow
def test_every_attribute_of_a_module_is_taken() -> None:
    from torch import nn

    public = {name for name in dir(nn.Module()) if not name.startswith("_")}
    public -= {"smart_apply"}  # put there by transformers, where a test has imported it
    assert public <= MODULE_NAMES


def test_a_description_is_free_text() -> None:
    text = "it's \"\"\" __import__('os')\n{x} \\n ü"
    assert from_data(data(family="decoder-only", description=text)).description == text
