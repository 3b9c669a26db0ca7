"""Sliders: which numbers of a spec have one, and that all values they offer are valid."""

from __future__ import annotations

import re

import pytest
from explore_server import EXAMPLES, NAMES, asked

from modelwright.explorer import answer
from modelwright.explorer.sizes import sizes
from modelwright.spec import loads


def test_sliders_show_the_numbers() -> None:
    text = (EXAMPLES / "gpt2.yaml").read_text(encoding="utf-8")
    lines = text.splitlines()
    for size in asked("gpt2", "figure")["sizes"]:
        line = lines[size["line"] - 1]
        assert line[size["column"] - 1 : size["end"] - 1] == str(size["value"])
        assert re.search(rf"\b{size['key']}: $", line[: size["column"] - 1])
    assert [size["key"] for size in asked("gpt2", "figure")["sizes"]] == [
        "layers", "d_model", "heads"
    ]  # fmt: skip


def test_a_number_of_two_stacks_has_one_slider() -> None:
    (layers,) = (size for size in asked("t5_small", "figure")["sizes"] if size["key"] == "layers")
    assert layers["stacks"] == ["encoder", "decoder"]
    both = [size for size in asked("clip_vit_b32", "figure")["sizes"] if size["key"] == "d_model"]
    assert {tuple(size["stacks"]) for size in both} == {("text",), ("vision",)}


def test_numbers_that_the_text_does_not_say_have_no_slider() -> None:
    spec = loads("name: mine\nextends: gpt2.yaml\nlayers: 6\n", "mine.yaml", folder=EXAMPLES)
    assert [size["key"] for size in sizes(spec)] == ["layers"]


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", NAMES[::8])
def test_every_choice_is_a_spec(name: str) -> None:
    """The first, the last and one in the middle; each with the others as they are."""
    text = (EXAMPLES / f"{name}.yaml").read_text(encoding="utf-8")
    for size in asked(name, "figure")["sizes"]:
        values = size["values"]
        assert size["value"] in values
        for value in (values[0], values[len(values) // 2], values[-1]):
            lines = text.splitlines()
            line = lines[size["line"] - 1]
            lines[size["line"] - 1] = (
                line[: size["column"] - 1] + str(value) + line[size["end"] - 1 :]
            )
            changed = answer(
                {"ask": "figure", "text": "\n".join(lines), "name": f"{name}.yaml"}, EXAMPLES
            )
            messages = [each["message"] for each in changed["problems"]]
            assert "svg" in changed, (size["key"], value, messages)
