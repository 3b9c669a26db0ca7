"""Layers that differ: blocks, pattern, overrides, share."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelwright.spec import SpecErrors, loads

TINY = (
    "name: t\nfamily: decoder-only\nvocab_size: 9\nd_model: 8\nlayers: 4\nattention: {heads: 2}\n"
)
AB = "blocks: {a: {positions: none}, b: {mask: causal & window(2)}}\n"


def order(text: str, *sets: str) -> tuple[str, ...]:
    return loads(TINY + text, sets=sets).stacks["decoder"].order


def test_one_block_is_called_block() -> None:
    assert order("") == ("block",) * 4


def test_a_pattern_repeats_and_is_cut() -> None:
    assert order(AB + "pattern: [a * 2, b]\n") == ("a", "a", "b", "a")
    assert order(AB + "pattern: [a * 2, b]\n", "layers=7") == ("a", "a", "b") * 2 + ("a",)
    assert order(AB + "pattern: [a*2, b]\n", "layers=2") == ("a", "a")


@pytest.mark.parametrize(
    "key, wanted",
    [
        ("0", "baaa"),
        ("-1", "aaab"),
        ("0..1", "bbaa"),
        ("-2..-1", "aabb"),
        ("1..-1", "abbb"),
        ("2..9", "aabb"),
        ("0..0", "baaa"),
    ],
)
def test_overrides_are_exceptions(key: str, wanted: str) -> None:
    assert "".join(order(AB + f"pattern: [a]\noverrides: {{{key}: b}}\n")) == wanted


def test_overrides_alone_leave_the_unnamed_block() -> None:
    assert order(AB + "overrides: {0: a, 2: b}\n") == ("a", "block", "b", "block")


def test_a_written_override_is_merged_into_the_block() -> None:
    spec = loads(TINY + AB + "pattern: [a, b]\noverrides: {0..2: {norm: rmsnorm}}\n")
    stack = spec.stacks["decoder"]
    assert stack.order == ("a_layer_0", "b_layer_1", "a_layer_0", "b")
    changed = stack.blocks["b_layer_1"]
    assert str(changed.mask) == "causal & window(2)"
    assert changed.norm.type == changed.attention.norm.type == "rmsnorm"
    assert stack.blocks["b"].attention.norm.type == "layernorm"


def test_overrides_are_applied_in_the_order_written() -> None:
    assert order(AB + "pattern: [a]\noverrides: {0..2: b, 1: a}\n") == ("b", "a", "b", "a")


BEYOND = AB + "pattern: [a]\noverrides: {7: b}\n"


def test_an_override_beyond_the_end_is_an_error() -> None:
    with pytest.raises(SpecErrors) as caught:
        loads(TINY + BEYOND, "t.yaml")
    text = "t.yaml:9:13: the override `7` matches none of the 4 layers, so it has no effect"
    assert text in str(caught.value)
    with pytest.raises(SpecErrors, match="the override `7` matches none of the 4 layers"):
        loads(TINY, sets=["overrides.7={norm: rmsnorm}"])


def test_an_override_beyond_the_end_of_a_set_number_is_a_warning() -> None:
    spec = loads(TINY + BEYOND, "t.yaml", sets=["layers=5"])
    assert spec.warnings == ("t.yaml:9:13: the override `7` matches none of the 5 layers",)


def test_an_override_of_another_file_beyond_the_end_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(TINY.replace("layers: 4", "layers: 8") + BEYOND)
    spec = loads("name: u\nextends: base.yaml\nlayers: 4\n", folder=tmp_path)
    (warning,) = spec.warnings
    assert "base.yaml:9:13: the override `7` matches none of the 4 layers" in warning
    with pytest.raises(SpecErrors, match="the override `9` matches none of the 8 layers"):
        loads("name: u\nextends: base.yaml\noverrides: {9: b}\n", folder=tmp_path)


def test_only_blocks_in_use_are_kept() -> None:
    spec = loads(TINY + AB + "pattern: [a, b]\n", sets=["layers=1"])
    assert list(spec.stacks["decoder"].blocks) == ["a"]


def test_share_is_a_property_of_a_block() -> None:
    spec = loads(TINY + "share: true\nblocks: {a: {}, b: {share: false}}\npattern: [a, b]\n")
    blocks = spec.stacks["decoder"].blocks
    assert (blocks["a"].share, blocks["b"].share) == (True, False)


def test_no_layers_at_all() -> None:
    stack = loads(TINY.replace("layers: 4", "layers: 0")).stacks["decoder"]
    assert (stack.order, stack.blocks) == ((), {})


def test_a_stack_has_at_most_256_different_blocks() -> None:
    blocks = [f"  b{i}: {{dropout: 0.{i:03}1}}" for i in range(257)]

    def text(count: int) -> str:
        pattern = ", ".join(f"b{i}" for i in range(count))
        own = "\n".join(blocks[:count])
        return (
            f"{TINY.replace('layers: 4', f'layers: {count}')}blocks:\n{own}\npattern: [{pattern}]\n"
        )

    assert len(loads(text(256)).stacks["decoder"].order) == 256
    with pytest.raises(SpecErrors, match="at most 256 different blocks"):
        loads(text(257))
